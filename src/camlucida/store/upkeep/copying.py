"""A whole store, from one database and place of files to another: SQLite or PostgreSQL, a folder or S3.

Files come first, and each stays where it has come: whoever starts again goes on. Rows come last, in one
transaction, and are read again before it ends: they are all there, or none is.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Integer, RowMapping, Table, func, insert, select
from sqlalchemy.orm import Session

from camlucida.errors import DamagedBlob, StoreError
from camlucida.store.blobs import Blobs
from camlucida.store.database import Database
from camlucida.store.tables import Base

MADE_OF_OTHERS = frozenset({"worklist", "worklist_findings", "worklist_changes"})
"""They are made anew where they come, see `worklist_upkeep`."""
AT_ONCE = 1000


def copy_files(
    source: Blobs, target: Blobs, sizes: dict[str, int], lost: list[str] | None = None
) -> Iterator[int]:
    """Copy kept files that are not there yet, checked; tells the bytes of each, those that were there too.

    Digests of files that are missing or damaged are added to `lost`, if given.

    Raises
    ------
    DamagedBlob
        A file is missing or damaged, and no `lost` was given.
    StoreError
        A place cannot be asked or written to.
    """
    there = dict(target.sizes())
    for digest, size in sizes.items():
        if there.get(digest) != size:
            try:
                target.put_file(source.path(digest), digest)
            except DamagedBlob:
                if lost is None:
                    raise
                lost.append(digest)
        yield size


def copy_rows(source: Database, target: Database) -> int:
    """Copy all rows into empty tables of the same revision; how many there were.

    Raises
    ------
    StoreError
        The tables are not empty, or what came is not what was sent.
    """
    with source.read() as reading, target.write() as writing:
        refuse_unless_empty(writing)
        number = sum(_copy(reading, writing, table) for table in tables())
        for table in tables():
            _compare(reading, writing, table)
        _go_on_counting(writing)
    return number


def copy_sqlite(source: Path, target: Path) -> None:
    """A copy of SQLite's file as it is at one moment, while others write (SQLite's Online Backup API)."""
    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it


def tables() -> list[Table]:
    """All tables whose rows are copied, those that others name first."""
    return [table for table in Base.metadata.sorted_tables if table.name not in MADE_OF_OTHERS]


def refuse_unless_empty(session: Session) -> None:
    """Say so where a store is already.

    Raises
    ------
    StoreError
        A table has rows.
    """
    for table in tables():
        if session.execute(select(1).select_from(table).limit(1)).first():
            raise StoreError(f"There is a store already (rows in {table.name}); choose an empty place.")


def _copy(source: Session, target: Session, table: Table) -> int:
    number = 0
    rows = _rows(source, table)
    while some := [dict(row) for row in islice(rows, AT_ONCE)]:
        target.execute(insert(table), some)
        number += len(some)
    return number


def _compare(source: Session, target: Session, table: Table) -> None:
    pairs = zip(_rows(source, table), _rows(target, table), strict=True)
    try:
        equal = all(_plain(sent) == _plain(came) for sent, came in pairs)
    except ValueError:  # one has more rows
        equal = False
    if not equal:
        raise StoreError(f"What came into {table.name} is not what was sent; nothing was copied.")


def _plain(row: RowMapping) -> dict[str, Any]:
    """PostgreSQL gives bytes as another type."""
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}


def _rows(session: Session, table: Table) -> Iterator[RowMapping]:
    query = select(table).order_by(*table.primary_key).execution_options(yield_per=AT_ONCE)
    return iter(session.execute(query).mappings())


def _go_on_counting(session: Session) -> None:
    """PostgreSQL's counters of ids do not see rows that come with theirs."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in tables():
        key = list(table.primary_key)
        if len(key) == 1 and isinstance(key[0].type, Integer) and not key[0].foreign_keys:
            sequence = func.pg_get_serial_sequence(table.name, key[0].name)
            highest = session.scalar(select(func.max(key[0])))
            if highest is not None and session.scalar(select(sequence)) is not None:
                session.execute(select(func.setval(sequence, highest)))
