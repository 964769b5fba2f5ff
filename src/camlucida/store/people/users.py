"""Users who sign in with a name and a password, and their roles."""

import re
from collections.abc import Iterable, Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from camlucida.errors import MustWait, StoreError
from camlucida.records.event import EventKind
from camlucida.records.role import Role
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.people import passwords, sign_in_tries
from camlucida.store.people.access_tokens import NOBODYS
from camlucida.store.tables import AccessTokenRow, UserRow, VisitRow

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


def add(home: Home, name: str, password: str, roles: Iterable[Role], by: str) -> None:
    """Add a user.

    Raises
    ------
    StoreError
        The name is taken or none, no role is given, or the password is weak.
    """
    refuse_name(name)
    passwords.refuse_weak(password, name)
    given = _some(roles)
    hashed = passwords.hash_of(password)
    with home.database.write() as session:
        if session.scalar(select(UserRow.id).where(UserRow.name == name)) is not None:
            raise StoreError(f"There is a user “{name}” already; `camlucida users list` lists them.")
        if session.scalar(select(AccessTokenRow.name).where(AccessTokenRow.name == name)) is not None:
            raise StoreError(
                f"An access token is called “{name}”; the audit trail could not tell them apart."
            )
        session.add(UserRow(name=name, password=hashed, roles=given))
        _note(session, by, name, "added", given)


def refuse_name(name: str) -> None:
    """Refuse what could not be told from others in the audit trail.

    Raises
    ------
    StoreError
        It is no name.
    """
    if not NAME.fullmatch(name) or name in NOBODYS:
        raise StoreError(
            f"“{name}” cannot be a user's name: 1 to 64 small letters, digits and . _ @ -, the first a "
            f"letter or a digit, and none of {', '.join(sorted(NOBODYS))}."
        )


def sign_in(home: Home, name: str, password: str, address: str) -> int | None:
    """The number of the user, if the password is right and the user not disabled.

    It takes as long whether there is such a user or not.

    Raises
    ------
    MustWait
        Too many tries with this name or from this address have failed.
    """
    wait = sign_in_tries.begin(home, name, address)
    if wait:
        raise MustWait(int(wait.total_seconds()) + 1)
    with home.database.read() as session:
        row = session.scalar(select(UserRow).where(UserRow.name == name))
    right = passwords.is_right(password, row.password if row else None)
    with home.database.write() as session:
        if row is None or not right or row.disabled:
            who, why = (row.name, "disabled" if right else "password") if row else ("unknown", "name")
            events.note(session, EventKind.SIGN_IN_REFUSED, who, {"why": why})
            return None
        sign_in_tries.succeeded(session, name, address)
    return row.id


def all_users(home: Home) -> Sequence[UserRow]:
    """Every user, by name."""
    with home.database.read() as session:
        return session.scalars(select(UserRow).order_by(UserRow.name)).all()


def any_may_sign_in(home: Home) -> bool:
    """Whether there is a user who is not disabled."""
    with home.database.read() as session:
        return bool(session.scalar(select(func.count(UserRow.id)).where(~UserRow.disabled)))


def set_roles(home: Home, name: str, roles: Iterable[Role], by: str) -> None:
    """Give a user other roles, at once.

    Raises
    ------
    StoreError
        There is no such user, or no role is given.
    """
    given = _some(roles)
    with home.database.write() as session:
        _find(session, name).roles = given
        _note(session, by, name, "roles", given)


def set_password(home: Home, name: str, password: str, by: str) -> None:
    """Give a user another password; who is signed in with the old one is not any more.

    Raises
    ------
    StoreError
        There is no such user, or the password is weak.
    """
    passwords.refuse_weak(password, name)
    hashed = passwords.hash_of(password)
    with home.database.write() as session:
        row = _find(session, name)
        row.password = hashed
        _end_visits(session, row)
        _note(session, by, name, "password", row.roles)


def set_disabled(home: Home, name: str, *, disabled: bool, by: str) -> int:
    """Let a user sign in no more, or again; how many browsers were signed out by it.

    Raises
    ------
    StoreError
        There is no such user.
    """
    with home.database.write() as session:
        row = _find(session, name)
        row.disabled = disabled
        _note(session, by, name, "disabled" if disabled else "enabled", row.roles)
        return _end_visits(session, row) if disabled else 0


def _some(roles: Iterable[Role]) -> list[str]:
    given = [role.value for role in Role if role in set(roles)]
    if not given:
        raise StoreError(f"A user has at least one role: {', '.join(Role)}.")
    return given


def _find(session: Session, name: str) -> UserRow:
    row = session.scalar(select(UserRow).where(UserRow.name == name))
    if row is None:
        raise StoreError(f"There is no user “{name}”; `camlucida users list` lists them.")
    return row


def _end_visits(session: Session, row: UserRow) -> int:
    ended = session.scalars(delete(VisitRow).where(VisitRow.user_id == row.id).returning(VisitRow.sha256))
    return len(ended.all())


def _note(session: Session, by: str, name: str, what: str, roles: Sequence[str]) -> None:
    events.note(session, EventKind.USER_CHANGED, by, {"user": name, "what": what, "roles": " ".join(roles)})
