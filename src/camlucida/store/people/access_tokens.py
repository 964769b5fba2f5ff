"""Tokens with which programs use the station: a DICOMweb client, a PACS, OHIF.

Only the SHA-256 of a token is kept, so who reads the database cannot use it; and it is looked up by that
digest, so the time of a look-up says nothing of the token.
"""

import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, select, update

from camlucida.errors import StoreError
from camlucida.records.event import EventKind
from camlucida.records.role import Role
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import AccessTokenRow, UserRow, now

if TYPE_CHECKING:
    from camlucida.records.flag import ViewState

LONGEST_NAME = 64
NOBODYS = frozenset({"browser", events.STATION, "unknown"})
"""What the audit trail calls others."""
USED_EVERY = timedelta(minutes=1)  # a write a minute tells when a token was last used; one a request costs


class Access(NamedTuple):
    """Who asks, by the name of the token, and as what."""

    name: str
    roles: frozenset[Role]


def add(
    home: Home,
    name: str,
    roles: Iterable[Role] = (Role.READER,),
    *,
    days: float | None = None,
    by: str | None = None,
) -> str:
    """A new token, which is told once and never again; `by` is who adds it, otherwise the `operator()`.

    Raises
    ------
    StoreError
        There is a token or a user of this name, the name is none, or no role is given.
    """
    given = [role.value for role in Role if role in set(roles)]
    if not given:
        raise StoreError(f"A token has at least one role: {', '.join(Role)}.")
    if not (name.isprintable() and 0 < len(name.strip()) == len(name) <= LONGEST_NAME):
        raise StoreError(
            f"A token's name has 1 to {LONGEST_NAME} printable characters, no blank at its ends."
        )
    token = secrets.token_urlsafe(32)
    expires = None if days is None else now() + timedelta(days=days)
    with home.database.write() as session:
        if session.scalar(select(AccessTokenRow).where(AccessTokenRow.name == name)) is not None:
            raise StoreError(
                f"There is a token “{name}” already; revoke it with `camlucida tokens revoke`, or choose "
                "another name."
            )
        if session.scalar(select(UserRow.id).where(UserRow.name == name)) is not None or name in NOBODYS:
            raise StoreError(f"Somebody else is called “{name}”; the audit trail could not tell them apart.")
        session.add(AccessTokenRow(sha256=_sha256(token), name=name, roles=given, expires=expires))
        said: ViewState = {"token": name, "what": "added", "roles": " ".join(given)}
        events.note(session, EventKind.TOKEN_CHANGED, by or events.operator(), said)
    return token


def find(home: Home, token: str) -> Access | None:
    """What a token allows; None if there is none, or it has expired or was revoked."""
    moment = now()
    with home.database.read() as session:
        row = session.get(AccessTokenRow, _sha256(token))
        if row is None or (row.expires is not None and row.expires <= moment):
            return None
        access, used = Access(row.name, frozenset(map(Role, row.roles))), row.used
    if used is None or not timedelta() <= moment - used < USED_EVERY:
        with home.database.write() as session:
            session.execute(
                update(AccessTokenRow).where(AccessTokenRow.sha256 == _sha256(token)).values(used=moment)
            )
    return access


def all_tokens(home: Home) -> Sequence[AccessTokenRow]:
    """Every token, by name; the token itself is not in it."""
    with home.database.read() as session:
        return session.scalars(select(AccessTokenRow).order_by(AccessTokenRow.name)).all()


def revoke(home: Home, name: str, by: str | None = None) -> None:
    """End a token at once; `by` is who does it, otherwise the `operator()`.

    Raises
    ------
    StoreError
        There is none of this name.
    """
    with home.database.write() as session:
        gone = session.scalar(
            delete(AccessTokenRow).where(AccessTokenRow.name == name).returning(AccessTokenRow.name)
        )
        if gone is None:
            raise StoreError(f"There is no token “{name}”; `camlucida tokens list` lists them.")
        said: ViewState = {"token": name, "what": "revoked"}
        events.note(session, EventKind.TOKEN_CHANGED, by or events.operator(), said)


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
