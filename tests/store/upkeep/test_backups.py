import os
import signal
import subprocess
import sys
from contextlib import closing

import pytest
from sqlalchemy import select

from camlucida.errors import DamagedBlob, StoreError
from camlucida.records import EventKind
from camlucida.settings import settings
from camlucida.store import explanations, studies
from camlucida.store.blobs import Blobs
from camlucida.store.database import Database, upgrade
from camlucida.store.explanations import CurrentModel
from camlucida.store.home import Home
from camlucida.store.tables import EventRow, ExplanationRow, WorklistRow
from camlucida.store.upkeep import backups, checking, copying, retention

MODEL = "a" * 64
ON_ONE = pytest.mark.parametrize("home", ["sqlite"], indirect=True)


@pytest.fixture
def kept(home, make_image, make_explanation, original):
    studies.keep(home, [make_image(seed=n) for n in range(3)], [original])
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    with home.database.write() as session:
        for image in explanations.unseen(session, MODEL, "grad-cam"):
            explanations.want(session, image.id, MODEL, "grad-cam")
    with home.database.read() as session:
        wanted = explanations.waiting(session, MODEL)
    for seed, identifier in enumerate(wanted[:2]):
        explanations.keep(home, identifier, make_explanation(seed=seed))
    (home.folder / "pacs.toml").write_text("# listens nowhere\n")
    (home.folder / "models").mkdir()
    (home.folder / "models" / "weights").write_bytes(b"weights")
    (home.folder / "waiting").mkdir()  # as while a worker runs
    os.mkfifo(home.folder / "waiting" / "1")
    return home


def rows(database):
    """All rows of all tables."""
    with database.read() as session:
        return {
            table.name: [
                tuple(bytes(one) if isinstance(one, memoryview) else one for one in row)
                for row in session.execute(select(table).order_by(*table.primary_key))
            ]
            for table in copying.tables()
        }


def _first_digest(session):
    return session.scalars(select(ExplanationRow.digest).where(ExplanationRow.digest.is_not(None))).first()


@pytest.fixture
def no_other_database(monkeypatch):
    """The restored home is embedded, whatever the first one was."""
    monkeypatch.delenv("CAMLUCIDA_DATABASE_URL", raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_backup_comes_back_with_every_row_and_every_file(kept, tmp_path, request):
    before = rows(kept.database)
    made = backups.back_up(kept, tmp_path / "backup", "cli:test")
    request.getfixturevalue("no_other_database")
    found = backups.find(tmp_path / "backup")
    assert (found.folder, found.files) == (made.folder, made.files)
    assert backups.check(found) == []
    with closing(backups.restore(found, tmp_path / "new", "cli:test")) as restored:
        after = rows(restored.database)
        assert {name: values for name, values in after.items() if name not in {"events", "checkpoints"}} == {
            name: values for name, values in before.items() if name not in {"events", "checkpoints"}
        }
        assert after["events"][: len(before["events"])] == before["events"]
        with restored.database.read() as session:
            assert session.scalars(select(EventRow.kind)).all()[-1] == EventKind.RESTORED
            assert session.scalars(select(WorklistRow)).all()
            assert explanations.load(restored, _first_digest(session))
        assert (restored.folder / "models" / "weights").read_bytes() == b"weights"
        files = checking.files_to_check(restored)
        assert not [one for one in checking.check(restored, files) if one.fault]
        assert restored.folder.joinpath("pacs.toml").is_file()


@ON_ONE
def test_a_second_backup_copies_only_what_is_new(kept, tmp_path, monkeypatch, make_image, original):
    first = backups.back_up(kept, tmp_path / "backup", "cli:test")
    original.write_bytes(b"another one")
    studies.keep(kept, [make_image(seed=9)], [original])
    copied = []
    path = kept.blobs.path
    monkeypatch.setattr(kept.blobs, "path", lambda digest: copied.append(digest) or path(digest))
    first.folder.rename(first.folder.with_name("2020-01-01T000000Z"))
    second = backups.back_up(kept, tmp_path / "backup", "cli:test")
    assert set(copied) == second.files.keys() - first.files.keys()
    assert backups.find(tmp_path / "backup").folder == second.folder


@ON_ONE
def test_a_backup_that_was_stopped_is_none_and_the_next_takes_its_files(kept, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(backups, "_copy_rest", stop)
    with pytest.raises(KeyboardInterrupt):
        backups.back_up(kept, tmp_path / "backup", "cli:test")
    monkeypatch.undo()
    with pytest.raises(StoreError, match="no whole backup"):
        backups.find(tmp_path / "backup")
    backups.back_up(kept, tmp_path / "backup", "cli:test")
    assert not list((tmp_path / "backup").glob("*.partial"))


@ON_ONE
def test_a_backup_with_another_byte_is_refused(kept, tmp_path, request):
    made = backups.back_up(kept, tmp_path / "backup", "cli:test")
    request.getfixturevalue("no_other_database")
    digest = next(iter(made.files))
    place = tmp_path / "backup" / "blobs" / "sha256" / digest[:2] / digest
    content = place.read_bytes()
    place.write_bytes(content + b" ")
    assert backups.check(made) == [digest]
    with pytest.raises(DamagedBlob):
        backups.restore(made, tmp_path / "new", "cli:test")
    assert not Home.is_there(tmp_path / "new")  # and once it is whole again, it goes on
    place.write_bytes(content)
    backups.restore(made, tmp_path / "new", "cli:test").close()
    with (made.folder / "camlucida.sqlite").open("r+b") as file:
        file.seek(-10, os.SEEK_END)
        file.write(b"x")
    with pytest.raises(StoreError, match=r"camlucida\.sqlite"):
        backups.find(tmp_path / "backup")


@ON_ONE
def test_a_damaged_file_is_told_and_leaves_the_others_their_backup(kept, tmp_path):
    whole = backups.back_up(kept, tmp_path / "whole", "cli:test")
    digest, *others = whole.files
    kept.blobs.path(digest).write_bytes(b"not what was kept")
    made = backups.back_up(kept, tmp_path / "backup", "cli:test")
    assert (made.lost, list(made.files)) == ((digest,), others)
    assert backups.find(tmp_path / "backup") == made
    assert backups.check(made) == []


def test_a_store_is_not_restored_over_another(kept, tmp_path):
    made = backups.back_up(kept, tmp_path / "backup", "cli:test")
    with pytest.raises(StoreError, match="There is a store"):
        backups.restore(made, kept.folder, "cli:test")


def test_a_store_is_copied_to_another_database(kept, tmp_path):
    """From either to SQLite; the other way is in `test_from_a_file_to_postgresql`."""
    target = Database(tmp_path / "other.sqlite")
    upgrade(target.engine)
    with closing(target):
        copying.copy_rows(kept.database, target)
        assert rows(target) == rows(kept.database)
        with pytest.raises(StoreError, match="a store already"):
            copying.copy_rows(kept.database, target)


@pytest.mark.usefixtures("on_postgresql")
def test_from_a_file_to_postgresql(tmp_path, make_image, original):
    with closing(Home.open(tmp_path / "home", embedded=True)) as source:
        studies.keep(source, [make_image()], [original])
        with closing(Home.open(tmp_path / "other")) as target:
            copying.copy_rows(source.database, target.database)
            assert rows(target.database) == rows(source.database)
            original.write_bytes(b"the next")  # ids go on where they were
            assert studies.keep(target, [make_image(seed=5)], [original]) == (1, 0)


KILLED = """
import os, signal, sys
from pathlib import Path
from camlucida.store.upkeep import backups, copying, retention
from camlucida.store.blobs import Blobs
from camlucida.store.home import Home

what, home, other = sys.argv[1], *map(Path, sys.argv[2:])
calls = []

def dying(step):
    def taken(*words):
        calls.append(words)
        if len(calls) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*words)
    return taken

Blobs._settle, Blobs.remove = dying(Blobs._settle), dying(Blobs.remove)
if what == "restore":
    backups.restore(backups.find(other), home, "cli:test")
opened = Home.open(home)
if what == "back up":
    backups.back_up(opened, other, "cli:test")
if what == "copy":
    list(copying.copy_files(opened.blobs, Blobs(other), dict(opened.blobs.sizes())))
if what == "prune":
    retention.prune(opened, retention.Rules(), "cli:test", do=True)
"""


def kill(*words):
    done = subprocess.run([sys.executable, "-c", KILLED, *map(str, words)], check=False)  # noqa: S603 - ours
    assert done.returncode == -signal.SIGKILL


@ON_ONE
def test_whatever_is_killed_in_the_middle_leaves_a_sound_store_and_goes_on(kept, tmp_path):
    new, backup = tmp_path / "new", tmp_path / "backup"
    files = dict(kept.blobs.sizes())

    kill("back up", kept.folder, backup)
    with pytest.raises(StoreError, match="no whole backup"):
        backups.find(backup)
    made = backups.back_up(kept, backup, "cli:test")
    assert backups.check(made) == []

    kill("restore", new, backup)
    assert not Home.is_there(new)
    with closing(backups.restore(made, new, "cli:test")) as restored:
        assert dict(restored.blobs.sizes()) == files

    kill("copy", kept.folder, tmp_path / "blobs")
    target = Blobs(tmp_path / "blobs")
    assert all(target.intact(digest) for digest, _ in target.sizes())
    list(copying.copy_files(kept.blobs, target, files))
    assert dict(target.sizes()) == files

    for number in range(5):
        digest = kept.blobs.put(b"left by a crash" + bytes([number]))
        os.utime(kept.folder / "blobs" / "sha256" / digest[:2] / digest, (1, 1))
    kill("prune", kept.folder, tmp_path)
    assert len(dict(kept.blobs.sizes())) == len(files) + 3
    retention.prune(kept, retention.Rules(), "cli:test", do=True)
    assert dict(kept.blobs.sizes()) == files
