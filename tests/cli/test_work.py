import signal
import sqlite3
from contextlib import closing

import pytest

from camlucida.store import instances
from camlucida.store.home import Home
from camlucida.store.tables import Origin
from waiting import until


@pytest.fixture
def waiting(home, films):
    """A home in which two films have arrived."""
    (home / "pacs.toml").write_text("[listen]\nquiet_seconds = 0\n")
    opened = Home.open(home)
    for name in ("film-1.dcm", "film-2.dcm"):
        instances.take(opened, films / name, Origin.STORE, "MODALITY")
    opened.close()
    return home


def ask(home, question):
    with closing(sqlite3.connect(home / "camlucida.sqlite", timeout=30)) as database:
        return database.execute(question).fetchall()


def test_once_does_what_is_to_be_done_and_ends(run, waiting):
    done = run("work", "--once", "--home", waiting)
    assert done.returncode == 0, done.stderr
    (results,) = ask(waiting, "SELECT count(*) FROM instances WHERE origin = 'result'")[0]
    assert done.stdout == (
        f"2 images read, 2 explanations computed, {results} result objects written, 0 not.\n"
    )
    assert results >= 2
    again = run("work", "--once", "--home", waiting)
    assert again.stdout == "0 images read, 0 explanations computed, 0 result objects written, 0 not.\n"


def test_it_goes_on_until_it_is_told_to_end_and_only_one_works(start, run, waiting):
    running = start("work", "--home", waiting)
    done = "SELECT count(*) FROM orders WHERE state = 'done'"
    until(lambda: ask(waiting, done) == [(2,)], said=running.said)
    second = run("work", "--once", "--home", waiting)
    assert second.returncode == 1
    assert "Another process works in this home" in second.stderr
    assert running.end(signal.SIGTERM) == 0
    assert "Traceback" not in running.said()


def test_an_invalid_configuration_is_a_sentence(run, waiting):
    (waiting / "pacs.toml").write_text("[listen]\nport = 'x'\n")
    done = run("work", "--once", "--home", waiting)
    assert done.returncode == 1
    assert "listen.port" in done.stderr
    assert "Traceback" not in done.stderr
