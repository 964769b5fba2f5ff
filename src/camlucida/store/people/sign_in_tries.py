"""Guessing passwords is made slow: after failed tries, a name and an address have to wait longer and longer.

Names that are nobody's wait as others do, so waiting tells nothing. Of name and address only a digest is
kept: what was typed as a name may be a password.
"""

import hashlib
import ipaddress
from datetime import timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session

from camlucida.store.home import Home
from camlucida.store.tables import SignInTryRow, now

FREE = {"name": 5, "address": 25}  # tries before the first wait
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)


def begin(home: Home, name: str, address: str) -> timedelta:
    """Count a try as failed until `succeeded` says otherwise; how long it has to wait first, if it has to.

    It is counted before the password is looked at, so that tries at the same moment count, too. One that has
    to wait is not counted: it is not looked at.
    """
    with home.database.write() as session:
        session.execute(delete(SignInTryRow).where(SignInTryRow.latest < now() - FORGOTTEN_AFTER))
        keys = _keys(name, address)
        wait = max(_wait(session, kind, key) for kind, key in keys.items())
        if wait <= timedelta():
            for key in keys.values():
                _count(session, key)
    return max(wait, timedelta())


def succeeded(session: Session, name: str, address: str) -> None:
    """The name begins anew. The address has this try back only: who has one password guesses no other."""
    keys = _keys(name, address)
    session.execute(delete(SignInTryRow).where(SignInTryRow.sha256 == keys["name"]))
    row = session.get(SignInTryRow, keys["address"])
    if row is not None:
        row.number = max(row.number - 1, 0)


def _keys(name: str, address: str) -> dict[str, str]:
    said = {"name": name, "address": network(address)}
    return {kind: hashlib.sha256(f"{kind}:{one}".encode()).hexdigest() for kind, one in said.items()}


def network(address: str) -> str:
    """The address; of IPv6 the /64, as one machine has all of them."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(found) if found.version == 4 else str(ipaddress.ip_network((found, 64), strict=False))


def _wait(session: Session, kind: str, key: str) -> timedelta:
    """Negative: it may be tried. A clock that was set back makes nobody wait longer than the longest."""
    row = session.get(SignInTryRow, key)
    if row is None or row.number < FREE[kind]:
        return timedelta(seconds=-1)
    whole = min(timedelta(seconds=2 ** min(row.number - FREE[kind], 20)), LONGEST_WAIT)
    return min(row.latest + whole - now(), whole)


def _count(session: Session, key: str) -> None:
    row = session.get(SignInTryRow, key)
    if row is None:
        session.add(SignInTryRow(sha256=key, number=1, latest=now()))
    else:
        row.number, row.latest = row.number + 1, now()
