"""From every revision that a user may have, with rows in it, to the newest: nothing is lost on the way.

`released/0001.sql` and so on are what the programs of those days made of an empty SQLite file, `*.rows.sql`
what is put in at each, beside the rows of those before. There was no PostgreSQL then: its old databases are
made by today's migrations.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from camlucida.store import database
from camlucida.store.database import Database
from camlucida.store.home import Home
from camlucida.store.tables import Base
from postgresql import homes_on

RELEASED = Path(__file__).parent / "released"
REVISIONS = ("0001", "0002", "0003", "0004")

CHANGED = {"alembic_version": {"version_num"}, "events": {"id"}, "access_tokens": {"may_store"}}
"""What a later revision writes anew: tokens have roles since 0005, events numbers without gaps since 0006."""


def config(connection):
    made = Config()
    made.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    made.attributes["connection"] = connection
    return made


def put_in(connection, revision):
    for path in sorted(RELEASED.glob("*.rows.sql")):
        if path.name[: len(revision)] <= revision:
            for statement in filter(str.strip, path.read_text("utf-8").split(";\n")):
                connection.exec_driver_sql(statement)


def all_rows(opened):
    """The rows of all tables, by table, each a set of (column, value)s."""
    with opened.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        return {
            table: [
                {(name, str(value)) for name, value in row.items() if name not in CHANGED.get(table, ())}
                for row in connection.execute(text(f"SELECT * FROM {table}")).mappings()  # noqa: S608
            ]
            for table in tables
            if table not in {"worklist", "worklist_findings", "worklist_changes"}  # made of the others
        }


def old_sqlite(folder, revision):
    """A home as the program of that revision left it."""
    folder.mkdir()
    with closing(sqlite3.connect(folder / "camlucida.sqlite")) as made:
        made.executescript((RELEASED / f"{revision}.sql").read_text("utf-8"))
    opened = Database(folder / "camlucida.sqlite")
    with database.writing(opened.engine).begin() as connection:
        put_in(connection, revision)
    return opened


def old_postgresql(url, revision):
    """A database of that revision."""
    opened = Database(url)
    with database.writing(opened.engine).begin() as connection:
        command.upgrade(config(connection), revision)
        put_in(connection, revision)
    return opened


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request, tmp_path):
    """Makes a database of a revision with rows in it, where `Home.open(tmp_path / "home")` finds it."""
    if request.param == "sqlite":
        yield lambda revision: old_sqlite(tmp_path / "home", revision)
        return
    postgresql = request.getfixturevalue("postgresql")
    url = postgresql.empty_database()
    with homes_on(url):
        yield lambda revision: old_postgresql(url, revision)
    postgresql.drop(url)


@pytest.mark.parametrize("revision", REVISIONS)
def test_whoever_comes_from_an_earlier_revision_loses_nothing(old, revision, tmp_path):
    before = old(revision)
    rows = all_rows(before)
    before.close()
    with closing(Home.open(tmp_path / "home")) as home:
        after = all_rows(home.database)
        for table, kept in rows.items():
            assert all(any(one <= row for row in after[table]) for one in kept), table
            assert len(after[table]) == len(kept), table
        with home.database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
        with home.database.read() as session:
            lines = session.execute(
                text("SELECT patient, state, reported, flagged FROM worklist ORDER BY study_id")
            )
            flagged = revision >= "0002"
            assert [tuple(line) for line in lines] == [
                ("muller anna", "explained", True, flagged),
                ("doe john", "waiting", False, False),
            ]
