"""Kept bytes under the SHA-256 of their content: `sha256/ab/abcd…`.

Writing is atomic (a temporary file that is renamed) and harmless when repeated; every read is checked
against the digest, so a damaged disk is told and never shown.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore

from camlucida.errors import DamagedBlob, StoreError

DIGEST_LENGTH = 64


class Blobs:
    """A folder of content-addressed files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # images of patients: for the owner only
        self._store = LocalStore(folder)

    def put(self, content: bytes) -> str:
        """Keep these bytes; the digest under which they can be had again.

        Raises
        ------
        StoreError
            They could not be written.
        """
        return self._put(hashlib.sha256(content).hexdigest(), content)

    def put_file(self, path: Path) -> str:
        """As `put`, a copy of a file, without holding it in memory."""
        return self._put(digest_of_file(path), path)

    def _put(self, digest: str, content: bytes | Path) -> str:
        try:
            obstore.put(self._store, place(digest), content)
        except (BaseError, OSError) as error:
            raise StoreError(
                f"{digest[:12]}… could not be written to the home folder; is the disk full?"
            ) from error
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes kept under this digest.

        Raises
        ------
        DamagedBlob
            The file is missing, or its content is not what was kept.
        """
        try:
            content = obstore.get(self._store, place(digest)).bytes().to_bytes()
        except FileNotFoundError:
            raise DamagedBlob(f"The kept file {digest[:12]}… is missing; {CURE}") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamagedBlob(f"The kept file {digest[:12]}… is damaged; {CURE}")
        return content

    def intact(self, digest: str) -> bool:
        """Whether the bytes are there and are what was kept."""
        try:
            self.get(digest)
        except DamagedBlob:
            return False
        return True

    def sizes(self) -> Iterator[tuple[str, int]]:
        """Digest and bytes of every kept file."""
        for batch in obstore.list(self._store, prefix="sha256"):
            for entry in batch:
                name = entry["path"].rpartition("/")[2]
                if len(name) == DIGEST_LENGTH:  # not the temporary file of a write that was cut off
                    yield name, entry["size"]


CURE = (
    "import the study again, and `camlucida import` without files computes explanations again. "
    "If this comes back, check the disk."
)


def place(digest: str) -> str:
    """Where a blob lies below the blobs' folder."""
    return f"sha256/{digest[:2]}/{digest}"


def digest_of_file(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
