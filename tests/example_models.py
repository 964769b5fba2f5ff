"""Model folders for tests: a card as a dict, written as TOML, with weights beside it."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from camlucida.models.architectures import SmallResNet

CARD = {
    "name": "two-findings",
    "version": "1.0.0",
    "title": "Two findings of nothing",
    "architecture": "camlucida.models.architectures:SmallResNet",
    "weights": "weights.safetensors",
    "output": "sigmoid",
    "intended_use": "Tests.",
    "licence": "CC0-1.0",
    "attribution": "Random numbers.",
    "architecture_arguments": {
        "space": 2,
        "channels": 1,
        "findings": 2,
        "width": 4,
        "stages": 2,
        "blocks": 1,
    },
    "input": {"modality": ["CR", "DX"], "size": [32, 24], "mean": [0.5], "std": [0.25]},
    "findings": [
        {
            "name": "Pneumothorax",
            "operating_point": 0.25,
            "concept": {"value": "36118008", "scheme": "SCT", "meaning": "Pneumothorax"},
        },
        {"name": "Pleural effusion"},
    ],
}


def small_network(findings: int = 2, seed: int = 0) -> nn.Module:
    """A small residual network as CARD names it, with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SmallResNet(space=2, channels=1, findings=findings, width=4, stages=2, blocks=1).eval()


def write_model(folder: Path, network: nn.Module | None = None, **changes: Any) -> Path:
    """A model's folder: CARD with some keys changed (None: left out) and the network's weights."""
    folder.mkdir(parents=True, exist_ok=True)
    card = {key: value for key, value in {**CARD, **changes}.items() if value is not None}
    (folder / "model.toml").write_text(as_toml(card), "utf-8")
    state = (network or small_network()).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "weights.safetensors")
    return folder


def as_toml(card: dict[str, Any]) -> str:
    """TOML of plain values, tables and lists of tables; text, numbers and lists are written as in JSON."""
    plain = {key: value for key, value in card.items() if not _is_table(value)}
    lines = [f"{key} = {_value(value)}" for key, value in plain.items()]
    for key, value in card.items():
        for table in value if isinstance(value, list) and _is_table(value) else ():
            lines += [f"[[{key}]]", *_keys(table)]
        if isinstance(value, dict):
            lines += [f"[{key}]", *_keys(value)]
    return "\n".join(lines) + "\n"


def _keys(table: dict[str, Any]) -> list[str]:
    return [f"{name} = {_value(inner)}" for name, inner in table.items()]


def _is_table(value: Any) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return isinstance(first, dict)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
