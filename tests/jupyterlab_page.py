"""A real JupyterLab, as a process of its own, that keeps everything in a folder."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orthanc import free_port
from waiting import until

TOKEN = "a-token-for-this-test"  # noqa: S105 - of a server on loopback that ends with the test


def write_notebook(path: Path, *cells: str) -> None:
    """A notebook of these cells, not run."""
    content = {
        "cells": [
            {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "outputs": [], "source": cell}
            | {"execution_count": None}
            for n, cell in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(content))


@contextmanager
def jupyterlab(folder: Path) -> Iterator[str]:
    """Gives the address of the lab; its notebooks are the folder's."""
    port = free_port()
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    own = {name: str(folder / ".jupyter" / name) for name in names}
    options = [f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}", "--ServerApp.ip=127.0.0.1"]
    options += [f"--ServerApp.root_dir={folder}", "--no-browser", "--allow-root"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    with subprocess.Popen(  # noqa: S603 - our own command
        command, env={**os.environ, **own}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            until(lambda: answers(f"{address}/api?token={TOKEN}"), seconds=300)
            yield address
        finally:
            process.terminate()


def answers(address: str) -> bool:
    """Whether somebody answers there."""
    try:
        with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - our own server
            return True
    except (urllib.error.URLError, TimeoutError):
        return False
