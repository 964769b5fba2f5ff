"""Explanations as files: a folder that is complete, or not there."""

import json
import re
import shutil
import tempfile
from collections.abc import Mapping
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
        for finding, picture in pictures.items():
            picture.save(unfinished / f"{file_name(finding)}.png")
        unfinished.chmod(0o755)  # mkdtemp's folders are for their owner alone
        finished = folder / file_name(name)
        if finished.exists():
            shutil.rmtree(finished)
        return unfinished.rename(finished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def file_name(name: str) -> str:
    """A name that is safe as a file's name everywhere: letters, digits, dot, hyphen, underscore."""
    return re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip(".-") or "unnamed"
