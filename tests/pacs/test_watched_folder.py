"""Files that appear in a folder are taken once, when they are whole, and left as they are."""

import os
import resource
import threading
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
import structlog
from pydicom.data import get_testdata_file

from camlucida.errors import DiskFull, InvalidConfiguration
from camlucida.pacs import watched_folder
from camlucida.pacs.watched_folder import Looked, WatchedFolders, refused
from camlucida.settings import settings
from camlucida.store.tables import InstanceRow
from waiting import until


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def watched(home, inbox):
    """Looks when asked; takes what it sees for settled."""
    return WatchedFolders(home, [inbox], settle_seconds=0)


@pytest.fixture(scope="module")
def ct():
    """The bytes of a small CT slice, changed as asked."""
    data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    data.PixelData = b""

    def make(number=0, **changes):
        data.SOPInstanceUID = f"1.2.3.{number}"
        for keyword, value in changes.items():
            setattr(data, keyword, value)
        buffer = pydicom.filebase.DicomBytesIO()
        data.save_as(buffer)
        return buffer.getvalue()

    return make


def rows(home):
    with home.database.read() as session:
        return session.query(InstanceRow).order_by(InstanceRow.id).all()


def test_files_in_the_folder_and_its_folders_are_taken_and_left_as_they_are(home, inbox, watched, ct):
    (inbox / "2026" / "11").mkdir(parents=True)
    paths = [inbox / "a.dcm", inbox / "2026" / "b", inbox / "2026" / "11" / "IM0001"]
    for number, path in enumerate(paths):
        path.write_bytes(ct(number))
    before = [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths]
    assert watched.look() == Looked(new=3)
    assert [(path.read_bytes(), path.stat().st_mtime_ns) for path in paths] == before
    assert {(row.origin, row.sender) for row in rows(home)} == {("folder", "inbox")}
    assert watched.look() == Looked()


def test_what_was_taken_is_remembered_over_a_restart(home, inbox, watched, ct, monkeypatch):
    (inbox / "a.dcm").write_bytes(ct())
    (inbox / "b.txt").write_text("no image")
    assert watched.look() == Looked(new=1, refused=1)
    monkeypatch.setattr(watched_folder, "_copied", lambda *_: pytest.fail("it was read again"))
    assert WatchedFolders(home, [inbox], settle_seconds=0).look() == Looked()


def test_a_changed_file_and_one_that_comes_again_are_looked_at_again(home, inbox, watched, ct):
    path = inbox / "a.dcm"
    path.write_bytes(ct(1))
    watched.look()
    path.write_bytes(ct(2, PatientComments="longer"))
    assert watched.look() == Looked(new=1)
    path.unlink()
    assert watched.look() == Looked()
    path.write_bytes(ct(2, PatientComments="longer"))
    assert watched.look() == Looked(known=1)
    assert len(rows(home)) == 2


def test_a_file_is_taken_when_it_has_not_grown_for_a_while(home, inbox, ct, monkeypatch):
    whole, clock = ct(), [1000.0]
    monkeypatch.setattr(watched_folder, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    watched = WatchedFolders(home, [inbox], settle_seconds=3)
    with (inbox / "slow.dcm").open("wb") as file:
        for begin in range(0, len(whole), len(whole) // 5 + 1):
            file.write(whole[begin : begin + len(whole) // 5 + 1])
            file.flush()
            assert watched.look() == Looked()
            clock[0] += 2
            assert watched.look() == Looked()
    clock[0] += 1
    assert watched.look() == Looked(new=1)
    (row,) = rows(home)
    assert home.blobs.get(row.digest) == whole


def test_files_that_appear_while_it_watches_are_taken(home, inbox, ct):
    with WatchedFolders(home, [inbox], settle_seconds=0.1):
        for number in range(2):
            (inbox / f"{number}.dcm").write_bytes(ct(number))
            until(lambda number=number: len(rows(home)) == number + 1)


def test_what_is_no_dicom_is_told_once_without_its_name_and_listed_with_it(home, inbox, watched):
    path = inbox / "Doe Jane.pdf"
    path.write_bytes(b"%PDF-1.7 Doe Jane")
    with structlog.testing.capture_logs() as lines:
        assert watched.look() == Looked(refused=1)
        assert watched.look() == Looked()
    (line,) = [line for line in lines if line["log_level"] == "warning"]
    assert line["reason"] == "this is not a DICOM file."
    assert "Doe" not in repr(lines)
    with home.database.read() as session:
        assert refused(session) == {str(path): "this is not a DICOM file."}


def test_links_pipes_and_unfinished_names_are_passed_over(home, inbox, watched, ct, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.dcm").write_bytes(ct())
    (inbox / "link.dcm").symlink_to(outside / "secret.dcm")
    (inbox / "folder").symlink_to(outside)
    (inbox / "loop").symlink_to(inbox)
    os.mkfifo(inbox / "pipe.dcm")
    for name in (".hidden.dcm", "a.dcm.part", "b.dcm.TMP", "c.filepart"):
        (inbox / name).write_bytes(ct())
    assert watched.look() == Looked()
    assert not rows(home)


def test_a_file_that_becomes_a_link_while_it_is_looked_at_is_not_followed(home, inbox, watched, ct, tmp_path):
    (tmp_path / "secret.dcm").write_bytes(ct())
    path = inbox / "a.dcm"
    path.write_bytes(ct())
    ((_, state),) = watched_folder._below(inbox)
    path.unlink()
    path.symlink_to(tmp_path / "secret.dcm")
    looked, reason = watched._take(path, inbox, state)
    assert (looked, reason) == (Looked(refused=1), "It cannot be read (Too many levels of symbolic links).")
    assert not rows(home)


def test_a_file_that_changes_while_it_is_copied_waits_for_the_next_look(home, inbox, watched, ct):
    path = inbox / "a.dcm"
    path.write_bytes(ct())
    ((_, state),) = watched_folder._below(inbox)
    with path.open("ab") as file:
        file.write(b"more")
    assert watched._take(path, inbox, state) == (Looked(), "")
    assert not rows(home)


def test_names_that_are_no_text(home, inbox, watched, ct):
    Path(os.fsdecode(os.fsencode(inbox) + b"/M\xfcller.dcm")).write_bytes(ct())
    assert watched.look() == Looked(new=1)
    assert WatchedFolders(home, [inbox], settle_seconds=0).look() == Looked()


def test_a_file_beyond_the_bound_is_refused_unread(home, inbox, watched):
    with (inbox / "huge.dcm").open("wb") as file:
        file.truncate(settings().max_file_bytes + 1)
    assert watched.look() == Looked(refused=1)
    with home.database.read() as session:
        assert "at most 2,000,000,000 are read" in "".join(refused(session).values())


@pytest.mark.slow
def test_hundreds_of_files_at_once(inbox, watched, ct):
    for number in range(300):
        (inbox / f"{number}.dcm").write_bytes(ct(number))
    assert watched.look() == Looked(new=300)
    assert watched.look() == Looked()


def test_a_full_disk_loses_nothing(home, inbox, watched, ct):
    (inbox / "a.dcm").write_bytes(ct(1))
    (inbox / "b.dcm").write_bytes(ct(2, PixelData=bytes(1 << 21), Rows=1024, Columns=1024))
    (inbox / "c.dcm").write_bytes(ct(3, Rows=128, Columns=128, PixelData=bytes(1 << 15)))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, unlimited[1]))
    try:
        with pytest.raises(DiskFull):
            watched.look()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert len(rows(home)) == 1
    assert watched.look() == Looked(new=2)


def test_a_folder_that_is_not_there_is_told_once_and_may_come_later(home, inbox, ct, tmp_path):
    later = tmp_path / "later"
    watched = WatchedFolders(home, [later, inbox], settle_seconds=0)
    (inbox / "a.dcm").write_bytes(ct(1))
    with structlog.testing.capture_logs() as lines:
        assert watched.look() == Looked(new=1)
        watched.look()
    assert [line["folder"] for line in lines if "not there" in line["event"]] == [str(later)]
    later.mkdir()
    (later / "b.dcm").write_bytes(ct(2))
    assert watched.look() == Looked(new=1)


@pytest.mark.parametrize("place", ["home", "home/blobs", "."])
def test_the_stations_own_home_is_not_watched(home, tmp_path, place):
    with pytest.raises(InvalidConfiguration, match="would take its own files; choose another folder"):
        WatchedFolders(home, [tmp_path / place])


def test_the_thread_ends_at_once_in_the_middle_of_many_files(home, inbox, ct, monkeypatch):
    for number in range(20):
        (inbox / f"{number}.dcm").write_bytes(ct(number))
    watched = WatchedFolders(home, [inbox], settle_seconds=0)
    in_the_middle, taken, take = threading.Event(), [], watched_folder.take

    def take_until_told_to_end(*given):
        taken.append(take(*given))
        if len(taken) == 5:
            in_the_middle.set()
            watched._stop.wait(120)
        return taken[-1]

    monkeypatch.setattr(watched_folder, "take", take_until_told_to_end)
    watched.start()
    assert in_the_middle.wait(120)
    watched.stop()
    assert len(rows(home)) == 5
    assert not [thread for thread in threading.enumerate() if thread.name == "watched folders"]
    # What was taken before the end is remembered: the rest, and only that, is new.
    assert WatchedFolders(home, [inbox], settle_seconds=0)._done.keys() == {
        str(inbox / f"{int(row.sop_instance_uid.rpartition('.')[2])}.dcm") for row in rows(home)
    }
