"""The disk of the home folder is really full, a small tmpfs: senders are told, and nothing half is left.

That the kernel refuses a file beyond a limit is seen in test_receive.py: nothing needs to be mounted for it.
"""

import os
import re
import shutil
import sqlite3
import subprocess
from collections import Counter
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file

from camlucida.store import deliveries, instances
from camlucida.store.blobs import digest_of_file, place
from camlucida.store.home import Home
from camlucida.store.tables import Intent, Origin
from receiving_station import Station
from storescp import StoreScp
from storescu import send
from waiting import until

MEBIBYTE = 1 << 20
SPACE = 32 * MEBIBYTE
PAGE = 4096  # of a tmpfs
SUCCESS, OUT_OF_RESOURCES = 0x0000, 0xA700
ANSWER = re.compile(r"Sending file: \S*/(\d+)\.dcm\n(?:(?!Sending file).*\n)*?.*Store Response \((.*)\)")

# In a mount namespace of its own: nobody else sees the disk, and it ends with the process.
OWN_DISK = 'mount -t tmpfs -o size="$1" tmpfs "$3" && cp -a "$2/." "$3" && shift 3 && exec "$@"'


def with_own_disk(content, folder):
    """The words before a command that has a small disk with some content mounted on this folder.

    Root may mount it, and in a user namespace of its own anybody may, as a rule.
    """
    said = ""
    for anybody in ([], ["--map-root-user"]):
        words = ["/usr/bin/unshare", "--mount", *anybody, "sh", "-c", OWN_DISK, "sh"]
        before = [*words, str(SPACE), str(content), str(folder)]
        tried = subprocess.run([*before, "true"], capture_output=True, text=True, check=False)  # noqa: S603
        if tried.returncode == 0:
            return before
        said = tried.stderr.strip()
    end = pytest.fail if os.environ.get("CI") else pytest.skip
    return end(f"a disk of its own cannot be mounted here: {said}")


class Disk:
    """The home folder on its own disk, as the station's process sees it."""

    def __init__(self, station):
        self._home = Path(f"/proc/{station.process.pid}/root{station.home}")
        self._copy = station.home.parent / "copy.sqlite"

    @contextmanager
    def full(self, free=0):
        """No more than so many bytes are free."""
        ballast = self._home / "ballast"
        with ballast.open("wb") as file:
            state = os.statvfs(self._home)
            os.posix_fallocate(file.fileno(), 0, max(state.f_bavail * state.f_frsize - free, 1))
        yield
        ballast.unlink()

    def ask(self, question):
        for end in ("", "-wal"):  # SQLite itself would follow the path to the folder that is mounted over
            shutil.copyfile(self._home / f"camlucida.sqlite{end}", f"{self._copy}{end}")
        with closing(sqlite3.connect(self._copy)) as database:
            return database.execute(question).fetchall()

    def kept(self):
        """How many rows there are of each UID; every blob has been looked at."""
        rows = self.ask("SELECT sop_instance_uid, digest FROM instances")
        assert all(digest_of_file(self._home / "blobs" / place(digest)) == digest for _, digest in rows)
        assert not list((self._home / "blobs" / "parts").iterdir())
        return Counter(uid for uid, _ in rows)


@pytest.fixture
def home(tmp_path):
    """What is on the disk at first."""
    opened = Home.open(tmp_path / "content")
    yield opened
    opened.close()


@pytest.fixture
def start(tmp_path, home):
    """A function that starts a station on its own disk."""
    (tmp_path / "home").mkdir()
    before = with_own_disk(home.folder, tmp_path / "home")
    with ExitStack() as running:
        yield lambda: running.enter_context(Station(tmp_path, before=before))


@pytest.fixture
def station(start):
    return start()


@pytest.fixture
def ct(tmp_path):
    """A function that writes a CT slice with a UID of its own."""
    data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    data.Rows = data.Columns = 16

    def write(number, pixels=512):
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        data.PixelData = number.to_bytes(2, "little") * (pixels // 2)
        data.save_as(tmp_path / f"{number}.dcm")
        return tmp_path / f"{number}.dcm"

    return write


def storescu_of(port, files):
    """A sender that goes on after a refusal."""
    command = ["storescu", "-v", "-nh", "-aec", "CAMLUCIDA", "127.0.0.1", str(port), *map(str, files)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True)  # noqa: S603


@pytest.mark.slow
def test_of_many_senders_some_are_told_and_when_there_is_room_all_is_there_once(station, ct):
    disk = Disk(station)
    files = [ct(number, pixels=MEBIBYTE) for number in range(24)]

    def store():
        senders = [storescu_of(station.port, files[n::4]) for n in range(4)]
        return dict(answer for sender in senders for answer in ANSWER.findall(sender.communicate()[1]))

    with disk.full(free=8 * MEBIBYTE):
        told = store()
        assert set(told.values()) == {"Success", "Refused: OutOfResources"}
        acknowledged = [f"1.2.3.{number}" for number, word in told.items() if word == "Success"]
        assert disk.kept() == dict.fromkeys(acknowledged, 1)
    assert set(store().values()) == {"Success"}
    assert disk.kept() == {f"1.2.3.{number}": 1 for number in range(24)}
    assert "The disk of the home folder is full" in station.stderr
    assert "A700" in station.stderr
    assert not [word for word in ("1.2.3.", "CompressedSamples", "Traceback") if word in station.stderr]


def test_whatever_there_is_no_room_for_nothing_half_is_left(station, ct):
    """The part file, its folder, the database's page or its log: where it ends depends on what is free."""
    disk, acknowledged = Disk(station), {}
    assert send(station.port, ct(1)) == [SUCCESS]
    acknowledged["1.2.3.1"] = 1
    told = []
    for pages in range(24):
        path = ct(100 + pages)
        with disk.full(free=pages * PAGE):
            told += send(station.port, path)
            if told[-1] == SUCCESS:
                acknowledged[f"1.2.3.{100 + pages}"] = 1
            assert disk.kept() == acknowledged
    assert set(told) == {SUCCESS, OUT_OF_RESOURCES}
    assert told[0] == OUT_OF_RESOURCES
    for pages in range(24):
        assert send(station.port, ct(100 + pages)) == [SUCCESS]
    assert disk.kept() == dict.fromkeys(["1.2.3.1", *(f"1.2.3.{100 + pages}" for pages in range(24))], 1)


@pytest.mark.slow
def test_what_is_sent_and_cannot_be_noted_is_noted_later(start, home, ct, tmp_path):
    receiver = StoreScp(tmp_path)
    (home.folder / "pacs.toml").write_text(
        f'[destination.pacs]\nkind = "dimse"\nae_title = "STORESCP"\n'
        f'host = "127.0.0.1"\nport = {receiver.port}\n'
    )
    ids = [instances.take(home, ct(n), Origin.RESULT, intent=Intent.TAKEN).id for n in range(1, 5)]
    with home.database.write() as session:
        for one in ids:
            deliveries.want(session, one, "pacs")
    home.database.engine.dispose()
    station = start()
    disk = Disk(station)
    with disk.full(), receiver:
        until(lambda: "sending failed" in station.stderr, said=lambda: station.stderr)
        assert disk.ask("SELECT DISTINCT state FROM deliveries") == [("waiting",)]
    with receiver:
        until(lambda: disk.ask("SELECT DISTINCT state FROM deliveries") == [("sent",)])
    assert len(receiver.received) == len(ids)
