"""How the database of the station is opened, read and written; its tables are in `tables`."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from camlucida.errors import DiskFull, StoreError
from camlucida.store import worklist_upkeep

NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "fuse.sshfs", "ceph"})


class Database:
    """One SQLite file in WAL mode: many readers beside one writer, in any number of processes."""

    def __init__(self, path: Path) -> None:
        refuse_network_file_system(path.parent)
        self.path = path
        # hide_parameters: an error's text must not quote a patient's name.
        self.engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
        event.listen(self.engine, "connect", _prepare_connection)
        event.listen(self.engine, "begin", _begin)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database; what it changes is thrown away."""
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are kept together at the end of the block, or not at all.

        The write lock is taken at the start (BEGIN IMMEDIATE): a transaction that first reads and then
        wants to write would otherwise fail at once when another process has written in between.
        """
        engine = self.engine.execution_options(camlucida_begin="BEGIN IMMEDIATE")
        with Session(engine) as session, session.begin():
            yield session
            session.flush()
            worklist_upkeep.bring_up_to_date(session)

    def close(self) -> None:
        """Give all connections back; SQLite then folds the write-ahead log into the file."""
        self.engine.dispose()


def not_written(error: DatabaseError) -> StoreError:
    """What to tell of it. SQLAlchemy's own text quotes the statement, and with it a header."""
    if getattr(error.orig, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        return DiskFull()
    name = getattr(error.orig, "sqlite_errorname", type(error).__name__)
    return StoreError(f"The database cannot be written to ({name}); check the disk of the home folder.")


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
    connection.exec_driver_sql(connection.get_execution_options().get("camlucida_begin", "BEGIN"))


def upgrade(engine: Engine) -> None:
    """Bring the tables to the newest revision; safe when several processes start at once.

    Raises
    ------
    StoreError
        The database was written by a newer camlucida.
    """
    from alembic import command  # noqa: PLC0415 - 0.2 s, needed once a start
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.execution_options(camlucida_begin="BEGIN IMMEDIATE").begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                "The database was written by a newer version of camlucida; update camlucida, or choose "
                "another folder with --home."
            ) from error
        worklist_upkeep.bring_up_to_date(connection)
