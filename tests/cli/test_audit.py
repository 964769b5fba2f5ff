import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from typer.testing import CliRunner

from camlucida.cli.audit import app
from camlucida.records import Event, EventKind
from camlucida.store.audit import events
from camlucida.store.home import Home

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "audit-who-saw-what.md").read_text("utf-8")
VERIFIER = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
STUDY, OTHER = "a" * 32, "b" * 32


def event(number, kind=EventKind.CHANGED, study=STUDY, **view):
    happened = datetime(2026, 1, 1, 12, number, tzinfo=UTC)
    return Event(f"{number:032x}", kind, happened, "c" * 32, study, "i1", "e1", view)


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled") / "home"
    with closing(Home.open(folder)) as home:
        events.keep(home, [event(0, EventKind.OPENED), event(1, opacity="55"), event(2, map=None)], "ann")
        events.keep(home, [event(3, EventKind.OPENED, OTHER)], "ann")
        events.keep(home, [event(4, EventKind.OPENED)], "bob")
    return folder


@pytest.fixture
def audit(filled, tmp_path):
    """Runs `camlucida audit …` over a copy of a home with five events."""
    folder = shutil.copytree(filled, tmp_path / "home")

    def run(*words):
        return CliRunner().invoke(
            app, [*map(str, words), "--home", str(folder)], env={"COLUMNS": "200", "TZ": "UTC"}
        )

    run.folder = folder
    return run


def test_who_has_seen_a_study_and_what_was_done_with_it(audit):
    said = audit("query", "--study", STUDY).stdout
    seen = [line.split() for line in said.splitlines() if line.startswith((" ann", " bob"))]
    assert [(line[0], *line[-3:]) for line in seen] == [("ann", "1", "1", "1"), ("bob", "1", "1", "1")]
    assert "opacity=55" in said
    assert OTHER[:12] not in said


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ((), [1, 2, 3, 4, 5]),
        (("--who", "bob"), [5]),
        (("--kind", "opened", "--who", "ann"), [1, 4]),
        (("--since", "2026-01-01T12:01+00:00", "--until", "2026-01-01T12:03+00:00"), [2, 3]),
        (("--most", "2"), [4, 5]),
    ],
)
def test_events_are_found_by_who_kind_and_time(audit, words, numbers):
    said = audit("query", "--json", *words).stdout
    assert [int(one) for one in re.findall(r'"id":(\d+)', said)] == numbers


def test_what_is_no_moment_or_no_study_is_said(audit):
    assert "is no moment" in str(audit("query", "--since", "yesterday").exception)
    assert audit("query", "--study", "nobody").exit_code == 1


def test_a_whole_trail_is_signed_and_a_changed_one_is_named(audit, tmp_path):
    done = audit("verify")
    assert done.exit_code == 0
    assert "Every one of 5 events is what its hash says." in done.stdout
    assert audit("checkpoint", "--to", tmp_path / "kept.txt").exit_code == 0
    key = audit("checkpoint", "--key").stdout.strip()
    with closing(sqlite3.connect(audit.folder / "camlucida.sqlite")) as connection:
        connection.execute("DROP TRIGGER events_refuse_update")
        connection.execute("UPDATE events SET who = 'eve' WHERE id = 3")
        connection.commit()
    done = audit("verify", "--against", tmp_path / "kept.txt", "--key", key)
    assert done.exit_code == 1
    assert "Event 3 was changed" in done.stdout
    assert "But for that, the first 5 events agree with the checkpoint of 20" in done.stdout


def test_a_new_key_is_trusted_as_the_old_one_has_signed_with_it(audit, tmp_path):
    audit("checkpoint", "--to", tmp_path / "old.txt")
    old = audit("checkpoint", "--key").stdout.strip()
    before = (audit.folder / "audit.key").read_bytes()
    assert audit("checkpoint", "--rotate").exit_code == 0
    assert (audit.folder / "audit.key").read_bytes() != before
    assert (audit.folder / "audit.key").stat().st_mode & 0o777 == 0o600
    assert audit("verify", "--key", old, "--against", tmp_path / "old.txt").exit_code == 0
    assert audit("verify", "--against", tmp_path / "old.txt").exit_code == 0


def verified(folder, monkeypatch):
    """Runs the page's own lines over an export."""
    monkeypatch.chdir(folder.parent)
    exec(VERIFIER, {"__name__": "page"})  # noqa: S102 - our own page


@pytest.mark.parametrize("words", [(), ("--study", STUDY)])
def test_an_export_is_checked_by_the_lines_of_the_page(audit, tmp_path, monkeypatch, words):
    (tmp_path / "trail").mkdir()
    (tmp_path / "trail" / "proofs.jsonl").write_text("{}\n")  # of an earlier export
    done = audit("export", "--to", tmp_path / "trail", *words)
    assert done.exit_code == 0, done.output
    kept = (tmp_path / "trail" / "events.jsonl").read_bytes()
    assert len(kept.splitlines()) == (5 if words else 6)  # the export itself is an event
    verified(tmp_path / "trail", monkeypatch)
    (tmp_path / "trail" / "events.jsonl").write_bytes(kept.replace(b'"who":"bob"', b'"who":"eve"'))
    with pytest.raises(AssertionError):
        verified(tmp_path / "trail", monkeypatch)
    (tmp_path / "trail" / "events.jsonl").write_bytes(kept)
    note = tmp_path / "trail" / "checkpoint.txt"
    note.write_text(note.read_text("utf-8").replace("\n6\n", "\n7\n"), "utf-8")
    with pytest.raises(InvalidSignature):
        verified(tmp_path / "trail", monkeypatch)
