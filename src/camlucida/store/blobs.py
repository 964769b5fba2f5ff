"""Kept bytes under the SHA-256 of their content: `sha256/ab/abcd…`, in a folder or (`bucket`) in S3.

Writing is atomic (a part file that is renamed), harmless when repeated, and on the disk when it returns, a
power cut included; every read is checked against the digest, so a damaged disk is told and never shown.
"""

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import obstore
from obstore.store import LocalStore, ObjectStore

from camlucida.errors import DamagedBlob, DiskFull, StoreError

DIGEST_LENGTH = 64
CHUNK_BYTES = 1 << 20
GRACE = timedelta(days=1)
"""So long after it was last put, a file is kept although no row names it: the row may be about to come."""
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Part:
    """A file that is being written beside the blobs; it is gone in the end unless it was kept.

    It is locked while it is open: what a process that was killed has left can be told from what another one
    is writing now.
    """

    def __init__(self, folder: Path) -> None:
        self.path, descriptor = _new_file(folder)
        self._file = os.fdopen(descriptor, "wb")

    def write(self, content: bytes) -> None:
        """Append.

        Raises
        ------
        StoreError
            It could not be written; DiskFull if there is no room.
        """
        try:
            self._file.write(content)
        except OSError as error:
            raise _sentence(error) from error

    def finish(self, *, durable: bool = False) -> None:
        """Let other readers see what was written; `durable`: the disk, too.

        Raises
        ------
        StoreError
            As `write`.
        """
        try:
            self._file.flush()
            if durable:
                os.fsync(self._file.fileno())
        except OSError as error:
            raise _sentence(error) from error

    def discard(self) -> None:
        """Close it, and remove what was not kept; once more is harmless."""
        self.path.unlink(missing_ok=True)
        with suppress(OSError):  # what is still in the buffer may find no room: it is not wanted any more
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


class Entry(NamedTuple):
    """A kept file, as a listing tells of it."""

    digest: str
    bytes: int
    put: datetime  # last


class Blobs:
    """A folder of content-addressed files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # images of patients: for the owner only
        self._folder = folder
        self._parts = folder / "parts"
        self._parts.mkdir(mode=0o700, exist_ok=True)
        _sweep(self._parts)
        self._named = set[Path]()
        self._store = self._open(folder)

    def _open(self, folder: Path) -> ObjectStore:
        return LocalStore(folder)

    def begin(self) -> Part:
        """A file to be written piece by piece, on the file system of the blobs.

        Raises
        ------
        StoreError
            It could not be made; DiskFull if there is no room.
        """
        try:
            return Part(self._parts)
        except OSError as error:
            raise _sentence(error) from error

    def put(self, content: bytes) -> str:
        """Keep these bytes; the digest under which they can be had again.

        Raises
        ------
        StoreError
            They could not be written; DiskFull if there is no room.
        """
        digest = hashlib.sha256(content).hexdigest()
        if self._known(digest):
            return digest
        with self.begin() as part:
            part.write(content)
            return self.keep(part, digest)

    def put_file(self, path: Path, digest: str = "") -> str:
        """As `put`, a copy of a file, without holding it in memory; `digest`, if it is known already."""
        digest = digest or digest_of_file(path)
        if self._known(digest):
            return digest
        with self.begin() as part, path.open("rb") as file:
            found = hashlib.sha256()
            while chunk := file.read(CHUNK_BYTES):
                part.write(chunk)
                found.update(chunk)
            if found.hexdigest() != digest:
                raise StoreError("A file changed while it was being kept; give it again.")
            return self.keep(part, digest)

    def keep(self, part: Part, digest: str = "") -> str:
        """As `put`, a part itself: nothing is copied, and the part is gone.

        Raises
        ------
        StoreError
            It could not be written; DiskFull if there is no room.
        """
        part.finish()
        digest = digest or digest_of_file(part.path)
        if not self._known(digest):
            part.finish(durable=True)  # before it gets its name: a power cut leaves no half blob under it
            self._settle(part.path, digest)
        part.discard()
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes kept under this digest.

        Raises
        ------
        DamagedBlob
            The file is missing, or its content is not what was kept.
        """
        try:
            content = (self._folder / place(digest)).read_bytes()  # in this thread: nothing to wait for
        except FileNotFoundError:
            raise missing(digest) from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise damaged(digest)
        return content

    def path(self, digest: str) -> Path:
        """Where the bytes lie, for what reads a large file piece by piece.

        They are looked at the first time, and again whenever the file has changed since.

        Raises
        ------
        DamagedBlob
            The file is missing, or its content is not what was kept.
        """
        path = self._folder / place(digest)
        try:
            state = path.stat()
            intact = _digest_when(path, state.st_ino, state.st_mtime_ns, state.st_size) == digest
        except OSError:
            intact = False
        if not intact:
            raise damaged(digest) if path.exists() else missing(digest)
        return path

    def intact(self, digest: str) -> bool:
        """Whether the bytes are there and are what was kept; they are not held in memory."""
        try:
            return digest_of_file(self._folder / place(digest)) == digest
        except OSError:
            return False

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Digest and bytes of every kept file."""
        return ((entry.digest, entry.bytes) for entry in self.entries())

    def entries(self) -> Iterator[Entry]:
        """Every kept file, without looking into it."""
        for batch in obstore.list(self._store, prefix="sha256"):
            for entry in batch:
                name = entry["path"].rpartition("/")[2]
                if len(name) == DIGEST_LENGTH:  # not the temporary file of a write that was cut off
                    yield Entry(name, entry["size"], entry["last_modified"])

    def remove(self, digest: str, before: datetime | None = None) -> None:
        """Keep it no more, if it was last put `before`; one that is not there is none already.

        Raises
        ------
        StoreError
            It could not be removed.
        """
        path = self._folder / place(digest)
        try:
            if before is None or path.stat().st_mtime < before.timestamp():
                path.unlink()
        except FileNotFoundError:
            return
        except OSError as error:
            raise _sentence(error) from error

    def _known(self, digest: str) -> bool:
        """Whether it need not be written; its name, too, is on the disk then, and it counts as put now."""
        path = self._folder / place(digest)
        try:
            os.utime(path)  # before it is read: whoever removes what is old has seen that, or we see the gap
        except OSError:
            return False
        if not self.intact(digest) or not path.exists():
            return False
        self._sync(path.parent)  # whoever wrote it may have been killed before this
        return True

    def _settle(self, part: Path, digest: str) -> None:
        """Give a written part its name."""
        goal = self._folder / place(digest)
        try:
            goal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.replace(goal)
        except OSError as error:
            raise _sentence(error) from error
        self._sync(goal.parent)

    def _sync(self, folder: Path) -> None:
        """A file's name is on the disk when its folder is; that folder's own name is looked after once."""
        _sync(folder)
        if folder not in self._named:
            _sync(folder.parent)
            _sync(self._folder)
            self._named.add(folder)


CURE = (
    "import the study again, and `camlucida import` without files computes explanations again. "
    "If this comes back, check the disk."
)


def missing(digest: str) -> DamagedBlob:
    """What to tell of a kept file that is not there."""
    return DamagedBlob(f"The kept file {digest[:12]}… is missing; {CURE}", digest)


def damaged(digest: str) -> DamagedBlob:
    """What to tell of a kept file with another content than was kept."""
    return DamagedBlob(f"The kept file {digest[:12]}… is damaged; {CURE}", digest)


def place(digest: str) -> str:
    """Where a blob lies below the blobs' folder."""
    return f"sha256/{digest[:2]}/{digest}"


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=4096)
def _digest_when(path: Path, *state: int) -> str:  # noqa: ARG001 - in another state, it is looked at again
    return digest_of_file(path)


def _sentence(error: OSError) -> StoreError:
    if error.errno in NO_ROOM:
        return DiskFull()
    return StoreError(
        f"The home folder cannot be written to ({error.strerror or type(error).__name__}); check the disk."
    )


def _new_file(folder: Path) -> tuple[Path, int]:
    """A locked new file. Another process's sweep may come between making and locking: then once more."""
    while True:
        path = folder / secrets.token_hex(16)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)


def _sweep(folder: Path) -> None:
    """Remove what killed processes have left."""
    for path in folder.iterdir():
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
        except OSError:  # being written, kept or removed at this moment
            continue


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
