"""Kept bytes in a bucket of an S3-compatible store, for stations on more than one machine.

Parts are written on the local disk first, as in a folder. Nothing asks for conditional writes, which not
every store has: what lies under a digest is the same, whoever wrote it last.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, S3Store

from camlucida.errors import DamagedBlob, NotAnswering, StoreError
from camlucida.settings import is_loopback, settings
from camlucida.store.blobs import GRACE, Blobs, Entry, Part, damaged, digest_of_file, missing, place

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

RANGE_BYTES = 16 * 2**20
"""A request reads so much at most, so that a large file does not run into the time limit of one request."""
LIMITS: "ClientConfig" = {"connect_timeout": "5s", "timeout": "60s"}
RETRIES: "RetryConfig" = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}


class Bucket(Blobs):
    """As `Blobs`; the folder holds what is being written, and copies of what was asked for as files.

    `cache_bytes` bounds the copies: those that were not asked for longest go first.
    """

    def __init__(self, folder: Path, url: str, cache_bytes: int | None = None) -> None:
        """Over `s3://bucket/prefix`; credentials, region and endpoint are in AWS's own variables.

        Raises
        ------
        StoreError
            The address or one of those variables cannot be used.
        """
        self._url = url
        super().__init__(folder)
        self._cache = folder / "cache"
        self._cache.mkdir(mode=0o700, exist_ok=True)
        self._cache_bytes = settings().blobs_cache_bytes if cache_bytes is None else cache_bytes

    def _open(self, folder: Path) -> ObjectStore:  # noqa: ARG002 - of a folder
        address = urlsplit(self._url)
        if address.scheme != "s3" or not address.netloc:
            raise StoreError(f"“{self._url}” is no address of kept files; it looks like s3://bucket/prefix.")
        endpoint = urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
        limits = LIMITS.copy()
        if is_loopback(endpoint.hostname or ""):  # elsewhere AWS_ALLOW_HTTP says so: patients' images
            limits["allow_http"] = True
        try:
            return S3Store(
                address.netloc,
                prefix=address.path.strip("/") or None,
                client_options=limits,
                retry_config=RETRIES,
            )
        except (BaseError, ValueError) as error:
            raise StoreError(
                f"CAMLUCIDA_BLOBS_URL={self._url} cannot be used ({type(error).__name__}); it is "
                "s3://bucket/prefix, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and "
                "AWS_ENDPOINT_URL of your store."
            ) from error

    def get(self, digest: str) -> bytes:
        """The bytes kept under this digest.

        Raises
        ------
        DamagedBlob
            It is missing, or its content is not what was kept.
        NotAnswering
            The store cannot be asked.
        """
        with self._asking(digest):
            content = obstore.get(self._store, place(digest)).bytes().to_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise damaged(digest)
        return content

    def path(self, digest: str) -> Path:
        """A checked copy on the local disk; open it soon, as it makes room for others.

        Raises
        ------
        DamagedBlob, NotAnswering
            As `get`.
        """
        copy = self._cache / digest
        with suppress(OSError):
            if digest_of_file(copy) == digest:
                os.utime(copy)
                return copy
        with self.begin() as part:
            self._read(digest, part)
            part.finish()
            part.path.replace(copy)
        self._make_room(copy)
        return copy

    def intact(self, digest: str) -> bool:
        """Whether the bytes are there and are what was kept; they are not held in memory.

        Raises
        ------
        NotAnswering
            The store cannot be asked.
        """
        try:
            self._read(digest)
        except DamagedBlob:
            return False
        return True

    def entries(self) -> Iterator[Entry]:
        """Every kept file, without looking into it.

        Raises
        ------
        NotAnswering
            The store cannot be asked.
        """
        with self._asking():
            yield from super().entries()

    def remove(self, digest: str, before: datetime | None = None) -> None:
        """Keep it no more, if it was last put `before`; one that is not there is none already."""
        with suppress(DamagedBlob), self._asking(digest):
            if before is None or obstore.head(self._store, place(digest))["last_modified"] < before:
                obstore.delete(self._store, place(digest))
        (self._cache / digest).unlink(missing_ok=True)

    def _known(self, digest: str) -> bool:
        """What was put lately: to put again costs as much as to look at it, and makes it young and whole."""
        try:
            with self._asking(digest):
                found = obstore.head(self._store, place(digest))
        except DamagedBlob:
            return False
        return found["last_modified"] > datetime.now(UTC) - GRACE / 2 and self.intact(digest)

    def _settle(self, part: Path, digest: str) -> None:
        try:
            with self._asking():
                obstore.put(self._store, place(digest), part)
        except FileNotFoundError as error:
            raise self._sentence() from error

    def _read(self, digest: str, part: Part | None = None) -> None:
        """Read all of it, piece by piece, into a part if there is one.

        Raises
        ------
        DamagedBlob, NotAnswering
            As `get`.
        """
        found = hashlib.sha256()
        with self._asking(digest):
            size = obstore.head(self._store, place(digest))["size"]
        for start in range(0, size, RANGE_BYTES):
            with self._asking(digest):
                end = min(start + RANGE_BYTES, size)
                piece = obstore.get_range(self._store, place(digest), start=start, end=end).to_bytes()
            found.update(piece)
            if part is not None:
                part.write(piece)
        if found.hexdigest() != digest:
            raise damaged(digest)

    @contextmanager
    def _asking(self, digest: str = "") -> Iterator[None]:
        """What the store says, in our words. A bucket that is gone says of each file that it is missing."""
        try:
            yield
        except FileNotFoundError as error:
            if not digest:
                raise self._sentence() from error
            with self._asking():
                next(iter(obstore.list(self._store, prefix="sha256/00", chunk_size=1)), None)
            raise missing(digest) from None
        except (BaseError, OSError) as error:
            raise self._sentence() from error

    def _sentence(self) -> StoreError:
        return NotAnswering(
            f"The store of kept files ({self._url}) does not answer or refuses us; check the network, the "
            "bucket, and AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY (and "
            "AWS_ALLOW_HTTP=true for an http:// address of your own network)."
        )

    def _make_room(self, newest: Path) -> None:
        """Remove copies until the others fit; an open one stays readable to who has it open."""
        found = [(path.stat(), path) for path in self._cache.iterdir() if path != newest]
        room = self._cache_bytes - newest.stat().st_size
        for state, path in sorted(found, key=lambda one: one[0].st_mtime, reverse=True):
            room -= state.st_size
            if room < 0:
                path.unlink(missing_ok=True)
