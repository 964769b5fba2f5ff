"""Docs run: the Python and bash blocks of every page, in order, in an empty folder; and nothing lacks a page.

Blocks marked `sh` are for reading: they need the user's own files, or start what does not end.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from camlucida.cli.commands import COMMANDS
from camlucida.saliency.methods import METHODS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "benchmarks/README.md", "viewer/README.md")]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
_BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)

_RUN = """
import json, subprocess, sys
for _language, _block in json.loads(sys.argv.pop()):
    if _language == "python":
        exec(_block)  # a later block uses the names of the earlier ones
    else:
        subprocess.run(["/bin/bash", "-e", "-c", _block], check=True)
"""

RUNNING = [page for page in PAGES if _BLOCK.search(page.read_text("utf-8"))]


@pytest.mark.parametrize("page", RUNNING, ids=lambda page: page.stem)
def test_the_blocks_of_a_page_run_one_after_the_other(page, tmp_path, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    blocks = _BLOCK.findall(page.read_text("utf-8"))
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", _RUN, json.dumps(blocks)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_command_and_method_has_its_line():
    commands = (ROOT / "docs/reference/commands.md").read_text("utf-8")
    assert not [name for name in COMMANDS if f"camlucida {name}" not in commands]
    methods = (ROOT / "docs/reference/methods.md").read_text("utf-8")
    assert not [name for name in METHODS if f"`{name}`" not in methods]


def test_every_how_to_and_concept_is_found_from_the_readme():
    readme = (ROOT / "README.md").read_text("utf-8")
    pages = [page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md")]
    assert not [page for page in pages if page not in readme]


def test_nothing_in_the_source_is_left_for_later():
    unfinished = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "viewer/src").rglob("*.ts")]
    assert not [path.name for path in sources if unfinished.search(path.read_text("utf-8"))]
