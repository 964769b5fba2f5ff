"""Exported networks kept in the home folder, so that a model version is exported once.

`HOME/exported/KEY/` holds trunk.onnx, head.pt2, and entry.json with the digests of both. The key is made of
all that the files depend on. A folder that is not what was written is removed, and the network exported anew;
neither file can hold code: the head is read as any .pt2, string by string.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from camlucida.errors import InvalidWeights
from camlucida.models.cut import Cut
from camlucida.models.exported import load_exported
from camlucida.models.split import ROWS, Split, quiet
from camlucida.settings import settings
from camlucida.version import __version__

MOST = 24
"""Exported networks that are kept; the one not used for the longest time goes first."""

_FORMAT = 1
_ENTRY, _TRUNK, _HEAD = "entry.json", "trunk.onnx", "head.pt2"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """An exported network as it is kept: the trunk as ONNX, the head, and the function after the logits."""

    onnx: bytes
    head: nn.Module
    activation: str | None


def key(model_digest: str, cut: Cut, images: Tensor) -> str:
    """SHA-256 of what an exported network depends on."""
    determining = {
        "format": _FORMAT,
        "model": model_digest,
        "cut": asdict(cut),
        "input": list(images.shape[1:]),
        "torch": torch.__version__,
        "camlucida": __version__,
    }
    return hashlib.sha256(json.dumps(determining, sort_keys=True, default=str).encode()).hexdigest()


def load(key: str) -> Kept | None:
    """The exported network of this key, or None; one that is damaged is removed."""
    folder = _home() / key
    if not folder.is_dir():
        return None
    try:
        kept = _read(folder)
        os.utime(folder)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, InvalidWeights) as error:
        _log.warning("The exported network %s… is damaged (%s) and is made anew.", key[:12], error)
        forget(key)
        return None
    return kept


def forget(key: str) -> None:
    """Remove the exported network of this key."""
    shutil.rmtree(_home() / key, ignore_errors=True)


def keep(key: str, split: Split, onnx: bytes) -> None:
    """Keep an exported network: complete, or not at all. A home that cannot be written to is told of."""
    try:
        home = _home()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".writing-") as temporary:
            folder = Path(temporary) / key
            _write(folder, {_TRUNK: onnx, _HEAD: _head_file(split)}, split.activation)
            folder.replace(home / key)
        _bound(home)
    except OSError as error:  # no room, no right to write, or another process was first
        _log.info("The exported network was not kept: %s.", error.strerror)


def _home() -> Path:
    return settings().home / "exported"


def _write(folder: Path, files: dict[str, bytes], activation: str | None) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    (folder / _ENTRY).write_text(json.dumps({"files": digests, "activation": activation}), "utf-8")


def _read(folder: Path) -> Kept:
    entry = json.loads((folder / _ENTRY).read_text("utf-8"))
    for name in (_TRUNK, _HEAD):
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != entry["files"][name]:
                raise ValueError(f"{name} is not what was written")
    if entry["activation"] not in {None, "sigmoid", "softmax"}:
        raise ValueError(f"{_ENTRY} is not what was written")
    head = load_exported(folder / _HEAD).requires_grad_(requires_grad=False)
    return Kept((folder / _TRUNK).read_bytes(), head, entry["activation"])


def _head_file(split: Split) -> bytes:
    file = io.BytesIO()
    with quiet(), torch.no_grad():
        rows = ({0: torch.export.Dim(ROWS)},)
        program = torch.export.export(split.head, (split.rows,), dynamic_shapes=rows, strict=False)
        torch.export.save(program, file)
    return file.getvalue()


def _bound(home: Path) -> None:
    folders = sorted(home.glob("[0-9a-f]*"), key=lambda folder: folder.stat().st_mtime)
    for folder in folders[:-MOST]:
        shutil.rmtree(folder, ignore_errors=True)
