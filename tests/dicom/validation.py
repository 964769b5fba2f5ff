"""The judges of what we write: dciodvfy of one object, dcentvfy of a study (dicom3tools)."""

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

TOOLS = Path(sys.executable).parent


def errors(path: Path) -> list[str]:
    """What dciodvfy says is wrong with one file."""
    return _errors("dciodvfy", [path])


def errors_beyond(path: Path, sources: Iterable[Path]) -> list[str]:
    """What dciodvfy says is wrong with a file that is not wrong with one of its sources already."""
    found = errors(path)
    known = {line for source in sources for line in errors(source)} if found else set()
    return [line for line in found if line not in known]


def inconsistencies(written: Sequence[Path], sources: Sequence[Path]) -> list[str]:
    """What dcentvfy says contradicts itself in sources and written objects together, beyond the sources.

    Study, series, frame of reference and patient must be the same wherever they are named.
    """
    found = _errors("dcentvfy", [*sources, *written])
    known = set(_errors("dcentvfy", sources)) if found else set()
    return [line for line in found if line not in known]


def _errors(tool: str, paths: Sequence[Path]) -> list[str]:
    command = [str(TOOLS / tool), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=120)  # noqa: S603 - fixed tools
    lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    assert done.returncode in {0, 1}, lines  # 1: it found errors
    return [line for line in lines if line.startswith("Error")]
