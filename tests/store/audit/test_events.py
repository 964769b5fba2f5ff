import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from camlucida.records import Event, EventKind
from camlucida.store import database
from camlucida.store.audit import events, hash_tree, trail
from camlucida.store.tables import EventRow


def event(number, **fields):
    made = {
        "key": f"{number:032x}",
        "kind": EventKind.CHANGED,
        "happened": datetime(2026, 1, 1, 12, number % 60, tzinfo=UTC),
        "tab": "b" * 32,
        "study": "s1",
        "view": {"opacity": 0.5, "map": None, "method": "grad-cam"},
    }
    return Event(**{**made, **fields})


def rows(home):
    with home.database.read() as session:
        return [
            dict(row) for row in session.execute(select(EventRow.__table__).order_by(EventRow.id)).mappings()
        ]


def slow_root(leaves):
    """RFC 6962, 2.1, of the hashes of the leaves."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else hash_tree.EMPTY
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hash_tree.parent(slow_root(leaves[:k]), slow_root(leaves[k:]))


def test_what_a_database_cannot_keep_is_not_hashed(home):
    """A NUL in what a browser tells would be as if somebody had changed the event."""
    events.keep(home, [event(1, view={"a\0": "b\0c", "n": 1.5})], "eva\0")
    (row,) = rows(home)
    assert (row["view"], row["who"]) == ({"a": "bc", "n": 1.5}, "eva")
    assert trail.verify(home).faults == []


def root(home):
    with home.database.read() as session:
        return hash_tree.root(events.count(session), lambda *one: events.node(session, *one))


def test_the_rows_are_the_leaves_of_a_hash_tree_however_they_came(home):
    events.keep(home, [event(n) for n in range(5)], "ann")
    for _ in range(4):
        with home.database.write() as session:
            events.note(session, EventKind.EXPORTED, events.STATION, {"profile": "clinical"}, study="s2")
    events.keep(home, [event(n) for n in range(3, 12)], "bob")
    kept = rows(home)
    assert [row["id"] for row in kept] == list(range(1, 17))
    assert root(home) == slow_root([hash_tree.leaf(events.content(row)) for row in kept])


def test_a_leaf_is_made_of_all_that_its_row_says(home):
    events.keep(home, [event(1)], "ann")
    (row,) = rows(home)
    assert json.loads(events.content(row)) == {
        "id": 1,
        "key": f"{1:032x}",
        "kind": "changed",
        "happened": "2026-01-01T12:01:00.000000+00:00",
        "received": row["received"].isoformat(timespec="microseconds"),
        "tab": "b" * 32,
        "study_key": "s1",
        "image_key": "",
        "explanation_key": "",
        "view": {"map": None, "method": "grad-cam", "opacity": 0.5},
        "who": "ann",
    }
    assert set(row) == {*json.loads(events.content(row)), "nodes"}


def test_what_is_not_kept_in_the_end_leaves_no_gap(home):
    def half():
        with home.database.write() as session:
            events.note(session, EventKind.SIGNED_IN, "ann")
            raise ZeroDivisionError

    events.keep(home, [event(1)], "ann")
    with pytest.raises(ZeroDivisionError):
        half()
    events.keep(home, [event(2)], "ann")
    assert [row["id"] for row in rows(home)] == [1, 2]


def test_an_event_that_comes_twice_in_one_batch_or_later_is_one(home):
    assert events.keep(home, [event(1), event(2), event(1)], "ann") == 2
    assert events.keep(home, [event(2), event(3)], "ann") == 1
    assert len(rows(home)) == 3


def test_events_of_before_the_tree_are_its_first_leaves(home):
    events.keep(home, [event(n) for n in range(11)], "ann")
    before = rows(home)
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    with home.database.engine.execution_options(camlucida_begin="BEGIN IMMEDIATE").begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")
    database.upgrade(home.database.engine)
    assert rows(home) == before
    with pytest.raises(DatabaseError, match="never changed"), home.database.write() as session:
        session.execute(text("UPDATE events SET who = 'bob'"))


def test_the_operator_is_named_by_the_operating_system(monkeypatch):
    monkeypatch.setenv("LOGNAME", "ann")
    assert events.operator() == "cli:ann"
