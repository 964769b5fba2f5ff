"""dcmtk's storescp as a process of the test's own, which accepts no more than it is told to."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from orthanc import HOST, free_port, wait_for_port

PROGRAM = "/usr/bin/storescp"


class StoreScp:
    """A storescp that writes what it receives, bit for bit, into `folder/received`.

    `accepted` are SOP classes and for each the transfer syntaxes in dcmtk's words (/etc/dcmtk/storescp.cfg);
    None: all that dcmtk knows, and unknown classes, too.
    """

    def __init__(
        self,
        folder: Path,
        accepted: Mapping[str, Sequence[str]] | None = None,
        options: Sequence[str] = (),
        ae_title: str = "STORESCP",
    ) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.port = free_port()
        self.accepted = accepted
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def received(self) -> list[Path]:
        """What it has received, one file an instance."""
        return sorted((self.folder / "received").iterdir())

    def __enter__(self) -> Self:
        (self.folder / "received").mkdir(parents=True, exist_ok=True)
        command = [PROGRAM, "--bit-preserving", "--output-directory", self.folder / "received"]
        command += ["--aetitle", self.ae_title, *self._contexts(), *self.options, str(self.port)]
        with (self.folder / "storescp.txt").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603
        wait_for_port(HOST, self.port)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def _contexts(self) -> list[str]:
        if self.accepted is None:
            return ["--promiscuous"]
        path = self.folder / "storescp.cfg"
        path.write_text(_configuration(self.accepted), "ascii")
        return ["--config-file", str(path), "OnlyThese"]


def _configuration(accepted: Mapping[str, Sequence[str]]) -> str:
    syntaxes = [
        "\n".join([f"[Syntaxes{n}]", *(f"TransferSyntax{m} = {word}" for m, word in enumerate(words, 1))])
        for n, words in enumerate(accepted.values(), 1)
    ]
    contexts = [f"PresentationContext{n} = {uid}\\Syntaxes{n}" for n, uid in enumerate(accepted, 1)]
    lines = ["[[TransferSyntaxes]]", *syntaxes, "[[PresentationContexts]]", "[Contexts]", *contexts]
    lines += ["[[Profiles]]", "[OnlyThese]", "PresentationContexts = Contexts", ""]
    return "\n".join(lines)
