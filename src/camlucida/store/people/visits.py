"""Signed-in browsers: who, with what roles, until when.

Of the one-time token and of the cookie only the SHA-256 is kept, so who reads the database cannot sign in
with it.
"""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session, joinedload

from camlucida.errors import StoreError
from camlucida.records.event import EventKind
from camlucida.records.role import Role
from camlucida.settings import settings
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import TokenRow, UserRow, VisitRow, now

BROWSER = "browser"
"""The holder of a one-time link, who has no other name."""

# Asked before each request: made once.
_OF_COOKIE = (
    select(VisitRow.user_id, UserRow.name, UserRow.roles, UserRow.disabled)
    .outerjoin(UserRow, UserRow.id == VisitRow.user_id)
    .where(VisitRow.sha256 == bindparam("sha256"), VisitRow.expires > bindparam("moment"))
)


class Signed(NamedTuple):
    """Who is signed in."""

    name: str
    roles: frozenset[Role]


def new_token(home: Home) -> str:
    """A token that signs in once, as admin; earlier unused ones are withdrawn."""
    token = secrets.token_urlsafe(32)
    with home.database.write() as session:
        session.execute(delete(TokenRow).where(TokenRow.used.is_(None)))
        session.add(TokenRow(sha256=sha256(token), expires=now() + lifetime()))
    return token


def use_token(home: Home, token: str) -> str | None:
    """What the cookie shall say, if the token is one that has not been used and has not expired."""
    with home.database.write() as session:
        used = session.scalar(
            update(TokenRow)
            .where(TokenRow.sha256 == sha256(token), TokenRow.used.is_(None), TokenRow.expires > now())
            .values(used=now())
            .returning(TokenRow.sha256)
        )
        if used is None:
            events.note(session, EventKind.SIGN_IN_REFUSED, "unknown", {"why": "link"})
            return None
        return _begin(session, BROWSER, None)


def begin(home: Home, user_id: int) -> str | None:
    """What the cookie of a user shall say; None: the user was disabled at this moment."""
    with home.database.write() as session:
        row = session.get(UserRow, user_id)
        return None if row is None or row.disabled else _begin(session, row.name, row.id)


def _begin(session: Session, who: str, user_id: int | None) -> str:
    cookie = secrets.token_urlsafe(32)
    session.execute(delete(VisitRow).where(VisitRow.expires <= now()))
    session.add(VisitRow(sha256=sha256(cookie), user_id=user_id, expires=now() + lifetime()))
    events.note(session, EventKind.SIGNED_IN, who, {"by": "password" if user_id else "link"})
    return cookie


def find(home: Home, cookie: str | None) -> Signed | None:
    """Who a cookie belongs to, if the visit has not expired; roles are those of this moment."""
    if not cookie:
        return None
    with home.database.read() as session:
        found = session.execute(_OF_COOKIE, {"sha256": sha256(cookie), "moment": now()}).first()
    if found is None or found.disabled:
        return None
    if found.user_id is None:
        return Signed(BROWSER, frozenset({Role.ADMIN}))
    return Signed(found.name, frozenset(map(Role, found.roles)))


def end(home: Home, cookie: str | None) -> None:
    """Sign a browser out; what is no cookie of ours is let be."""
    signed = find(home, cookie)
    if signed is None:
        return
    with home.database.write() as session:
        session.execute(delete(VisitRow).where(VisitRow.sha256 == sha256(str(cookie))))
        events.note(session, EventKind.SIGNED_OUT, signed.name)


def all_visits(home: Home) -> Sequence[VisitRow]:
    """Every browser that is signed in, the latest first, with its user."""
    with home.database.read() as session:
        wanted = select(VisitRow).options(joinedload(VisitRow.user)).where(VisitRow.expires > now())
        return session.scalars(wanted.order_by(VisitRow.created.desc())).all()


def end_all(home: Home, by: str, name: str | None = None) -> int:
    """Sign out every browser, or those of one user (`browser`: of one-time links); how many there were.

    Raises
    ------
    StoreError
        There is no such user: who is meant would stay signed in.
    """
    with home.database.write() as session:
        if name not in {None, BROWSER}:
            _refuse_unknown(session, str(name))
        gone = delete(VisitRow)
        if name == BROWSER:
            gone = gone.where(VisitRow.user_id.is_(None))
        elif name is not None:
            gone = gone.where(VisitRow.user_id.in_(select(UserRow.id).where(UserRow.name == name)))
        number = len(session.scalars(gone.returning(VisitRow.sha256)).all())
        events.note(session, EventKind.SIGNED_OUT, by, {"user": name or "all", "number": number})
    return number


def _refuse_unknown(session: Session, name: str) -> None:
    if session.scalar(select(UserRow.id).where(UserRow.name == name)) is None:
        raise StoreError(f"There is no user “{name}”; `camlucida users list` lists them.")


def lifetime() -> timedelta:
    """How long a link waits, and how long a visit lasts."""
    return timedelta(hours=settings().session_hours)


def sha256(secret: str) -> str:
    """SHA-256 in hexadecimal; enough without salt, as the secrets have 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
