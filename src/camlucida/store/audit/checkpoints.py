"""Signed checkpoints of the audit trail: what it was at a moment, in a form that others check.

A checkpoint is a text of four lines (C2SP tlog-checkpoint): whose trail it is, how many events it has, the
root of their hash tree in base64, and the time. It is signed by Ed25519 as a signed note (C2SP signed-note),
with which Go's checksum database and Certificate Transparency's logs are signed, too. Whoever has kept one
elsewhere can tell later that nothing before it was changed, whatever became of the database.
"""

import base64
import hashlib
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from camlucida.errors import StoreError
from camlucida.settings import settings
from camlucida.store.audit import events, hash_tree
from camlucida.store.home import Home
from camlucida.store.tables import AuditKeyRow, CheckpointRow, EventRow, now

KEY_FILE = "audit.key"
ED25519 = b"\x01"  # signed-note's number of the algorithm
KEY_ID_BYTES = 4
SIGNATURE = "\N{EM DASH} "
MOST_CHARACTERS = 10_000


class Key(NamedTuple):
    """A public key that signs checkpoints."""

    name: str  # whose trail
    public: bytes

    @property
    def id(self) -> bytes:
        """What a signature line begins with."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:KEY_ID_BYTES]

    @property
    def verifier(self) -> str:
        """The key in one line, as it is handed on."""
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def read(cls, verifier: str) -> "Key":
        """The key that `verifier` wrote.

        Raises
        ------
        StoreError
            The text is none.
        """
        try:
            name, number, encoded = verifier.strip().split("+", 2)  # base64 has pluses, too
            key = cls(name, base64.b64decode(encoded, validate=True)[1:])
            Ed25519PublicKey.from_public_bytes(key.public)
            if key.id.hex() == number:
                return key
        except ValueError:
            pass
        raise StoreError(
            "This is no public key of an audit trail; `camlucida audit checkpoint --key` prints it as "
            "`camlucida/…+…+…`."
        )


class Checkpoint(NamedTuple):
    """What a signed text says, and by which keys it could be signed."""

    name: str
    size: int
    root: bytes
    time: str  # ISO 8601, in UTC
    body: bytes  # what is signed
    signatures: tuple[tuple[bytes, bytes], ...]  # key id and signature

    def is_signed_by(self, key: Key) -> bool:
        """Whether one of the signatures is by this key."""
        public = Ed25519PublicKey.from_public_bytes(key.public)
        return any(
            number == key.id and _verifies(public, signature, self.body)
            for number, signature in self.signatures
        )


def _verifies(public: Ed25519PublicKey, signature: bytes, body: bytes) -> bool:
    try:
        public.verify(signature, body)
    except InvalidSignature:
        return False
    return True


def read(note: str) -> Checkpoint:
    """What a signed text says; its signatures are not checked.

    Raises
    ------
    StoreError
        It is no checkpoint.
    """
    body, blank, lines = note[:MOST_CHARACTERS].partition("\n\n")
    try:
        name, size, root, *others = body.split("\n")
        time = next(line.removeprefix("time ") for line in others if line.startswith("time "))
        signatures = [base64.b64decode(line.rsplit(" ", 1)[1], validate=True) for line in lines.splitlines()]
        made = Checkpoint(
            name,
            int(size),
            base64.b64decode(root, validate=True),
            time,
            (body + "\n").encode(),
            tuple((one[:KEY_ID_BYTES], one[KEY_ID_BYTES:]) for one in signatures),
        )
    except (ValueError, IndexError, StopIteration):
        made = None
    if made is None or not blank or made.size < 0 or len(made.root) != hash_tree.HASH_BYTES:
        raise StoreError(
            "This is no checkpoint of an audit trail: four lines, an empty one, and signatures; "
            "`camlucida audit checkpoint --to FILE` writes one."
        )
    return made


def make(home: Home, *, rotate: bool = False) -> str:
    """Sign what the trail is now, and keep the checkpoint; its text.

    The key is made at first need, in a file of the home for its owner only. `rotate`: make a new key, by
    which later checkpoints are signed; this one is signed by both, so that who trusts the old one can trust
    the new one. The old one is gone then, and nobody can sign with it any more.

    Raises
    ------
    StoreError
        The trail is signed by a key that this home does not have.
    """
    place = key_file(home)
    later = place.with_name(f"{place.name}.new")
    with home.database.write() as session:
        known = keys(session)
        signers = [_private(place, known) or _made(place)]
        if rotate:
            signers.append(_made(later))
        name = known[0].name if known else _new_name(signers[0])
        for one in signers:
            _know(session, _key(name, one), known)
        text = _sign(_body(session, name), name, signers)
        session.add(CheckpointRow(size=events.count(session), note=text))
    if rotate:  # after the new key is known: whatever stops this, the key in place is one that is trusted
        later.replace(place)
    return text


def keep_up(home: Home, *, least_events: int = 1000, longest: timedelta = timedelta(minutes=10)) -> bool:
    """Make a checkpoint when so many events, or any for so long, are in none; whether one was made."""
    with home.database.read() as session:
        size = events.count(session)
        signed = session.scalar(select(func.max(CheckpointRow.size))) or 0
        oldest = session.scalar(select(EventRow.received).where(EventRow.id == signed + 1))
        known = keys(session)
    if size <= signed or oldest is None or not _is_mine(key_file(home), known):
        return False
    if size - signed < least_events and abs(now() - oldest) < longest:
        return False
    make(home)
    return True


def keys(session: Session) -> list[Key]:
    """The keys by which this trail is, or was, signed, the first one first."""
    return [Key.read(one) for one in session.scalars(select(AuditKeyRow.verifier).order_by(AuditKeyRow.id))]


def own_key(home: Home, name: str) -> Key | None:
    """The key by which this home signs the trail of this name; None: it has none."""
    place = key_file(home)
    return _key(name, _read(place)) if place.is_file() else None


def trusted(anchor: Key, known: Iterable[Key], notes: Sequence[Checkpoint]) -> Mapping[bytes, Key]:
    """Keys that can be trusted if `anchor` can, by their ids: a checkpoint is signed by it and by them."""
    found = {anchor.id: anchor}
    candidates = {key.id: key for key in known}
    grown = True
    while grown:
        grown = False
        for note in notes:
            named = {number for number, _ in note.signatures}
            others = [candidates[number] for number in named - found.keys() if number in candidates]
            if not others or not any(note.is_signed_by(found[one]) for one in named & found.keys()):
                continue
            fresh = {key.id: key for key in others if note.is_signed_by(key)}
            found |= fresh
            grown |= bool(fresh)
    return found


def key_file(home: Home) -> Path:
    """Where the private key lies."""
    return settings().audit_key or home.folder / KEY_FILE


def _private(place: Path, known: Sequence[Key]) -> Ed25519PrivateKey | None:
    """The private key; None where there is none yet."""
    if place.is_file():
        return _read(place)
    if known:
        raise StoreError(
            f"The audit trail is signed by a key that is not here: put {KEY_FILE} of the station that signs "
            f"it to {place}, or set CAMLUCIDA_AUDIT_KEY."
        )
    return None


def _is_mine(place: Path, known: Sequence[Key]) -> bool:
    """Whether this process may sign: it has the key, or nobody has one yet."""
    return place.is_file() or not known


def _new_name(first: Ed25519PrivateKey) -> str:
    return f"camlucida/{hashlib.sha256(_public(first)).hexdigest()[:16]}"


def _key(name: str, private: Ed25519PrivateKey) -> Key:
    return Key(name, _public(private))


def _public(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


def _know(session: Session, key: Key, known: Sequence[Key]) -> None:
    if key not in known:
        session.add(AuditKeyRow(verifier=key.verifier))


def _body(session: Session, name: str) -> str:
    size = events.count(session)
    root = hash_tree.root(size, lambda level, index: events.node(session, level, index))
    moment = now().isoformat(timespec="microseconds")
    return f"{name}\n{size}\n{base64.b64encode(root).decode()}\ntime {moment}\n"


def _sign(body: str, name: str, signers: Sequence[Ed25519PrivateKey]) -> str:
    lines = [
        f"{SIGNATURE}{name} {base64.b64encode(_key(name, one).id + one.sign(body.encode())).decode()}\n"
        for one in signers
    ]
    return f"{body}\n{''.join(lines)}"


def _read(place: Path) -> Ed25519PrivateKey:
    try:
        private = serialization.load_pem_private_key(place.read_bytes(), None)
    except (ValueError, TypeError, OSError) as error:
        raise StoreError(
            f"{place} cannot be read as a private key ({type(error).__name__}); put back a copy of it."
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise StoreError(f"{place} holds another kind of key than Ed25519; put back a copy of the file.")
    return private


def _made(place: Path) -> Ed25519PrivateKey:
    """A new key in a file for the owner only, whole or not at all."""
    private = Ed25519PrivateKey.generate()
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:  # mode 0600
        file.write(
            private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(place)
    return private
