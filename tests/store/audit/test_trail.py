# ruff: noqa: S608 - the statements are the test's own
"""The trail is changed by hand, behind the station's back; each change is found and named."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from camlucida.errors import StoreError
from camlucida.records import Event, EventKind
from camlucida.store.audit import checkpoints, events, hash_tree
from camlucida.store.audit import trail as audit
from camlucida.store.database import Database
from camlucida.store.home import Home
from camlucida.store.tables import EventRow


def event(number):
    moment = datetime(2026, 1, 1, 12, number % 60, tzinfo=UTC)
    view = {"opacity": "55", "map": None}
    return Event(f"{number:032x}", EventKind.CHANGED, moment, "b" * 32, f"s{number}", view=view)


@pytest.fixture(scope="module")
def signed(tmp_path_factory):
    """A home with eleven events, the first eight of which were signed; to be copied."""
    folder = tmp_path_factory.mktemp("signed") / "home"
    with closing(Home.open(folder)) as home:
        events.keep(home, [event(n) for n in range(8)], "ann")
        checkpoints.make(home)
        events.keep(home, [event(n) for n in range(8, 11)], "bob")
    return folder


@pytest.fixture
def tampered(signed, tmp_path):
    """Runs SQL on a copy of the home, as somebody would who has the file, and says what is found."""
    folder = shutil.copytree(signed, tmp_path / "home")

    def tamper(*statements, **how):
        with closing(sqlite3.connect(folder / "camlucida.sqlite")) as connection:
            for table in ("events", "checkpoints", "audit_keys"):
                for change in ("update", "delete"):
                    connection.execute(f"DROP TRIGGER {table}_refuse_{change}")
            for one in statements:
                connection.execute(one)
            connection.commit()
        with closing(Home.open(folder)) as home:
            return audit.verify(home, **how)

    return tamper


def texts(verdict):
    return [fault.text for fault in verdict.faults]


def test_a_trail_that_nobody_has_touched_agrees_with_what_was_signed(tampered):
    verdict = tampered()
    assert verdict.faults == []
    assert (verdict.size, verdict.checkpoint.size, verdict.checkpoints) == (11, 8, 1)
    assert verdict.remarks == []


@pytest.mark.parametrize(
    "change",
    [
        "who = 'eve'",
        "kind = 'left'",
        "happened = '2026-01-01 12:04:01.000000'",
        "happened = '2026-01-01T12:04:00.000000'",
        "received = '2020-01-01 00:00:00.000000'",
        "study_key = 's9'",
        "image_key = 'i'",
        "explanation_key = 'e'",
        "tab = ''",
        "key = 'k'",
        "view = '{}'",
        "view = replace(view, ' ', '')",
        "view = CAST(view AS BLOB)",
        "view = 'x'",
        "who = x'ff'",
        "who = CAST(x'ff' AS TEXT)",
        "nodes = x''",
        "nodes = nodes || nodes",
        "nodes = zeroblob(32)",
    ],
)
def test_a_changed_event_is_named_and_no_other(tampered, change):
    verdict = tampered(f"UPDATE events SET {change} WHERE id = 5")
    assert {(fault.first, fault.last) for fault in verdict.faults} <= {(5, 5), (5, 6)}
    assert "Event 5 " in texts(verdict)[0]


def test_one_that_was_changed_with_its_hash_is_found_by_the_tree(tampered):
    leaf = hash_tree.leaf(b"another")
    verdict = tampered(f"UPDATE events SET who = 'eve', nodes = x'{leaf.hex()}' WHERE id = 3")
    assert "Event 3 was changed" in texts(verdict)[0]  # the hash of another content
    assert (3, 4) in {(fault.first, fault.last) for fault in verdict.faults}


def rewritten(folder, number):
    """As who knows this program would do it: another event, and all hashes of the tree made anew."""
    with closing(Home.open(folder)) as home, home.database.read() as session:
        rows = [dict(row) for row in session.execute(select(EventRow.__table__)).mappings()]
    rows[number - 1]["who"] = "eve"
    made, statements = {}, []
    for index, row in enumerate(rows):
        leaf = hash_tree.leaf(events.content(row))
        hashes = hash_tree.completed(index, leaf, lambda *node: made[node])  # noqa: B023 - called at once
        made |= {(level, index >> level): one for level, one in enumerate(hashes)}
        nodes = b"".join(hashes).hex()
        statements.append(
            f"UPDATE events SET who = '{row['who']}', nodes = x'{nodes}' WHERE id = {index + 1}"
        )
    return statements


def test_who_makes_the_whole_tree_anew_is_found_by_what_was_signed(tampered, signed):
    verdict = tampered(*rewritten(signed, 3))
    (fault,) = verdict.faults
    assert (fault.first, fault.last) == (1, 8)
    assert "when the checkpoint of 20" in fault.text


def test_what_was_never_signed_can_be_rewritten_by_who_has_the_file(tampered, signed):
    """The limit of it, said in the docs: a checkpoint comes every few minutes."""
    assert tampered(*rewritten(signed, 10)).faults == []


def test_missing_events_are_named(tampered):
    assert texts(tampered("DELETE FROM events WHERE id IN (3, 4, 5, 9)")) == [
        "Events 3 to 5 are missing.",
        "Event 9 is missing.",
    ]


def test_events_that_are_missing_at_the_end_are_told_by_the_checkpoint(tampered):
    assert texts(tampered("DELETE FROM events WHERE id > 6")) == ["Events 7 to 8 are missing."]


def test_an_added_event_is_named(tampered):
    others = "kind, happened, tab, study_key, image_key, explanation_key, view, who, received, nodes"
    verdict = tampered(
        f"INSERT INTO events (id, key, {others}) SELECT 12, 'new', {others} FROM events WHERE id = 5"
    )
    assert [fault.first for fault in verdict.faults] == [12]
    assert "not added by the station" in texts(verdict)[0]


def test_reordered_events_are_named(tampered):
    verdict = tampered(*(f"UPDATE events SET id = {a} WHERE id = {b}" for a, b in ((99, 2), (2, 7), (7, 99))))
    assert any("Event 2 says what event 7 said" in text for text in texts(verdict))
    assert any("Event 7 says what event 2 said" in text for text in texts(verdict))


def test_an_event_taken_out_and_the_others_moved_up_is_named(tampered):
    verdict = tampered("DELETE FROM events WHERE id = 4", "UPDATE events SET id = id - 1 WHERE id > 4")
    assert any("Event 4 says what event 5 said" in text for text in texts(verdict))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE checkpoints SET note = replace(note, char(10), ' ')", "Checkpoint 1 cannot be read"),
        ("UPDATE checkpoints SET note = replace(note, 'time 2', 'time 1')", "not signed by a key of this"),
        ("UPDATE checkpoints SET size = 7", "sizes beside the checkpoints"),
        ("UPDATE audit_keys SET verifier = 'x'", "Public key 1 cannot be read"),
    ],
)
def test_a_changed_checkpoint_or_key_is_told(tampered, change, said):
    assert any(said in text for text in texts(tampered(change)))


def test_what_was_kept_elsewhere_tells_of_events_and_checkpoints_that_are_gone(tampered, signed, tmp_path):
    shutil.copytree(signed, tmp_path / "before")
    with closing(Home.open(tmp_path / "before")) as home:
        kept = checkpoints.make(home)
    gone = ("DELETE FROM events WHERE id > 6", "DELETE FROM checkpoints")
    assert texts(tampered(*gone, against=[kept])) == ["Events 7 to 11 are missing."]


def test_checkpoints_by_a_key_that_somebody_put_into_the_database_are_not_believed(
    tampered, signed, tmp_path
):
    """All of it made anew, the key included: the key file, or a copy of the public key, tells."""
    shutil.copytree(signed, tmp_path / "forger")
    (tmp_path / "forger" / checkpoints.KEY_FILE).unlink()
    with closing(sqlite3.connect(tmp_path / "forger" / "camlucida.sqlite")) as connection:
        for table in ("checkpoints", "audit_keys"):
            connection.execute(f"DROP TRIGGER {table}_refuse_delete")
            connection.execute(f"DELETE FROM {table}")
        connection.commit()
    with closing(Home.open(tmp_path / "forger")) as home:
        forged = checkpoints.make(home)
        verifier = checkpoints.own_key(home, checkpoints.read(forged).name).verifier
    verdict = tampered(
        f"UPDATE checkpoints SET note = '{forged}', size = 11",
        f"UPDATE audit_keys SET verifier = '{verifier}'",
    )
    assert any("not signed by a key of this station" in text for text in texts(verdict))


def test_on_either_database_a_changed_a_missing_and_an_unsigned_event_are_told(home):
    events.keep(home, [event(n) for n in range(6)], "ann")
    checkpoints.make(home)
    assert audit.verify(home).faults == []
    with home.database.write() as session:
        if home.database.engine.dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER events_refuse_update"))
            session.execute(text("DROP TRIGGER events_refuse_delete"))
        else:
            session.execute(text("ALTER TABLE events DISABLE TRIGGER ALL"))
        session.execute(text("UPDATE events SET who = 'eve' WHERE id = 2"))
        session.execute(text("DELETE FROM events WHERE id > 4"))
    assert texts(audit.verify(home)) == [
        "Event 2 was changed, or not added by the station: it is not what its hash says.",
        "Events 5 to 6 are missing.",
    ]
    if home.database.engine.dialect.name != "sqlite":
        with home.database.write() as session:
            session.execute(text("ALTER TABLE events ENABLE TRIGGER ALL"))


def found(home):
    try:
        return audit.verify(home).faults
    except StoreError as error:  # nothing can be read behind it
        return "damaged" in str(error)


def test_every_flipped_byte_of_an_event_in_the_file_is_found(signed, tmp_path):
    """A bit of each byte of the row, its header included, as it lies on the disk."""
    folder = shutil.copytree(signed, tmp_path / "home")
    path = folder / "camlucida.sqlite"
    good = path.read_bytes()
    begin = good.index(f"{5:032x}changed".encode())
    end = good.index(b"ann", begin) + len(b"ann")
    row = good[begin:end]
    assert b'"opacity": "55"' in row
    for place in range(begin - 16, end + 26 + 32, 5):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1 << place % 8]) + good[place + 1 :])
        with closing(Home(folder, Database(path), None)) as home:
            assert found(home), place - begin
