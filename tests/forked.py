"""Our commands and our code in processes of their own, forked from one that has imported all that takes long.

A process that begins from nothing imports torch for seconds; one that is forked differs in nothing else.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import forkserver, get_context
from pathlib import Path
from unittest import mock

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200", "DISPLAY": "", "WAYLAND_DISPLAY": ""}

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    ["torch", "camlucida.station", "camlucida.cli.commands", "camlucida.evaluation.evaluation"]
)


def camlucida(
    *words: object, seconds: float = 300, first: Callable[[], object] = dict
) -> subprocess.CompletedProcess[str]:
    """`camlucida WORDS`, run to its end; `first` is called in its process before."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder) / "out", Path(folder) / "err"
        code = ended(_command, tuple(map(str, words)), out, err, first, seconds=seconds)
        return subprocess.CompletedProcess(words, code, out.read_text("utf-8"), err.read_text("utf-8"))


def ended(function: Callable[..., object], *arguments: object, seconds: float = 120) -> int:
    """How a process ended that called a function of a module: its exit code, or minus a signal."""
    process = _CONTEXT.Process(target=function, args=arguments)
    with mock.patch.dict(os.environ, ENVIRONMENT, clear=True):
        forkserver.ensure_running()
    process.start()
    process.join(seconds)
    code = process.exitcode
    if code is None:
        process.kill()
        process.join()
        raise subprocess.TimeoutExpired(str(arguments), seconds)
    process.close()
    return code


def _command(words: tuple[str, ...], out: Path, err: Path, first: Callable[[], object]) -> None:
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["camlucida", *words]
    first()
    from camlucida.cli import main  # noqa: PLC0415 - what it says goes to the files

    main()
