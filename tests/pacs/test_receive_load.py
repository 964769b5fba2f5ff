"""Many senders at once, senders that are cut off, a station that is killed: nothing lost, nothing double."""

import random
import re
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing, contextmanager

import pydicom
import pytest
from pydicom.data import get_testdata_file

from camlucida.store import deliveries, instances
from camlucida.store.home import Home
from camlucida.store.tables import InstanceRow, Intent, Origin
from receiving_station import Station
from waiting import until

ACKNOWLEDGED = re.compile(
    r"Sending file: \S*/(\d+)\.dcm\n(?:(?!Sending file).*\n)*?.*Store Response \(Success\)"
)
MEMORY = 96 << 20  # beyond what the station has when it has started
MEANWHILE = """
SELECT count(*) FROM deliveries, (
    SELECT min(received) AS first, max(received) AS last FROM instances WHERE origin = 'c-store'
) WHERE finished BETWEEN first AND last
"""  # how many results were sent while instances came


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


@contextmanager
def opened(home_folder):
    home = Home.open(home_folder)
    yield home
    home.close()


def kept(home_folder):
    """How many rows there are of each UID that was received; every blob has been looked at."""
    with opened(home_folder) as home:
        with home.database.read() as session:
            rows = session.query(InstanceRow).where(InstanceRow.origin == Origin.STORE).all()
        assert all(home.blobs.intact(row.digest) for row in rows)
        assert not list((home_folder / "blobs" / "parts").iterdir())
    return Counter(row.sop_instance_uid for row in rows)


def results_for(home_folder, paths, orthanc):
    """Results of a home, and the PACS that they are to be sent to; their rows."""
    with opened(home_folder) as home:
        (home_folder / "pacs.toml").write_text(
            f'[destination.pacs]\nkind = "dimse"\nae_title = "{orthanc.ae_title}"\n'
            f'host = "127.0.0.1"\nport = {orthanc.dicom_port}\n'
        )
        return [instances.take(home, path, Origin.RESULT, intent=Intent.TAKEN).id for path in paths]


def send(home_folder, ids):
    """Have the running station send these results."""
    with opened(home_folder) as home, home.database.write() as session:
        for one in ids:
            deliveries.want(session, one, "pacs")


def ask(home_folder, question):
    with closing(sqlite3.connect(home_folder / "camlucida.sqlite", timeout=30)) as database:
        return database.execute(question).fetchall()


def received(home_folder):
    return ask(home_folder, "SELECT count(*) FROM instances WHERE origin = 'c-store'")[0][0]


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
def test_hundreds_of_instances_in_eight_associations_while_results_go_out(tmp_path, write_ct, orthanc):
    """Two of the senders are cut off in the middle, and begin again."""
    home, sent = tmp_path / "home", [f"1.2.3.{number}" for number in range(1000, 1120)]
    results = results_for(home, [write_ct(tmp_path / f"{n}.dcm", n) for n in range(1000, 1120)], orthanc)
    folders = [tmp_path / f"sender-{n}" for n in range(8)]
    for folder in folders:
        folder.mkdir()
    for number in range(600):
        write_ct(folders[number % 8] / f"{number}.dcm", number)
    with Station(tmp_path) as station:
        before = station.memory
        without_end = [sorted(folder.iterdir())[1:] * 100 for folder in folders[:2]]
        cut_off = [storescu_of(station.port, *paths) for paths in without_end]
        senders = [storescu_of(station.port, "+sd", folder) for folder in folders[2:]]
        until(lambda: ask(home, "SELECT 1 FROM instances WHERE origin = 'c-store' LIMIT 1 OFFSET 100"))
        send(home, results)
        until(lambda: ask(home, "SELECT 1 FROM deliveries WHERE state = 'sent' LIMIT 1 OFFSET 20"))
        for cut in cut_off:
            assert cut.poll() is None
            cut.kill()
            cut.communicate()
        senders += [storescu_of(station.port, "+sd", folder) for folder in folders[:2]]
        most = wait(senders, station)
        until(
            lambda: not ask(home, "SELECT 1 FROM deliveries WHERE state != 'sent'"),
            said=lambda: station.stderr,
        )
    assert kept(home) == dict.fromkeys((f"1.2.3.{number}" for number in range(600)), 1)
    assert sorted(orthanc.stored()) == sorted(sent)
    assert ask(home, "SELECT DISTINCT tries FROM deliveries") == [(1,)]
    assert ask(home, MEANWHILE)[0][0] > 10
    assert most < before + MEMORY
    assert "1.2.3." not in station.stderr


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
            before = received(tmp_path / "home")
            senders = [storescu_of(station.port, "-v", again[n], *todo[n::4]) for n in range(4)]
            wanted = min(before + 10, len(paths))
            until(lambda wanted=wanted: received(tmp_path / "home") >= wanted)
            time.sleep(chance.uniform(0, 0.5))
            station.process.kill()
        for sender in senders:
            with sender:
                said = sender.stderr.read()
            acknowledged |= {f"1.2.3.{number}" for number in ACKNOWLEDGED.findall(said)}
    found = kept(tmp_path / "home")
    assert len(acknowledged) > 20
    assert acknowledged <= found.keys()
    assert set(found.values()) == {1}
