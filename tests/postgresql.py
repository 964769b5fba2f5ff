"""Debian's PostgreSQL as a process of the tests' own: a real one, that no other program reaches.

    with PostgreSQL() as server:
        url = server.emptied()  # always the same one, with empty tables: milliseconds
        url = server.database()  # a new one with empty tables: a quarter of a second
        url = server.empty_database()  # a new one without tables

It listens on a socket in a folder of its own and keeps nothing safe (fsync is off); the folder goes with it.
"""

import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg
import pytest

from camlucida.settings import settings
from camlucida.store.database import Database, upgrade

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
USER = "camlucida"
SORTED_AS_PEOPLE_DO = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")
OPTIONS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
}
# TRUNCATE would make each file of each index anew; the triggers that refuse to delete are put aside.
EMPTY = """
DO $$ DECLARE one record; BEGIN
  PERFORM pg_terminate_backend(pid, 60000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  SET LOCAL session_replication_role = replica;
  FOR one IN SELECT schemaname, tablename FROM pg_tables
    WHERE schemaname IN ('public', 'procrastinate') AND tablename <> 'alembic_version' LOOP
    EXECUTE format('DELETE FROM %I.%I', one.schemaname, one.tablename);
  END LOOP;
  FOR one IN SELECT schemaname, sequencename FROM pg_sequences
    WHERE schemaname IN ('public', 'procrastinate') LOOP
    EXECUTE format('ALTER SEQUENCE %I.%I RESTART', one.schemaname, one.sequencename);
  END LOOP;
END $$
"""

SHAPE = """
SELECT (SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace),
       (SELECT string_agg(concat(tgname, tgenabled), ' ' ORDER BY tgname)
        FROM pg_trigger WHERE NOT tgisinternal)
"""


@contextmanager
def homes_on(url: str) -> Iterator[None]:
    """Whatever home is opened in the block, or by a process that is started there, has this database."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CAMLUCIDA_DATABASE_URL", url)
        settings.cache_clear()
        yield
    settings.cache_clear()


class PostgreSQL:
    """A server with its databases; `restart` and `kill` leave them as they are."""

    def __init__(self) -> None:
        assert PROGRAMS, "PostgreSQL is missing: ./run test installs it"
        # Short: the name of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="camlucida-postgresql-"))
        self._user = "postgres" if os.getuid() == 0 else None  # root may not run it
        if self._user:
            shutil.chown(self.folder, self._user)
        self._numbers = itertools.count(1)
        self._shared: str | None = None

    def __enter__(self) -> Self:
        self._run("initdb", "--no-sync", "--auth=trust", "--encoding=UTF8", *SORTED_AS_PEOPLE_DO, "-U", USER)
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def url(self, name: str) -> str:
        """The address of a database, as the setting `database_url` takes it."""
        return f"postgresql://{USER}@/{name}?host={self.folder}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = " ".join(f"-c {name}='{value}'" for name, value in OPTIONS.items())
        log = str(self.folder / "log.txt")
        self._run("pg_ctl", "start", "-w", "-t", "300", "-s", "-l", log, "-o", f"-k {self.folder} {options}")

    def stop(self) -> None:
        """End it at once, as a power cut would; it recovers at its next start."""
        self._run("pg_ctl", "stop", "-w", "-t", "300", "-s", "-m", "immediate")

    def restart(self) -> None:
        """End it at once and start it again."""
        self.stop()
        self.start()

    def emptied(self) -> str:
        """The address of the one that most tests use, as a new one would be; who still has it loses it."""
        if self._shared is None or not self._is_as_new(self._shared):
            self._shared = self.database()
        return self._shared

    def database(self) -> str:
        """The address of a new database with the newest tables, empty."""
        template = self._template
        return self.empty_database(f"TEMPLATE {template}")

    def empty_database(self, options: str = "") -> str:
        """The address of a new database without tables."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Forget a database, whoever still looks at it."""
        name = url.partition("@/")[2].partition("?")[0]
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _is_as_new(self, url: str) -> bool:
        """Empty it; False: a test has changed more than rows."""
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(EMPTY)
            return connection.execute(SHAPE).fetchone() == self._shape

    @cached_property
    def _shape(self) -> object:
        with psycopg.connect(self.url(self._template)) as connection:
            return connection.execute(SHAPE).fetchone()

    @cached_property
    def _template(self) -> str:
        url = self.empty_database()
        database = Database(url)
        upgrade(database.engine)
        database.close()
        return url.partition("@/")[2].partition("?")[0]

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(  # noqa: S603 - Debian's own programs
            [PROGRAMS[-1] / program, "-D", self.folder / "data", *arguments],
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
        )
