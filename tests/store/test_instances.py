"""Instances are kept once, whole and on the disk, whoever sends them how often."""

import os
import resource
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pydicom
import pytest
from pydicom.data import get_testdata_file
from sqlalchemy import event

from camlucida.errors import DiskFull, StoreError, UnreadableFile
from camlucida.store import instances, studies
from camlucida.store.instances import Kept, take
from camlucida.store.tables import InstanceRow, Intent, Origin, now
from camlucida.store.upkeep import sizes


@pytest.fixture
def ct(tmp_path):
    """A function that writes a small CT slice, changed as asked."""

    def write(name="ct.dcm", **changes):
        data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
        for keyword, value in changes.items():
            setattr(data, keyword, value)
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.save_as(tmp_path / name)
        return tmp_path / name

    return write


def rows(home):
    with home.database.read() as session:
        return session.query(InstanceRow).order_by(InstanceRow.id).all()


def blob(home, digest):
    return home.folder / "blobs" / "sha256" / digest[:2] / digest


def test_an_instance_is_kept_whole_with_what_is_searched_of_it(home, ct):
    path = ct()
    arrival = take(home, path, Origin.STORE, "MODALITY")
    (row,) = rows(home)
    assert arrival == (Kept.NEW, row.id, row.sop_instance_uid, row.study_instance_uid)
    assert home.blobs.get(row.digest) == path.read_bytes()
    assert (row.bytes, row.origin, row.sender) == (path.stat().st_size, "c-store", "MODALITY")
    assert (row.intent, row.conflicting, row.attempts) == ("waiting", False, 0)
    assert row.header["00080060"]["Value"] == ["CT"]


def test_a_part_is_moved_not_copied(home, ct):
    part = home.blobs.begin()
    part.write(ct().read_bytes())
    inode = part.path.stat().st_ino
    take(home, part, Origin.STORE)
    assert blob(home, rows(home)[0].digest).stat().st_ino == inode
    assert not part.path.exists()


def test_sent_again_it_is_known_and_nothing_is_written(home, ct):
    path = ct()
    first = take(home, path, Origin.STORE)
    kept = blob(home, rows(home)[0].digest)
    before = kept.stat()
    again = take(home, path, Origin.FOLDER)
    assert again == first._replace(kept=Kept.KNOWN)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(rows(home)) == 1


def test_another_file_meta_group_makes_no_other_instance_and_no_other_blob(home, ct, tmp_path):
    path = ct()
    take(home, path, Origin.STORE)
    data = pydicom.dcmread(path)
    data.file_meta.SourceApplicationEntityTitle = "OTHER"
    data.save_as(tmp_path / "other.dcm")
    assert take(home, tmp_path / "other.dcm", Origin.STORE).kept is Kept.KNOWN
    assert sizes.of_home(home).unused == 0


def test_the_same_uid_with_other_content_is_kept_apart_and_the_first_is_shown(home, ct):
    first, second = ct("a.dcm"), ct("b.dcm", PatientName="Doe^Jane")
    take(home, first, Origin.STORE)
    assert take(home, second, Origin.STORE).kept is Kept.CONFLICTING
    assert take(home, second, Origin.STORE).kept is Kept.KNOWN
    kept, apart = rows(home)
    assert (kept.conflicting, apart.conflicting) == (False, True)
    assert home.blobs.get(apart.digest) == second.read_bytes()
    with home.database.read() as session:
        uids = kept.study_instance_uid, kept.series_instance_uid
        assert [row.id for row in instances.of_study(session, uids[0])] == [kept.id]
        assert [row.id for row in instances.of_series(session, *uids)] == [kept.id]
        assert instances.find(session, kept.sop_instance_uid).id == kept.id
        assert instances.of_study(session, "1.2.3") == []


@pytest.mark.parametrize("damage", [b"", b"DICM" * 100, None])
def test_a_damaged_blob_is_healed_by_sending_again(home, ct, damage):
    path = ct()
    take(home, path, Origin.STORE)
    kept = blob(home, rows(home)[0].digest)
    if damage is None:
        kept.unlink()
    else:
        kept.write_bytes(damage)
    assert take(home, path, Origin.STORE).kept is Kept.KNOWN
    assert home.blobs.get(rows(home)[0].digest) == path.read_bytes()


def test_a_damaged_blob_is_healed_by_a_file_with_another_meta_group(home, ct, tmp_path):
    path = ct()
    take(home, path, Origin.STORE)
    blob(home, rows(home)[0].digest).unlink()
    data = pydicom.dcmread(path)
    data.file_meta.SourceApplicationEntityTitle = "OTHER"
    data.save_as(tmp_path / "other.dcm")
    take(home, tmp_path / "other.dcm", Origin.STORE)
    (row,) = rows(home)
    assert home.blobs.get(row.digest) == (tmp_path / "other.dcm").read_bytes()
    assert row.bytes == (tmp_path / "other.dcm").stat().st_size


def test_sent_by_eight_at_once_it_is_one(home, ct):
    path, gate = ct(), threading.Barrier(8)

    def send(_):
        gate.wait()
        return take(home, path, Origin.STORE).kept

    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(send, range(8)))
    assert sorted(kept) == [Kept.KNOWN] * 7 + [Kept.NEW]
    (row,) = rows(home)
    assert home.blobs.get(row.digest) == path.read_bytes()
    assert not list((home.folder / "blobs" / "parts").iterdir())


def test_what_is_no_instance_is_refused_and_leaves_nothing(home, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("Dear colleague")
    with pytest.raises(UnreadableFile):
        take(home, path, Origin.FOLDER)
    assert (rows(home), dict(home.blobs.sizes())) == ([], {})


def test_no_room_on_the_disk_is_told_and_leaves_nothing(home, ct):
    path = ct(PixelData=b"\0\1" * (1 << 20), Rows=1024, Columns=1024)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, unlimited[1]))
    try:
        with pytest.raises(DiskFull, match="disk of the home folder is full"):
            take(home, path, Origin.STORE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert (rows(home), dict(home.blobs.sizes())) == ([], {})
    assert not list((home.folder / "blobs" / "parts").iterdir())
    assert take(home, path, Origin.STORE).kept is Kept.NEW


def test_no_room_in_the_database_is_told_without_the_header(sqlite_home, ct):
    def fill(connection, _):
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sqlite_home.database.close()
    event.listen(sqlite_home.database.engine, "connect", fill)
    paths = [ct(f"{number}.dcm", SOPInstanceUID=f"1.2.{number}") for number in range(40)]
    with pytest.raises(DiskFull) as told:
        [take(sqlite_home, path, Origin.STORE) for path in paths]
    assert "CompressedSamples" not in str(told.value)


def test_a_database_that_cannot_be_written_is_told_without_the_header(sqlite_home, ct):
    with sqlite_home.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE deliveries")
        connection.exec_driver_sql("DROP TABLE instances")
    with pytest.raises(StoreError, match=r"SQLITE_ERROR.*check the disk") as told:
        take(sqlite_home, ct(), Origin.STORE)
    assert "CompressedSamples" not in str(told.value)


def test_what_a_killed_process_was_writing_is_removed_and_what_another_writes_is_not(home):
    program = (
        "import os, sys; from pathlib import Path; from camlucida.store.blobs import Blobs\n"
        f"part = Blobs(Path({str(home.folder / 'blobs')!r})).begin(); part.write(b'x'); part.finish()\n"
        "print(part.path, flush=True); sys.stdin.read()"
    )
    writer = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1, text=True)  # noqa: S603
    with writer:
        part = home.folder / writer.stdout.readline().strip()
        type(home.blobs)(home.folder / "blobs")
        assert part.read_bytes() == b"x"
        writer.kill()
    assert part.exists()
    type(home.blobs)(home.folder / "blobs")
    assert not part.exists()


def test_a_blob_and_its_name_are_on_the_disk_before_the_row_is(sqlite_home, ct, monkeypatch):
    """In this order: content, its name, the folder's entry, then the database says so (synchronous FULL)."""
    steps = []
    sync, replace = os.fsync, os.replace

    def kind(descriptor):
        return "folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file"  # noqa: PTH112

    monkeypatch.setattr(os, "fsync", lambda fd: (steps.append(kind(fd)), sync(fd))[1])
    monkeypatch.setattr(os, "replace", lambda *pair: (steps.append("name"), replace(*pair))[1])
    monkeypatch.setattr(instances, "_enter", lambda *_: steps.append("row"))
    take(sqlite_home, ct(), Origin.STORE)
    assert steps == ["file", "name", "folder", "folder", "folder", "row"]
    with sqlite_home.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_study_is_complete_after_a_quiet_period(home, ct):
    study = take(home, ct(), Origin.STORE).study_instance_uid
    with home.database.read() as session:
        assert instances.complete_studies(session, timedelta(seconds=0)) == [study]
        assert instances.complete_studies(session, timedelta(hours=1)) == []
    with home.database.write() as session:
        session.query(InstanceRow).one().received = now() + timedelta(days=1)
    with home.database.read() as session:
        assert instances.complete_studies(session, timedelta(hours=1)) == [study]


def test_what_became_of_an_instance_is_kept_with_the_reason(home, ct):
    study = take(home, ct(), Origin.STORE).study_instance_uid
    with home.database.write() as session:
        waiting = instances.waiting(session, study)
        instances.attempt(session, waiting)
        instances.settle(session, waiting, Intent.NOT_FOR_US, "no model takes such images")
    (row,) = rows(home)
    assert (row.attempts, row.intent, row.reason) == (1, "not for us", "no model takes such images")
    with home.database.read() as session:
        assert instances.waiting(session, study) == []


def test_an_instance_and_the_file_of_its_image_are_one_blob_and_count_once(home, ct, make_image):
    path = ct()
    take(home, path, Origin.STORE)
    uid = rows(home)[0].study_instance_uid
    image = make_image()
    studies.keep(home, [image], [path])
    with home.database.write() as session:
        session.query(studies.StudyRow).one().study_instance_uid = uid
    size = path.stat().st_size
    assert sizes.of_home(home).originals == size
    (study,) = sizes.of_studies(home)
    assert (study.originals, study.results) == (size, 0)
    take(home, ct("sr.dcm", SOPInstanceUID="1.2.3"), Origin.RESULT, intent=Intent.TAKEN)
    (study,) = sizes.of_studies(home)
    assert study.results == sizes.of_home(home).results == rows(home)[1].bytes
    kinds = sizes.of_home(home)._replace(database=0)
    assert sum(kinds) == sum(
        path.stat().st_size for path in (home.folder / "blobs").rglob("*") if path.is_file()
    )
