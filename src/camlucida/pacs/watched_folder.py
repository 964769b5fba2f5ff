"""Studies arrive as files: folders that are looked into again and again.

Files are left as they are and where they are, so that a folder may be another program's, or read-only. What
was looked at is remembered in the database by path, size and time of change; a changed file is taken again.
"""

import os
import stat
import threading
import time
from collections.abc import Container, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import structlog
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from camlucida.errors import InputError, InvalidConfiguration, StoreError
from camlucida.settings import settings
from camlucida.store.blobs import CHUNK_BYTES, Part
from camlucida.store.home import Home
from camlucida.store.instances import Kept, take
from camlucida.store.tables import Origin, WatchedFileRow

POLL_SECONDS = 1.0
RETRY_SECONDS = 10.0
SETTLE_SECONDS = 3.0
SCAN_SHARE = 0.1  # of the time that looking into large folders may take
TOGETHER = 100  # files whose rows are written in one transaction
UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download")
"""How programs name a file that they are still writing; names that begin with a dot, too."""

_log = structlog.get_logger()


class Looked(NamedTuple):
    """What came of looking once: files of which the instance is new, known already, or none."""

    new: int = 0
    known: int = 0
    refused: int = 0

    def plus(self, other: "Looked") -> "Looked":
        """Both together."""
        return Looked(*(mine + its for mine, its in zip(self, other, strict=True)))


class _State(NamedTuple):
    """What tells that a file has changed."""

    bytes: int
    modified: int

    @classmethod
    def of(cls, found: os.stat_result) -> "_State":
        return cls(found.st_size, found.st_mtime_ns)


class WatchedFolders:
    """Takes the DICOM files that appear in folders, from `start` to `stop` or for a `with` block.

    A file is taken when its size and time of change have been the same for `settle_seconds`.

    Raises
    ------
    InvalidConfiguration
        A folder holds the station's own home, or lies in it.
    """

    def __init__(
        self, home: Home, folders: Sequence[Path], *, settle_seconds: float = SETTLE_SECONDS
    ) -> None:
        for folder in folders:
            _refuse_own(folder, home.folder)
        self._home, self._folders, self._settle_seconds = home, tuple(folders), settle_seconds
        with home.database.read() as session:
            self._done = {row.path: _State(row.bytes, row.modified) for row in session.scalars(_all())}
        self._growing: dict[str, tuple[_State, float]] = {}
        self._missing: set[Path] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look, in a thread of its own."""
        self._stop.clear()
        self._thread = threading.Thread(
            target=self.run, args=(self._stop,), name="watched folders", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a file that is being taken at this moment is taken to its end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def run(self, stop: threading.Event) -> None:
        """Look again and again until `stop` is set."""
        pause = POLL_SECONDS
        while not stop.wait(pause):
            begin = time.monotonic()
            try:
                self.look(stop)
            except Exception as error:  # noqa: BLE001 - a full disk, a share that is gone: the next look may do
                reason = str(error) if isinstance(error, StoreError) else type(error).__name__
                _log.warning("watched folders: not taken, tried again", reason=reason)
                pause = RETRY_SECONDS
            else:
                pause = max(POLL_SECONDS, (time.monotonic() - begin) / SCAN_SHARE)

    def look(self, stop: threading.Event | None = None) -> Looked:
        """Look once, and take what is ready.

        Raises
        ------
        StoreError
            An instance could not be written; it and the rest are left for the next time.
        """
        found = {
            _name(path): (path, folder, state)
            for folder in self._folders
            for path, state in self._files(folder)
        }
        ready = [name for name, (*_, state) in found.items() if self._is_ready(name, state)]
        self._forget(found.keys())
        total, rest = Looked(), iter(ready)
        while together := list(islice(rest, TOGETHER)):
            total = total.plus(self._take_all({name: found[name] for name in together}, stop))
        if total.new or total.refused:
            _log.info("watched folders", **total._asdict())
        return total

    def _files(self, folder: Path) -> Iterator[tuple[Path, _State]]:
        if not folder.is_dir():
            if folder not in self._missing:
                _log.warning("watched folder is not there", folder=str(folder))
                self._missing.add(folder)
            return
        self._missing.discard(folder)
        yield from _below(folder)

    def _is_ready(self, path: str, state: _State) -> bool:
        """Whether it is new or changed, and has not grown for a while, by our own clock."""
        if self._done.get(path) == state:
            return False
        moment = time.monotonic()
        before, since = self._growing.get(path, (None, moment))
        if before != state:
            since = moment
            self._growing[path] = (state, since)
        return moment - since >= self._settle_seconds

    def _forget(self, present: Container[str]) -> None:
        """Files that are gone: one that comes again under the name is looked at again."""
        gone = [path for path in self._done if path not in present]
        self._growing = {path: seen for path, seen in self._growing.items() if path in present}
        if gone:
            with self._home.database.write() as session:
                for path in gone:
                    session.execute(delete(WatchedFileRow).where(WatchedFileRow.path == path))
            for path in gone:
                del self._done[path]

    def _take_all(
        self, files: Mapping[str, tuple[Path, Path, _State]], stop: threading.Event | None
    ) -> Looked:
        looked, rows = Looked(), list[WatchedFileRow]()
        try:
            for name, (path, folder, state) in files.items():
                if stop is not None and stop.is_set():
                    break
                one, reason = self._take(path, folder, state)
                looked = looked.plus(one)
                if sum(one):
                    rows.append(
                        WatchedFileRow(path=name, bytes=state.bytes, modified=state.modified, reason=reason)
                    )
        finally:
            self._remember(rows)
        return looked

    def _take(self, path: Path, folder: Path, state: _State) -> tuple[Looked, str]:
        """What came of a file, and why it was refused; nothing, if it changed meanwhile."""
        try:
            with self._home.blobs.begin() as part:
                if not _copied(path, state, part):
                    return Looked(), ""
                kept = take(self._home, part, Origin.FOLDER, folder.name).kept
        except InputError as error:
            reason = str(error).partition(": ")[2] or str(error)  # without the part's name
            _log.warning("watched folder: a file was not taken", folder=str(folder), reason=reason)
            return Looked(refused=1), reason
        if kept is Kept.CONFLICTING:
            _log.warning("same SOP Instance UID, other content: both kept", folder=str(folder))
        return (Looked(known=1) if kept is Kept.KNOWN else Looked(new=1)), ""

    def _remember(self, rows: Sequence[WatchedFileRow]) -> None:
        states = {row.path: _State(row.bytes, row.modified) for row in rows}
        if states:
            with self._home.database.write() as session:
                for row in rows:
                    session.merge(row)
            self._done |= states
            for path in states:
                self._growing.pop(path, None)


def refused(session: Session) -> dict[str, str]:
    """Paths of the files that were not taken, each with the reason. Paths may name patients."""
    rows = session.scalars(_all().where(WatchedFileRow.reason != ""))
    return {row.path: row.reason for row in rows}


def _name(path: Path) -> str:
    """The path as the database can keep it; file names need not be text."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _all() -> Select[WatchedFileRow]:
    return select(WatchedFileRow).order_by(WatchedFileRow.path)


def _below(folder: Path) -> Iterator[tuple[Path, _State]]:
    """Finished regular files in a folder and its folders. Links are not followed: they may lead out of it."""
    try:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _below(Path(entry.path))
                elif entry.is_file(follow_symlinks=False):
                    yield Path(entry.path), _State.of(entry.stat(follow_symlinks=False))
    except FileNotFoundError:  # a folder or file that was there a moment ago
        return
    except PermissionError:
        _log.warning("watched folder: a folder in it cannot be read")


def _copied(path: Path, state: _State, part: Part) -> bool:
    """Copy a file that is as it was when it was looked at, and still is afterwards."""
    if state.bytes > settings().max_file_bytes:
        raise InputError(
            f"It has {state.bytes:,} bytes; at most {settings().max_file_bytes:,} are read (setting "
            "max_file_bytes, environment variable CAMLUCIDA_MAX_FILE_BYTES)."
        )
    try:
        # Another file, a link or a pipe may have taken its name since.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise InputError(f"It cannot be read ({error.strerror}).") from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode) or _State.of(os.fstat(descriptor)) != state:
            return False
        while chunk := file.read(min(CHUNK_BYTES, state.bytes + 1)):
            part.write(chunk)
            if file.tell() > state.bytes:
                return False
        return _State.of(os.fstat(descriptor)) == state


def _refuse_own(folder: Path, home: Path) -> None:
    inner, outer = folder.resolve(), home.resolve()
    if inner == outer or outer in inner.parents or inner in outer.parents:
        raise InvalidConfiguration(
            f"[listen]: the watched folder {folder} and the station's home {home} lie in one another, and "
            "the station would take its own files; choose another folder."
        )
