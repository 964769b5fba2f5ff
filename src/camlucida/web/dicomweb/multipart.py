"""multipart/related, written and read piece by piece (RFC 2387, RFC 2046 5.1, PS3.18 8.6.1.2).

The reader believes nothing: headers are bounded in length and number, a part's bytes are handed on as they
come, and nothing of what a part says of itself becomes a name of ours.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

LONGEST_BOUNDARY = 70  # RFC 2046 5.1.1
LONGEST_HEADERS = 8192  # bytes, of one part
LONGEST_PREAMBLE = 8192
LONGEST_LINE = 256  # behind a boundary
BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")


class Piece(NamedTuple):
    """A part to be written: its media type, other headers, its content and how long that is."""

    content_type: str
    location: str
    length: int
    content: Callable[[], Iterable[bytes]]


class Written(NamedTuple):
    """A message: its Content-Type, its length and its bytes."""

    content_type: str
    length: int
    content: Iterator[bytes]


def write(pieces: Sequence[Piece], part_type: str) -> Written:
    """A message of parts, which are asked for their content when their turn has come."""
    boundary = secrets.token_hex(16)
    heads = [_head(boundary, piece) for piece in pieces]
    end = f"\r\n--{boundary}--\r\n".encode()
    length = sum(map(len, heads)) + sum(piece.length for piece in pieces) + len(end)
    content_type = f'multipart/related; type="{part_type}"; boundary={boundary}'
    return Written(content_type, length, _content(heads, pieces, end))


def _head(boundary: str, piece: Piece) -> bytes:
    location = f"Content-Location: {piece.location}\r\n" if piece.location else ""
    return (
        f"\r\n--{boundary}\r\nContent-Type: {piece.content_type}\r\nContent-Length: {piece.length}\r\n"
        f"{location}\r\n"
    ).encode()


def _content(heads: Sequence[bytes], pieces: Sequence[Piece], end: bytes) -> Iterator[bytes]:
    for head, piece in zip(heads, pieces, strict=True):
        yield head
        yield from piece.content()
    yield end


class Malformed(Exception):  # noqa: N818 - a sentence for the client, made an answer by who reads
    """The message is not one of parts, or breaks the bounds."""


class Receiver(Protocol):
    """What is told of the parts, in order; what it raises ends the reading."""

    def begin(self, headers: dict[str, str]) -> None:
        """A part begins; header names are in lower case."""

    def content(self, content: bytes) -> None:
        """Some more of the part's bytes."""

    def end(self) -> None:
        """The part is whole."""


class Reader:
    """Finds the parts in a message that comes in pieces of any size.

    Raises
    ------
    Malformed
        From any method: the message breaks the rules or the bounds.
    """

    def __init__(self, boundary: str, receiver: Receiver) -> None:
        if len(boundary) > LONGEST_BOUNDARY or not BOUNDARY.fullmatch(boundary):
            raise Malformed(
                f"The boundary is missing, or not one of RFC 2046 (at most {LONGEST_BOUNDARY} letters)."
            )
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        self._receiver = receiver
        self._buffer = bytearray(b"\r\n")  # so that a first delimiter without a preamble is one, too
        self._step: Callable[[], bool] = self._preamble
        self._skipped = 0

    def feed(self, content: bytes) -> None:
        """Take the next bytes of the message."""
        self._buffer += content
        while self._step():
            pass

    def finish(self) -> None:
        """The message has ended."""
        if self._step != self._epilogue:
            raise Malformed("The message ends before its closing boundary.")

    def _preamble(self) -> bool:
        at = self._buffer.find(self._delimiter)
        dropped = max(0, len(self._buffer) - len(self._delimiter) + 1) if at < 0 else at
        self._skipped += dropped
        del self._buffer[:dropped]
        if self._skipped > LONGEST_PREAMBLE:
            raise Malformed(f"No part begins within the first {LONGEST_PREAMBLE} bytes.")
        return at >= 0 and self._go(self._after_delimiter)

    def _after_delimiter(self) -> bool:
        """Behind a delimiter stand "--" at the end of all parts, or blanks and the end of the line."""
        size = len(self._delimiter)
        line, found, _ = bytes(self._buffer[size : size + LONGEST_LINE]).partition(b"\r\n")
        if line.startswith(b"--"):
            return self._go(self._epilogue)
        if line.strip(b" \t\r" if found else b" \t\r-") or len(line) == LONGEST_LINE:
            raise Malformed("Something stands behind a boundary on its line.")
        if not found:
            return False
        del self._buffer[: size + len(line)]  # the end of the line stays: it is that of no headers, too
        return self._go(self._headers)

    def _headers(self) -> bool:
        at = self._buffer.find(b"\r\n\r\n")
        if at > LONGEST_HEADERS or (at < 0 and len(self._buffer) > LONGEST_HEADERS):
            raise Malformed(f"The headers of a part are longer than {LONGEST_HEADERS} bytes.")
        if at < 0:
            return False
        headers = dict(_header(line) for line in bytes(self._buffer[:at]).split(b"\r\n") if line)
        del self._buffer[: at + 2]
        self._receiver.begin(headers)
        return self._go(self._begin)

    def _begin(self) -> bool:
        """The empty line ends the headers; without content, it may be the beginning of the delimiter."""
        if len(self._buffer) < len(self._delimiter):
            return False
        if not self._buffer.startswith(self._delimiter):
            del self._buffer[:2]
        return self._go(self._part)

    def _part(self) -> bool:
        at = self._buffer.find(self._delimiter)
        end = max(0, len(self._buffer) - len(self._delimiter) + 1) if at < 0 else at
        if end:
            self._receiver.content(bytes(self._buffer[:end]))
            del self._buffer[:end]
        if at < 0:
            return False
        self._receiver.end()
        return self._go(self._after_delimiter)

    def _epilogue(self) -> bool:
        self._buffer.clear()
        return False

    def _go(self, step: Callable[[], bool]) -> bool:
        self._step = step
        return True


def _header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.decode("latin-1").partition(":")
    if not colon:
        raise Malformed("A header of a part has no colon.")
    return name.strip().casefold(), value.strip()
