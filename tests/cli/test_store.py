import json
from contextlib import closing
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.settings import settings
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, FileKind, FileRow, now
from camlucida.store.turn import UPKEEP, Turn, is_shared
from s3 import BUCKET


def test_size_tells_evidence_apart_from_pixels(run, full_home):
    done = run("store", "size", "--home", full_home)
    assert done.returncode == 0, done.stderr
    for word in ("originals", "pixels", "evidence", "database", "unused", "By study"):
        assert word in done.stdout
    assert done.stdout.count("Phantom chest radiograph") == 3
    assert "Evidence of a study:" in done.stdout
    assert "PHANTOM^" not in done.stdout.upper()  # nobody's name


def test_a_folder_without_a_store_is_a_sentence_and_stays_empty(run, tmp_path):
    done = run("store", "size", "--home", tmp_path / "nothing")
    assert done.returncode == 1
    assert "There is no store in" in done.stderr
    assert not (tmp_path / "nothing").exists()


@pytest.fixture
def call(monkeypatch):
    """Runs `camlucida store …` in this process."""
    monkeypatch.setenv("COLUMNS", "200")

    def call_one(*words):
        return CliRunner().invoke(app, ["store", *map(str, words)])

    return call_one


def some_blob(home, query):
    with closing(Home.open(home)) as opened, opened.database.read() as session:
        digest = session.scalars(query.limit(1)).one()
    return home / "blobs" / "sha256" / digest[:2] / digest


def test_size_comes_in_pages_and_as_json(call, full_home):
    done = call("size", "--home", full_home, "--limit", 2, "--offset", 1)
    assert done.stdout.count("Phantom chest radiograph") == 2
    assert "2 to 3 of 3" in done.stderr
    told = json.loads(call("size", "--home", full_home, "--json").stdout)
    assert told["studies"] == len(told["shown"]) == 3
    assert sum(study["evidence"] for study in told["shown"]) == told["kinds"]["evidence"]


def test_verify_finds_a_flipped_byte_and_mends_what_can_be(call, full_home):
    assert call("verify", "--home", full_home).exit_code == 0
    pixels = select(FileRow.digest).where(FileRow.kind == FileKind.PIXELS)
    for query in (select(ExplanationRow.digest), pixels):
        blob = some_blob(full_home, query)
        blob.write_bytes(blob.read_bytes()[:-1] + b"x")
    done = call("verify", "--home", full_home)
    assert (done.exit_code, "2 wrong" in done.stdout) == (1, True), done.output
    assert f"{blob.name} damaged (pixels)" in done.stdout
    done = call("verify", "--home", full_home, "--mend")
    assert (done.exit_code, "2 wrong, 2 mended" in done.stdout) == (0, True), done.output
    original = select(FileRow.digest).where(FileRow.kind == FileKind.ORIGINAL)
    some_blob(full_home, original).unlink()
    done = call("verify", "--home", full_home, "--mend")
    assert (done.exit_code, "import or send it again" in done.stdout) == (1, True)


def test_prune_removes_nothing_unless_it_is_told_to(call, full_home):
    (full_home / "retention.toml").write_text("evidence_days = 1\nalso_seen = true\n")
    with closing(Home.open(full_home)) as opened, opened.database.write() as session:
        session.execute(update(ExplanationRow).values(finished=now() - timedelta(days=3)))
    done = call("prune", "--home", full_home)
    assert "evidence_days = 1: 3 rows" in done.stdout
    assert "Nothing was removed" in done.stderr
    assert "evidence_days = 1: 3 rows" in call("prune", "--home", full_home, "--do").stdout
    assert "evidence_days = 1: 0 rows" in call("prune", "--home", full_home, "--do").stdout


def test_a_backup_is_restored_into_a_new_home(call, full_home, tmp_path):
    done = call("backup", tmp_path / "backup", "--home", full_home)
    assert done.exit_code == 0, done.output
    assert "kept files" in done.stdout
    assert ", 0 wrong" in call("restore", tmp_path / "backup", "--dry-run").stdout
    assert call("restore", tmp_path / "backup", "--home", tmp_path / "new").exit_code == 0
    assert call("verify", "--home", tmp_path / "new").exit_code == 0
    assert call("restore", tmp_path / "backup", "--home", tmp_path / "new").exit_code == 1
    assert "no whole backup" in call("restore", tmp_path / "nothing").stderr


@pytest.mark.usefixtures("s3")
def test_everything_is_copied_to_postgresql_and_s3_and_is_the_same_there(
    call, full_home, postgresql, monkeypatch
):
    url, blobs = postgresql.database(), f"s3://{BUCKET}/moved"
    done = CliRunner().invoke(
        app,
        ["store", "migrate", "--home", str(full_home), "--to-database", "-", "--to-blobs", blobs],
        input=f"{url}\n",
    )
    assert done.exit_code == 0, done.output
    assert "copied and compared" in done.stdout
    assert "CAMLUCIDA_DATABASE_URL and CAMLUCIDA_BLOBS_URL" in done.stderr
    here = json.loads(call("size", "--home", full_home, "--json").stdout)
    monkeypatch.setenv("CAMLUCIDA_DATABASE_URL", url)
    monkeypatch.setenv("CAMLUCIDA_BLOBS_URL", blobs)
    settings.cache_clear()
    try:
        there = json.loads(call("size", "--home", full_home, "--json").stdout)
        assert there["shown"] == here["shown"]
        assert call("verify", "--home", full_home).exit_code == 0
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    again = call("migrate", "--home", full_home, "--to-database", url)
    assert (again.exit_code, "a store already" in again.stderr) == (1, True)


def other_machine(home, place):
    """The same store as another machine has it: on PostgreSQL, with a folder of its own."""
    return Home.open(place / "other-machine" if is_shared(home) else home.folder)


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
def test_one_store_command_at_a_time_whatever_machine_it_runs_on(call, database, request, tmp_path):
    if database == "PostgreSQL":
        request.getfixturevalue("on_postgresql")
    with closing(Home.open(tmp_path / "home")) as home, closing(other_machine(home, tmp_path)) as other:
        held = Turn(other, UPKEEP)
        assert held.take()
        try:
            done = call("prune", "--home", home.folder)
        finally:
            held.release()
        assert done.exit_code == 1
        assert "Another `camlucida store` command" in done.stderr
        assert call("prune", "--home", home.folder).exit_code == 0
