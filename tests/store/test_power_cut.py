"""The power fails: of what was not yet synced, any part is on the disk. What was told to be kept is there.

Both halves of the store are cut as a disk would cut them. Of the blobs only those remain whose content and
name were synced by then. Of SQLite's write-ahead log, what follows the last commit that was told is there, is
not, or is something else, sector by sector.
"""

import os
import random
import shutil
from contextlib import closing

import pydicom
import pytest
from pydicom.data import get_testdata_file

from camlucida.records.event import EventKind
from camlucida.store import instances
from camlucida.store.audit import events, trail
from camlucida.store.home import FILE, Home
from camlucida.store.tables import InstanceRow, Origin

SECTOR = 512
ARRIVALS = 6
CUTS = 12  # after each of them


class Disk:
    """What is on the disk whatever happens: files, by the folder's entries that were synced."""

    def __init__(self, monkeypatch):
        self._synced, self._entries = set(), {}
        self._sync = os.fsync
        monkeypatch.setattr(os, "fsync", self._fsync)

    def _fsync(self, descriptor):
        self._sync(descriptor)
        place = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115
        if os.path.isdir(place):  # noqa: PTH112
            self._entries[place] = {entry.name for entry in os.scandir(place) if self._is_safe(entry)}
        else:
            self._synced.add(os.fstat(descriptor).st_ino)

    def _is_safe(self, entry):
        return entry.is_dir() or entry.inode() in self._synced

    def files(self, folder):
        """Those below a folder to which synced entries lead."""
        for name in self._entries.get(str(folder), ()):
            path = folder / name
            if path.is_dir():
                yield from self.files(path)
            else:
                yield path


def sends(folder, number):
    data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
    path = folder / f"{number}.dcm"
    data.save_as(path)
    return path


def rest_of_log(written, told, chance):
    """The write-ahead log after a cut: what was told is there, and of the rest what the disk came to."""
    rest = bytearray(written[told : chance.randint(told, len(written))])
    for start in range(0, len(rest), SECTOR):
        length = len(rest[start : start + SECTOR])
        became = chance.choice(["written", "zeros", "anything"])
        if became != "written":
            rest[start : start + SECTOR] = bytes(length) if became == "zeros" else chance.randbytes(length)
    return written[:told] + bytes(rest)


@pytest.fixture
def arrivals(sqlite_home, tmp_path, monkeypatch):
    """The home while instances arrive; after each: the log's length, and the blobs that are on the disk."""
    disk, told = Disk(monkeypatch), []
    log = sqlite_home.folder / f"{FILE}-wal"
    for number in range(ARRIVALS):
        instances.take(sqlite_home, sends(tmp_path, number), Origin.STORE)
        with sqlite_home.database.write() as session:
            events.note(session, EventKind.IMPORTED, events.STATION, {"number": number})
        told.append((log.stat().st_size, list(disk.files(sqlite_home.folder / "blobs"))))
    return sqlite_home.folder, log.read_bytes(), told


@pytest.mark.parametrize("number", range(ARRIVALS - 1))
def test_what_was_told_to_be_kept_is_there_after_a_cut(arrivals, tmp_path, number):
    folder, log, told = arrivals
    length, blobs = told[number]
    assert length < told[number + 1][0]  # there is something to lose
    chance = random.Random(number)  # noqa: S311 - nothing secret
    for cut in range(CUTS):
        after = tmp_path / f"after{cut}"
        after.mkdir()
        shutil.copyfile(folder / FILE, after / FILE)
        (after / f"{FILE}-wal").write_bytes(rest_of_log(log, length, chance))
        for blob in blobs:
            kept = after / blob.relative_to(folder)
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(blob, kept)
        with closing(Home.open(after)) as home:
            is_whole(home, number + 1)


def is_whole(home, at_least):
    """Arrivals are there in their order, none half; of those that were told, the files, too."""
    with home.database.read() as session:
        rows = session.query(InstanceRow).order_by(InstanceRow.id).all()
    assert [row.sop_instance_uid for row in rows] == [f"1.2.3.{n}" for n in range(len(rows))]
    assert len(rows) >= at_least
    assert all(home.blobs.intact(row.digest) for row in rows[:at_least])
    with home.database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    verdict = trail.verify(home)
    assert not verdict.faults
    assert verdict.size >= at_least
