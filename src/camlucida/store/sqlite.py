"""The database of a station that is embedded: one SQLite file in WAL mode, on a local disk."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

from camlucida.errors import DiskFull, StoreError
from camlucida.store import worklist_upkeep

NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "ceph"})


def engine(path: Path) -> Engine:
    """Many readers beside one writer, in any number of processes; the file is made where there is none.

    Raises
    ------
    StoreError
        The folder lies on a network file system.
    """
    refuse_network_file_system(path.parent)
    # hide_parameters: an error's text must not quote a patient's name.
    made = create_engine(f"sqlite:///{path}", hide_parameters=True)
    event.listen(made, "connect", _prepare_connection)
    event.listen(made, "begin", _begin)
    return made


def is_trouble(error: DBAPIError) -> bool:
    """Whether it is the disk's or the lock's trouble, not a fault of the statement."""
    return isinstance(error, OperationalError) and _name(error) != "SQLITE_ERROR"


def told(error: DBAPIError) -> StoreError:
    """What to tell of an error that is the database's, not ours."""
    if getattr(error.orig, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        return DiskFull()
    return StoreError(
        f"The database cannot be written to ({_name(error)}); check the disk of the home folder."
    )


def _name(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", type(error).__name__))


def refuse_network_file_system(folder: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """SQLite's locks are not kept by network file systems, and databases there get damaged.

    Raises
    ------
    StoreError
        The folder lies on one.
    """
    kind = _file_system(folder.resolve(), mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"{folder} lies on a network file system ({kind}), where SQLite's database can be damaged; "
            "choose a folder on a local disk with --home or CAMLUCIDA_HOME."
        )


def _file_system(folder: Path, mounts: Path) -> str:
    if not mounts.is_file():  # not Linux
        return ""
    lines = (line.split() for line in mounts.read_text(encoding="utf-8").splitlines())
    kinds = {Path(place.replace("\\040", " ")): kind for _, place, kind, *_ in lines}
    return next((kinds[parent] for parent in (folder, *folder.parents) if parent in kinds), "")


def _prepare_connection(connection: Any, record: object) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    connection.isolation_level = None  # transactions begin where we say so: see _begin
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 30000")  # first: the next line needs a lock, too
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a receipt that was told outlasts a power cut: 0.3 ms
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
    # SQLite's own lower() knows no letters beyond ASCII, and patients' names have them.
    connection.create_function("casefold", 1, _casefold, deterministic=True)
    connection.create_function("folded", 1, worklist_upkeep.folded, deterministic=True)


def _casefold(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _begin(connection: Connection) -> None:
    """A writer takes the lock at the start: one that has read first would fail when it wants to write."""
    writes = connection.get_execution_options().get("camlucida_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
