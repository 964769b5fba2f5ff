"""The database of a station of many processes and machines: PostgreSQL, through psycopg 3."""

import json
from typing import Any

from sqlalchemy import URL, Connection, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from camlucida.errors import DiskFull, MissingExtra, NotAnswering, StoreError

WRITERS = int.from_bytes(b"camlucid")
"""The advisory lock that whoever writes holds until its transaction ends."""
LOCK_SECONDS = 30  # as SQLite's busy_timeout
IDLE_SECONDS = 60  # a writer whose machine is gone must not keep the others waiting
CONNECT_SECONDS = 10
DISK_FULL = "53100"  # SQLSTATE, as in PostgreSQL's appendix A
LOCK_NOT_AVAILABLE = "55P03"
DATA = "22"  # the class of errors that quote the value
TOO_LONG = frozenset({"54000", "22001"})  # for an index, for a column: trying again would not help


def engine(url: str) -> Engine:
    """Connections that are tried before they are used, so that a restarted server is noticed.

    Raises
    ------
    StoreError
        The address is none of PostgreSQL; the sentence does not repeat it, as it holds a password.
    MissingExtra
        psycopg is not installed.
    """
    address = parsed(url)
    try:
        made = create_engine(
            address,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "camlucida"},
            json_serializer=_json,
        )
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "PostgreSQL needs psycopg; install it with `pip install camlucida[scaled]`."
        ) from error
    event.listen(made, "connect", _prepare_connection)
    event.listen(made, "begin", _begin)
    event.listen(made, "handle_error", _hide_values)
    return made


def parsed(url: str) -> URL:
    """The address with the driver that we use.

    Raises
    ------
    StoreError
        It is none of PostgreSQL.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        address = None
    if address is None or address.get_backend_name() not in {"postgresql", "postgres"}:
        raise StoreError(
            "CAMLUCIDA_DATABASE_URL is no address of a PostgreSQL database; it looks like "
            "postgresql://user:password@host/name."
        )
    return address.set(drivername="postgresql+psycopg")


def is_trouble(error: DBAPIError) -> bool:
    """Whether it is the server's or the network's trouble, not a fault of the statement."""
    return isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated


def is_too_long(error: DBAPIError) -> bool:
    """Whether a text is longer than a column or an index takes; SQLite's take all."""
    return getattr(error.orig, "sqlstate", None) in TOO_LONG


def told(error: DBAPIError) -> StoreError:
    """What to tell of an error that is the database's, not ours."""
    state = getattr(error.orig, "sqlstate", None)
    if state == DISK_FULL:
        return DiskFull("The disk of PostgreSQL is full; make room there, and send or import again.")
    name = type(error.orig).__name__
    if state == LOCK_NOT_AVAILABLE:
        return StoreError(f"Another process has been writing for {LOCK_SECONDS} s; try again later.")
    if not is_trouble(error):
        return StoreError(f"PostgreSQL refuses a statement of ours ({name}); nothing half was kept.")
    return NotAnswering(
        f"PostgreSQL does not answer or has ended the connection ({name}); nothing half was kept. Check that "
        "it runs and CAMLUCIDA_DATABASE_URL."
    )


def _prepare_connection(connection: Any, record: object) -> None:  # noqa: ARG001 - SQLAlchemy's signature
    from psycopg.types.string import StrDumperUnknown  # noqa: PLC0415 - installed where PostgreSQL is used

    class WithoutNul(StrDumperUnknown):
        """PostgreSQL keeps no NUL in a text, and DICOM pads with it."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", ""))

    connection.adapters.register_dumper(str, WithoutNul)
    connection.autocommit = True
    connection.execute("SET TIME ZONE 'UTC'")
    connection.execute("SET datestyle = ISO")
    connection.autocommit = False


def _json(value: object) -> str:
    text = json.dumps(value)
    return json.dumps(without_nul(value)) if r"\u0000" in text else text


def without_nul(value: Any) -> Any:
    """The same without any NUL in its texts: what PostgreSQL would keep of it."""
    match value:
        case str():
            return value.replace("\0", "")
        case dict():
            return {without_nul(key): without_nul(one) for key, one in value.items()}
        case list() | tuple():
            return [without_nul(one) for one in value]
    return value


def _begin(connection: Connection) -> None:
    """One writer at a time, as in SQLite: whatever it reads holds until it has written.

    In READ COMMITTED, the usual one: it sees what the writer before it has kept while it waited for the lock.
    """
    if connection.get_execution_options().get("camlucida_writes", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")


def _hide_values(context: ExceptionContext) -> None:
    """PostgreSQL's errors quote the row that was refused, and with it a patient."""
    error, original = context.sqlalchemy_exception, context.original_exception
    state, said = getattr(original, "sqlstate", None), getattr(original, "diag", None)
    if error is None or not state or said is None:
        return
    text = "" if state.startswith(DATA) else str(said.message_primary or "")
    original.args = (text or type(original).__name__,)
    error.args = (f"({type(original).__name__}) {text}",)
