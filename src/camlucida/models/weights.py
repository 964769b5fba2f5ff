"""Weights from a file into a network, without running any code that the file may hold."""

import pickle
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from camlucida.errors import InvalidWeights
from camlucida.settings import settings

_NESTED = ("state_dict", "model_state_dict", "model", "network", "net")
_PREFIXES = ("module.", "_orig_mod.", "model.", "network.", "net.")
_SAFETENSORS = ".safetensors"
_STATE_DICTS = (".pth", ".pt")
_SHOWN = 3  # names in a sentence


def load_weights(network: nn.Module, path: Path) -> None:
    """Put the weights of a file into a network; every name and shape must match.

    Parameters
    ----------
    path
        `.safetensors`, or a state dict as `.pth` or `.pt`, perhaps under "state_dict" or "model", perhaps
        with a "module." prefix (DataParallel) or "_orig_mod." (torch.compile).

    Raises
    ------
    InvalidWeights
        The file is damaged, holds code, or does not match; the sentence lists the first differences.
    """
    state = _without_prefix(read_state(path), network)
    wanted = network.state_dict()
    state = {
        name: tensor for name, tensor in state.items() if name in wanted or name not in _ignored(network)
    }
    _refuse_differences(state, wanted, path.name)
    _refuse_not_finite(state, path.name)
    network.load_state_dict(state, strict=False)  # what may be missing was decided above


def read_state(path: Path) -> dict[str, Tensor]:
    """The state dict in a weights file, on the CPU.

    Raises
    ------
    InvalidWeights
        The file is too large, damaged, or holds anything but tensors.
    """
    _refuse_size(path)
    if path.suffix == _SAFETENSORS:
        try:
            return safetensors.torch.load_file(path)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise InvalidWeights(f"“{path.name}” is no safetensors file, or is damaged: {error}.") from error
    if path.suffix in _STATE_DICTS:
        return _state_dict(_unpickled(path), path.name)
    raise InvalidWeights(
        f"Weights “{path.name}”: “{path.suffix}” is none of .safetensors, .pth, .pt and .pt2; save the "
        "state dict with safetensors.torch.save_file."
    )


def _refuse_size(path: Path) -> None:
    size, largest = path.stat().st_size, settings().max_file_bytes
    if size > largest:
        raise InvalidWeights(
            f"“{path.name}” has {size} bytes, more than the {largest} that are allowed; set "
            "CAMLUCIDA_MAX_FILE_BYTES if it is meant."
        )


def _unpickled(path: Path) -> Any:
    _refuse_archive(path)
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidWeights(
            f"“{path.name}” is not a plain state dict: it holds Python objects, and reading them would run "
            "code; save the weights alone, with torch.save(network.state_dict(), …) or safetensors."
        ) from error
    except Exception as error:  # a damaged pickle may end in any error at all
        raise InvalidWeights(
            f"“{path.name}” is damaged, or no file of torch.save ({type(error).__name__}); copy it again."
        ) from error


def _refuse_archive(path: Path) -> None:
    """TorchScript and torch.export write zip archives too; so may someone who wants to fill the memory."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise InvalidWeights(f"“{path.name}” is a damaged archive; copy it again.") from error
    names = [entry.filename for entry in entries]
    if any(name.endswith("/constants.pkl") or "/code/" in name for name in names):
        raise InvalidWeights(
            f"“{path.name}” is a TorchScript archive, whose layers cannot be watched; save the state dict "
            "of the Python network, or export it with torch.export.save to a .pt2."
        )
    if any("/models/" in name and name.endswith(".json") for name in names):
        raise InvalidWeights(f"“{path.name}” was written by torch.export; give it the suffix .pt2.")
    if sum(entry.file_size for entry in entries) > settings().max_file_bytes:
        raise InvalidWeights(f"“{path.name}” would grow beyond what CAMLUCIDA_MAX_FILE_BYTES allows.")


def _state_dict(loaded: Any, file: str) -> dict[str, Tensor]:
    for _ in range(3):
        inner = next((loaded[key] for key in _NESTED if isinstance(loaded, Mapping) and key in loaded), None)
        if not isinstance(inner, Mapping):
            break
        loaded = inner
    if not isinstance(loaded, Mapping):
        raise InvalidWeights(
            f"“{file}” holds a {type(loaded).__name__}, not a state dict; save network.state_dict()."
        )
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InvalidWeights(
                f"“{file}” is no state dict: “{name}” is a {type(value).__name__}, not a tensor; save "
                "network.state_dict() alone."
            )
    return dict(loaded)


def _without_prefix(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The state without a prefix that all its names share and the network's do not."""
    wanted = network.state_dict().keys()
    for _ in _PREFIXES:
        for prefix in _PREFIXES:
            shared = bool(state) and all(name.startswith(prefix) for name in state)
            if shared and not any(name.startswith(prefix) for name in wanted):
                state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _ignored(network: nn.Module) -> frozenset[str]:
    """Torchxrayvision keeps operating points beside the weights; logits are made without them."""
    foreign = type(network).__module__.startswith("torchxrayvision.")
    return frozenset({"op_threshs"} if foreign else ())


def _refuse_differences(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], file: str) -> None:
    missing = [n for n in wanted if n not in state and not n.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in wanted]
    shapes = [
        f"{name} is {_shape(state[name])}, not {_shape(wanted[name])}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    found = {"missing": missing, "not in the architecture": unexpected, "of another shape": shapes}
    differences = [f"{len(names)} {what} ({_first(names)})" for what, names in found.items() if names]
    if differences:
        raise InvalidWeights(
            f"“{file}” does not fit the architecture: {'; '.join(differences)}; check architecture and "
            "[architecture_arguments]."
        )


def _refuse_not_finite(state: Mapping[str, Tensor], file: str) -> None:
    broken = [n for n, t in state.items() if t.is_floating_point() and not bool(torch.isfinite(t).all())]
    if broken:
        raise InvalidWeights(
            f"“{file}” holds NaN or infinity in {len(broken)} tensors ({_first(broken)}), so its logits "
            "would be meaningless; take weights from before the training diverged."
        )


def _shape(tensor: Tensor) -> str:
    return "×".join(map(str, tensor.shape)) or "a single number"


def _first(names: Iterable[str]) -> str:
    listed = list(names)
    more = ", …" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more
