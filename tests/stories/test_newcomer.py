"""Somebody clones the repository and types the README's first command."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """The files that git has, and nothing that was installed or built here."""
    folder = tmp_path_factory.mktemp("clone") / "camlucida"
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def environment(home: Path) -> dict[str, str]:
    """A user's environment, without the virtual environment that runs this test."""
    own = str(Path(sys.prefix) / "bin")
    path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != own)
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "CAMLUCIDA"))
    }
    return {**kept, "PATH": path, "CAMLUCIDA_HOME": str(home), "DISPLAY": "", "PYTHONUNBUFFERED": "1"}


@pytest.mark.slow
def test_the_first_command_ends_with_real_studies_on_a_page(clone, tmp_path):
    log = tmp_path / "log.txt"
    with log.open("w") as output:
        process = subprocess.Popen(  # noqa: S603 - our own script
            [str(clone / "run"), "demo", "--no-browser", "--port", "0"],
            cwd=clone,
            env=environment(tmp_path / "home"),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        link = wait_for_link(process, log)
        with httpx2.Client(
            base_url=link.partition("/sign-in")[0], follow_redirects=True, timeout=60
        ) as browser:
            assert "camlucida" in browser.get(link).text
            studies = browser.get("/api/studies").json()["studies"]
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(120)
    assert code == 0, log.read_text()
    assert "Traceback" not in log.read_text()
    assert {study["modality"] for study in studies} >= {"CT"}
    assert any(not study["phantom"] for study in studies), "RG1, a real radiograph, is shown too"
    assert all(study["state"] == "explained" for study in studies)


def wait_for_link(process, log, seconds=1200):
    """The sign-in link, once it has been printed."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        found = re.search(r"http://\S+/sign-in\?token=\S+", log.read_text())
        if found:
            return found.group(0)
        time.sleep(0.5)
    pytest.fail(f"no link:\n{log.read_text()}")


def test_help_answers_at_once():
    """CPU time, the least of three: tests share the cores."""
    command = [str(Path(sys.executable).parent / "camlucida"), "--help"]
    taken = []
    for _ in range(3):
        before = os.times()
        subprocess.run(command, capture_output=True, check=True)  # noqa: S603 - our own command
        after = os.times()
        taken.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
    assert min(taken) < 1.0
