import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid
from sqlalchemy import select
from structlog.testing import capture_logs

from camlucida.dicom.writing.derived import MANUFACTURER
from camlucida.errors import DiskFull
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.pacs import arrivals, routing
from camlucida.pacs.configuration import Configuration
from camlucida.store import instances, studies
from camlucida.store.tables import FileRow, ImageRow, InstanceRow, Intent, Origin

AT_ONCE = {"quiet_seconds": 0}


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.dcm"
    write_radiograph(radiograph(1, rows=64), path)
    return path


@pytest.fixture(scope="session")
def slices(tmp_path_factory):
    """A small CT, eight slices, each a file."""
    return write_ct(ct_volume(7201, (), slices=8, rows=32), tmp_path_factory.mktemp("ct"))


@pytest.fixture
def change(tmp_path):
    """A copy of a file with other attributes: `change(path, SOPInstanceUID=…)`."""

    def change_it(path: Path, **attributes) -> Path:
        dataset = dcmread(path)
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        changed = tmp_path / f"{generate_uid()}.dcm"
        dataset.save_as(changed, enforce_file_format=True)
        return changed

    return change_it


def take(home, *paths, sender="MODALITY"):
    return [instances.take(home, path, Origin.STORE, sender) for path in paths]


def read(home, **configuration):
    """One pass, with nothing wanted."""
    found = Configuration.model_validate({"listen": AT_ONCE, **configuration})
    done = []
    for arrived in arrivals.read_complete(home, found):
        with home.database.write() as session:
            arrivals.settle(session, arrived)
        done.append(arrived)
    return done


def intents(home):
    with home.database.read() as session:
        rows = session.scalars(select(InstanceRow).order_by(InstanceRow.id))
        return [(row.intent, row.reason) for row in rows]


def images(home):
    with home.database.read() as session:
        rows = session.scalars(select(ImageRow).order_by(ImageRow.id))
        return [(tuple(row.header["space"]), row.superseded) for row in rows]


TAKEN = (Intent.TAKEN, "")


def test_a_film_becomes_an_image_with_its_study(home, film):
    take(home, film)
    (arrived,) = read(home)
    assert arrived.decision.rule == ""
    assert intents(home) == [TAKEN]
    with home.database.read() as session:
        (row,) = session.scalars(select(ImageRow))
        assert row.id == arrived.images[0]
        assert studies.load(home, row).digest
        original = session.scalars(select(FileRow.digest).where(FileRow.kind == "original")).one()
        assert original == session.scalars(select(InstanceRow.digest)).one()
    assert read(home) == []


def test_a_study_that_is_still_coming_is_left_alone(home, film):
    take(home, film)
    assert read(home, listen={"quiet_seconds": 3600}) == []
    assert intents(home) == [(Intent.WAITING, "")]


def test_a_stop_before_it_is_settled_reads_the_same_image_again_and_keeps_it_once(home, film):
    take(home, film)
    found = Configuration.model_validate({"listen": AT_ONCE})
    first = next(arrivals.read_complete(home, found))
    (again,) = read(home)
    assert again == first
    assert len(images(home)) == 1


def test_what_rules_turn_away_is_kept_with_the_reason_and_not_read(home, film):
    take(home, film)
    assert read(home, rule=[{"name": "films", "modality": ["DX"], "not_for_us": "Films are not."}]) == []
    assert intents(home) == [(Intent.NOT_FOR_US, "Films are not.")]
    assert images(home) == []


def test_rules_see_the_sender(home, film):
    take(home, film, sender="ROOM 3")
    rules = [{"name": "room", "sender": ["room *"], "models": ["one"]}]
    (arrived,) = read(home, rule=rules)
    assert (arrived.decision.rule, arrived.decision.models) == ("room", ("one",))


def test_what_holds_no_image_is_not_for_us(home, film, change):
    report, segmentation = (
        Path(str(get_testdata_file(name, download=False))) for name in ("test-SR.dcm", "liver_1frame.dcm")
    )
    own = change(film, Manufacturer=MANUFACTURER, ManufacturerModelName=MANUFACTURER)
    take(home, report, segmentation, own)
    assert read(home) == []
    assert intents(home) == [
        (Intent.NOT_FOR_US, routing.NO_IMAGE),
        (Intent.NOT_FOR_US, "It holds a segmentation, not an image."),
        (Intent.NOT_FOR_US, routing.OWN_RESULT),
    ]


def test_a_broken_file_among_others_is_set_aside_with_its_reason(home, film, change):
    broken = change(film, SOPInstanceUID=generate_uid(), BitsAllocated=12)
    other = change(film, SOPInstanceUID=generate_uid())
    take(home, broken, film, other)
    with capture_logs() as logged:
        assert len(read(home)) == 2
    (_, reason), *rest = intents(home)
    assert rest == [TAKEN, TAKEN]
    assert intents(home)[0][0] == Intent.UNREADABLE
    assert "12" in reason
    assert reason[0].isupper()
    with home.database.read() as session:
        row = session.get_one(InstanceRow, 1)
        assert row.attempts == 0
        said = reason + str(logged)
        assert not any(word in said for word in (row.digest, row.sop_instance_uid, row.study_instance_uid))
        assert dcmread(film).PatientID not in said


def test_slices_become_one_volume(home, slices):
    take(home, *slices)
    (arrived,) = read(home)
    assert len(arrived.instances) == 8
    assert images(home) == [((8, 32, 32), False)]


def test_a_broken_slice_is_set_aside_and_the_others_are_a_volume(home, slices, change):
    broken = change(slices[3], PixelData=b"\0\0")
    take(home, *slices[:3], broken, *slices[4:])
    (arrived,) = read(home)
    assert len(arrived.instances) == 7
    assert [intent for intent, _ in intents(home)].index(Intent.UNREADABLE) == 3
    assert images(home)[0][0][1:] == (32, 32)


def test_slices_that_come_later_make_the_volume_whole_and_the_part_is_superseded(home, slices):
    take(home, *slices[:1])
    read(home)
    take(home, *slices[2:5])
    read(home)
    take(home, *slices[1:2], *slices[5:])
    (arrived,) = read(home)
    assert len(arrived.instances) == 4
    assert len(arrived.sop_instance_uids) == 8
    assert [superseded for _, superseded in images(home)] == [True, True, False]
    assert images(home)[-1][0] == (8, 32, 32)
    assert intents(home) == [TAKEN] * 8


def test_a_second_film_of_a_complete_study_joins_it(home, film, change):
    take(home, film)
    read(home)
    take(home, change(film, SOPInstanceUID=generate_uid(), ViewPosition="LL"))
    (arrived,) = read(home)
    assert len(arrived.images) == 1
    assert [superseded for _, superseded in images(home)] == [False, False]
    with home.database.read() as session:
        assert len({row.study_id for row in session.scalars(select(ImageRow))}) == 1


def test_of_two_contents_under_one_uid_the_first_is_read(home, film, change):
    take(home, film, change(film, SeriesDescription="Another content"))
    assert len(read(home)) == 1
    assert intents(home) == [TAKEN, (Intent.NOT_FOR_US, arrivals.SAME_UID)]


def test_a_second_content_is_read_where_the_first_could_not_be(home, film, change):
    take(home, change(film, BitsAllocated=12))
    read(home)
    take(home, film)
    assert len(read(home)) == 1
    assert [intent for intent, _ in intents(home)] == [Intent.UNREADABLE, Intent.TAKEN]


def test_a_full_disk_loses_nothing_and_counts_nothing(home, film, monkeypatch):
    take(home, film)

    def full(*_, **__):
        raise DiskFull

    monkeypatch.setattr(studies, "keep_images", full)
    with pytest.raises(DiskFull):
        read(home)
    assert intents(home) == [(Intent.WAITING, "")]
    monkeypatch.undo()
    assert len(read(home)) == 1
    with home.database.read() as session:
        assert session.get_one(InstanceRow, 1).attempts == 0


def test_a_blob_that_is_damaged_is_told(home, film):
    take(home, film)
    with home.database.read() as session:
        digest = session.scalars(select(InstanceRow.digest)).one()
    home.blobs.path(digest).write_bytes(b"rotten")
    assert read(home) == []
    ((intent, reason),) = intents(home)
    assert intent == Intent.UNREADABLE
    assert "damaged" in reason


KILLED_BY = """
import os, signal, sys
from pathlib import Path
from camlucida.pacs import arrivals
from camlucida.pacs.configuration import Configuration
from camlucida.store.home import Home
from camlucida.dicom.header import read_header

right = arrivals.read_dicom

def deadly(paths):
    if any(read_header(path).attributes["0008103E"]["Value"] == ["deadly"] for path in paths):
        os.kill(os.getpid(), signal.SIGKILL)
    return right(paths)

arrivals.read_dicom = deadly
home = Home.open(Path(sys.argv[1]))
for arrived in arrivals.read_complete(home, Configuration.model_validate({"listen": {"quiet_seconds": 0}})):
    with home.database.write() as session:
        arrivals.settle(session, arrived)
"""


def runs_until_it_lives(home) -> int:
    """How many processes are killed by their reading before one comes to its end."""
    for killed in range(20):
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", KILLED_BY, home.folder], env=os.environ, check=False, timeout=120
        )
        if done.returncode == 0:
            return killed
        assert done.returncode == -signal.SIGKILL
    pytest.fail("reading never came to its end")


@pytest.mark.slow
def test_a_file_that_kills_its_reader_is_set_aside_after_three_attempts(home, film, change):
    deadly = change(film, SOPInstanceUID=generate_uid(), SeriesDescription="deadly")
    take(home, deadly, film, change(film, SOPInstanceUID=generate_uid()))
    assert runs_until_it_lives(home) == 3
    assert intents(home) == [(Intent.UNREADABLE, arrivals.ENDED_ITS_READER), TAKEN, TAKEN]


@pytest.mark.slow
def test_a_slice_that_kills_its_reader_is_found_and_the_others_are_a_volume(home, slices, change):
    take(home, *slices[:5], change(slices[5], SeriesDescription="deadly"), *slices[6:])
    assert runs_until_it_lives(home) == 3
    expected = [TAKEN] * 8
    expected[5] = (Intent.UNREADABLE, arrivals.ENDED_ITS_READER)
    assert intents(home) == expected
    assert len(images(home)) == 1
