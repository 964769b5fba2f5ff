"""What stands in place of an identity: by a secret key the same for the same thing, and no way back."""

import hashlib
import hmac
import os
import secrets
from base64 import b32encode
from dataclasses import dataclass, field
from pathlib import Path

from camlucida.errors import InputError

KEY_BYTES = 32
LONGEST_SHIFT = 3650  # days: about ten years, always into the past


@dataclass(frozen=True, slots=True)
class Key:
    """A secret from which all replacements follow; whoever has it can test a guess of an identity."""

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)

    def uid(self, uid: str) -> str:
        """The UID in place of `uid`: `2.25.` and a UUID of version 8 as a number (PS3.5 B.2, RFC 9562)."""
        number = int.from_bytes(self._digest("uid", uid)[:16], "big")
        number = number & ~(0xF << 76) | 0x8 << 76
        return f"2.25.{number & ~(0x3 << 62) | 0x2 << 62}"

    def patient(self, identity: str) -> str:
        """The Patient ID and name in place of a patient's."""
        return "P" + b32encode(self._digest("patient", identity)[:10]).decode()

    def days(self, identity: str) -> int:
        """By how many days all dates of a patient are moved: from 1 to ten years."""
        return 1 + int.from_bytes(self._digest("days", identity)[:8], "big") % LONGEST_SHIFT

    def _digest(self, *words: str) -> bytes:
        return hmac.digest(self.secret, "\0".join(words).encode("utf-8", "surrogatepass"), hashlib.sha256)


def read_key(path: Path) -> Key:
    """The key of a file, which is made, readable by its owner only, where there is none.

    Raises
    ------
    InputError
        The file is no key, or others may read it.
    """
    if not path.exists():
        _make_key(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise InputError(f"{path}: others may read this key; `chmod 600` it, or name a new file.")
    try:
        secret = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise InputError(f"{path}: this is no key ({2 * KEY_BYTES} hexadecimal digits); name a new file.")
    return Key(secret)


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
