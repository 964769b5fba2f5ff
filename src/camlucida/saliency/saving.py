"""Explanations as files: a folder that is complete, or not there."""

import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from camlucida.records.encoding import to_json, to_safetensors
from camlucida.records.explanation import Explanation

if TYPE_CHECKING:
    from PIL.Image import Image as Picture


def save(explanation: Explanation, pictures: Mapping[str, "Picture"], folder: Path, name: str) -> Path:
    """Write `folder/name/`: map.safetensors, explanation.json and a PNG per finding; replaces an old one."""
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    try:
        (unfinished / "map.safetensors").write_bytes(to_safetensors(explanation))
        (unfinished / "explanation.json").write_text(json.dumps(to_json(explanation), indent=2) + "\n")
        for stem, picture in zip(distinct_names(pictures), pictures.values(), strict=True):
            picture.save(unfinished / f"{stem}.png")
        unfinished.chmod(0o755)  # mkdtemp's folders are for their owner alone
        finished = folder / file_name(name)
        if finished.exists():
            _remove_own(finished)
        return unfinished.rename(finished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _remove_own(finished: Path) -> None:
    """Remove an explanation that was kept here before, and nothing that anybody else has put there."""
    content = list(finished.iterdir()) if finished.is_dir() else [finished]
    own = {"map.safetensors", "explanation.json"}
    foreign = [path.name for path in content if path.name not in own and path.suffix != ".png"]
    if content and (foreign or not own <= {path.name for path in content}):
        raise FileExistsError(
            f"“{finished}” is there already and is no kept explanation; choose another folder or name."
        )
    shutil.rmtree(finished)


def distinct_names(names: Iterable[str]) -> Iterator[str]:
    """File names of findings, numbered where two come out the same (“unnamed” for all in other scripts)."""
    taken: set[str] = set()
    for name in names:
        stem, number = file_name(name), 1
        while (unique := stem if number == 1 else f"{stem}-{number}").casefold() in taken:
            number += 1
        taken.add(unique.casefold())
        yield unique


def replace_whole(path: Path, pieces: Iterable[bytes]) -> Path:
    """Write a file that is complete, or not there; replaces an old one."""
    with tempfile.NamedTemporaryFile(prefix=".unfinished-", dir=path.parent, delete=False) as unfinished:
        try:
            unfinished.writelines(pieces)
        except BaseException:
            Path(unfinished.name).unlink()
            raise
    Path(unfinished.name).chmod(0o644)  # a temporary file is for its owner alone
    return Path(unfinished.name).rename(path)


def file_name(name: str) -> str:
    """A name that is safe as a file's name everywhere: letters, digits, dot, hyphen, underscore."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip(".-") or "unnamed"
