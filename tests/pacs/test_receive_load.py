"""Many senders at once, senders that are cut off, a station that is killed: nothing lost, nothing double."""

import random
import re
import subprocess
import time

import pydicom
import pytest
from pydicom.data import get_testdata_file

from camlucida.store.database import InstanceRow
from camlucida.store.home import Home
from receiving_station import Station

ACKNOWLEDGED = re.compile(
    r"Sending file: \S*/(\d+)\.dcm\n(?:(?!Sending file).*\n)*?.*Store Response \(Success\)"
)
MEMORY = 96 << 20  # beyond what the station has when it has started


@pytest.fixture(scope="module")
def write_ct():
    """A function that writes a small CT slice with a UID of its own."""
    data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    data.Rows = data.Columns = 16

    def write(path, number, pixels=512):
        data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number}"
        data.PixelData = bytes(pixels)
        data.save_as(path)
        return path

    return write


def kept(home_folder):
    """How many rows there are of each UID; every blob has been looked at."""
    home = Home.open(home_folder)
    with home.database.read() as session:
        rows = session.query(InstanceRow).all()
    assert all(home.blobs.intact(row.digest) for row in rows)
    assert not list((home_folder / "blobs" / "parts").iterdir())
    home.close()
    found = {}
    for row in rows:
        found[row.sop_instance_uid] = found.get(row.sop_instance_uid, 0) + 1
    return found


def storescu_of(port, *files):
    command = ["storescu", "-aec", "CAMLUCIDA", "127.0.0.1", str(port), *map(str, files)]
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True)  # noqa: S603


def wait(senders, station):
    """Until all have ended well; the most memory that the station took meanwhile."""
    most = 0
    while any(sender.poll() is None for sender in senders):
        most = max(most, station.memory)
        time.sleep(0.05)
    for sender in senders:
        with sender:
            said = sender.stderr.read()
        assert sender.returncode == 0, said
    return most


@pytest.mark.slow
def test_a_thousand_instances_in_eight_associations(tmp_path, write_ct):
    folders = [tmp_path / f"sender-{n}" for n in range(8)]
    for folder in folders:
        folder.mkdir()
    for number in range(1000):
        write_ct(folders[number % 8] / f"{number}.dcm", number)
    with Station(tmp_path) as station:
        before = station.memory
        senders = [storescu_of(station.port, "+sd", folder) for folder in folders]
        most = wait(senders, station)
    assert kept(tmp_path / "home") == {f"1.2.3.{number}": 1 for number in range(1000)}
    assert most < before + MEMORY


def test_the_same_instance_eight_times_at_once_is_one(tmp_path, write_ct):
    path = write_ct(tmp_path / "ct.dcm", 1)
    with Station(tmp_path) as station:
        wait([storescu_of(station.port, *[path] * 3) for _ in range(8)], station)
    assert kept(tmp_path / "home") == {"1.2.3.1": 1}


def test_large_instances_are_not_held_in_memory(tmp_path, write_ct):
    paths = [write_ct(tmp_path / f"{n}.dcm", n, pixels=48 << 20) for n in range(4)]
    with Station(tmp_path) as station:
        before = station.memory
        most = wait([storescu_of(station.port, path) for path in paths], station)
    assert len(kept(tmp_path / "home")) == 4
    assert most < before + (48 << 20)  # four of them would be 192 MiB


@pytest.mark.slow
def test_what_was_acknowledged_outlasts_kill_9(tmp_path, write_ct):
    """The station is killed in the middle, again and again, while four senders go on."""
    paths = [write_ct(tmp_path / f"{number}.dcm", number) for number in range(400)]
    acknowledged, chance = set(), random.Random(4)  # noqa: S311 - reproducible, not secret
    for _ in range(6):
        todo = [path for path in paths if f"1.2.3.{path.stem}" not in acknowledged]
        again = chance.sample(paths, 4)  # what is known is sent once more, too
        with Station(tmp_path) as station:
            senders = [storescu_of(station.port, "-v", again[n], *todo[n::4]) for n in range(4)]
            time.sleep(chance.uniform(0.5, 1.5))
            station.process.kill()
        for sender in senders:
            with sender:
                said = sender.stderr.read()
            acknowledged |= {f"1.2.3.{number}" for number in ACKNOWLEDGED.findall(said)}
    found = kept(tmp_path / "home")
    assert len(acknowledged) > 20
    assert acknowledged <= found.keys()
    assert set(found.values()) == {1}
