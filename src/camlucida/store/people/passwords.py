"""Passwords: kept as argon2id hashes (RFC 9106), and refused where a list of guesses would have them."""

import re
import secrets
from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from camlucida.errors import StoreError

if TYPE_CHECKING:
    from pwdlib import PasswordHash

SHORTEST, LONGEST = 12, 256
LEAST_OWN = 6

# What lists of leaked passwords are made of. A password may hold such words; without them, enough of its own
# must be left.
COMMON = (
    *("password", "passwort", "passphrase", "administrator", "superuser", "admin", "root", "user", "guest"),
    *("welcome", "willkommen", "letmein", "changeme", "default", "secret", "geheim", "login", "master"),
    *("qwertyuiop", "qwertzuiop", "qwerty", "qwertz", "azerty", "asdfghjkl", "asdfgh", "asdf", "zxcvbnm"),
    *("1qaz2wsx3edc4rfv", "1qaz2wsx", "q1w2e3r4t5", "q1w2e3r4", "abcdefghijkl", "abcdef", "abcd", "abc"),
    *("iloveyou", "sunshine", "princess", "dragon", "monkey", "football", "baseball", "superman", "batman"),
    *("trustno1", "whatever", "starwars", "summer", "winter", "spring", "autumn", "hello", "test"),
    *("camlucida", "radiology", "radiologie", "radiologist", "hospital", "klinikum", "dicom", "pacs", "xray"),
)
_LEET = str.maketrans("@4301!$5", "aaeoiiss")
_VERIFYING = BoundedSemaphore(2)  # each takes 64 MiB


def refuse_weak(password: str, name: str) -> None:
    """Refuse what is short, or mostly made of what everybody tries (NIST SP 800-63B 3.1.1.2).

    Raises
    ------
    StoreError
        It is; the sentence does not quote it.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise StoreError(
            f"A password has {SHORTEST} to {LONGEST} characters; this one has {len(password)}. A few words "
            "that do not belong together are easy to keep in mind."
        )
    if len(set(_own(password.casefold(), name))) < LEAST_OWN:
        raise StoreError(
            "This password is among the first that would be tried; choose a few words that do not belong "
            "together."
        )


def _own(password: str, name: str) -> str:
    """What is left of it without common words, the user's name, years, runs and repetitions."""
    words = sorted({*COMMON, name.casefold()} - {""}, key=len, reverse=True)
    pattern = "|".join(map(re.escape, words))
    shortest = min((re.sub(pattern, "", one) for one in (password, password.translate(_LEET))), key=len)
    without_runs = "".join(
        letter
        for before, letter in zip(" " + shortest, shortest, strict=False)
        if not _is_run(before, letter)
    )
    return re.sub(r"(19|20)\d\d", "", without_runs)


def _is_run(before: str, letter: str) -> bool:
    return abs(ord(letter) - ord(before)) <= 1


def hash_of(password: str) -> str:
    """What is kept of it: the argon2id hash, with its salt and parameters."""
    return _hasher().hash(password)


def is_right(password: str, kept: str | None) -> bool:
    """Whether it is the one whose hash is kept; None (there is no such user) takes as long."""
    with _VERIFYING:
        right = _hasher().verify(password[: LONGEST + 1], kept or _of_nobody())
    return right and kept is not None


@cache
def _hasher() -> "PasswordHash":
    from pwdlib import PasswordHash  # noqa: PLC0415 - needed only where somebody signs in by password
    from pwdlib.hashers.argon2 import Argon2Hasher  # noqa: PLC0415

    return PasswordHash((Argon2Hasher(),))


@cache
def _of_nobody() -> str:
    return hash_of(secrets.token_urlsafe())
