"""How the database of the station is opened, read and written; its tables are in `tables`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft
from sqlalchemy.orm import Session

from camlucida.errors import InputError, StoreError
from camlucida.store import postgresql, sqlite, worklist_upkeep


class Database:
    """A file of SQLite, or a PostgreSQL database: many readers beside one writer, in any number of processes.

    Whatever is the database's own trouble (a full disk, a lost connection, a restarted server) is told as a
    StoreError by `read` and `write`: nothing half was kept, and doing it again later is right. A text that is
    too long for PostgreSQL is an InputError.
    """

    def __init__(self, place: Path | str) -> None:
        """A file, or the URL of a PostgreSQL database.

        Raises
        ------
        StoreError
            The file lies on a network file system, or the URL is none of PostgreSQL.
        MissingExtra
            PostgreSQL needs an extra that is not installed.
        """
        self.path = place if isinstance(place, Path) else None
        self.engine = sqlite.engine(place) if isinstance(place, Path) else postgresql.engine(place)
        self._reading, self._writing = _reading(self.engine), writing(self.engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment of the database; what it changes is thrown away."""
        with _in_words(), Session(self._reading) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are kept together at the end of the block, or not at all.

        One writes at a time, from the first statement of the block: what it reads holds until it has
        written. In SQLite that is BEGIN IMMEDIATE, in PostgreSQL an advisory lock of the transaction.
        """
        with _in_words(), Session(self._writing) as session, session.begin():
            yield session
            session.flush()
            worklist_upkeep.bring_up_to_date(session)

    def size(self) -> int:
        """Bytes on the disk."""
        if self.path is not None:
            return sum(path.stat().st_size for path in self.path.parent.glob(f"{self.path.name}*"))
        with self.read() as session:
            return int(session.execute(text("SELECT pg_database_size(current_database())")).scalar_one())

    def close(self) -> None:
        """Give all connections back; SQLite then folds the write-ahead log into the file."""
        self.engine.dispose()


def writing(engine: Engine) -> Engine:
    """The engine, with transactions that wait for their turn to write."""
    return engine.execution_options(camlucida_writes=True)


def _reading(engine: Engine) -> Engine:
    """The engine, with transactions that see one moment: all of SQLite's do."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="REPEATABLE READ")


def not_written(error: DBAPIError) -> StoreError:
    """What to tell of it. SQLAlchemy's own text quotes the statement, and with it a header."""
    return sqlite.told(error) if _of_sqlite(error) else postgresql.told(error)


def _is_trouble(error: DBAPIError) -> bool:
    return sqlite.is_trouble(error) if _of_sqlite(error) else postgresql.is_trouble(error)


def _of_sqlite(error: DBAPIError) -> bool:
    return type(error.orig).__module__.startswith("sqlite3")


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if postgresql.is_too_long(error):
            raise InputError("One of its texts is longer than PostgreSQL keeps or sorts by.") from error
        if not _is_trouble(error):
            raise
        raise not_written(error) from error
    except NoConnectionLeft as error:
        raise StoreError("All connections to the database are in use; try again later.") from error


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
    with writing(engine).begin() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                "The database was written by a newer version of camlucida; update camlucida, or choose "
                "another folder with --home."
            ) from error
        worklist_upkeep.bring_up_to_date(connection)
