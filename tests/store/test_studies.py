from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import func, select

from camlucida.dicom.read import read_dicom
from camlucida.errors import DamagedBlob, UnknownStudy
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.records import FileFormat, Source
from camlucida.store import studies
from camlucida.store.tables import FileKind, FileRow, ImageRow, StudyRow


def count(home, table):
    with home.database.read() as session:
        return session.scalar(select(func.count()).select_from(table))


def only_image(session):
    return session.scalars(select(ImageRow)).one()


def blob_of(home, kind):
    with home.database.read() as session:
        digest = session.scalars(select(FileRow.digest).where(FileRow.kind == kind)).first()
    return home.folder / "blobs" / "sha256" / digest[:2] / digest


def test_an_image_is_kept_with_its_study_and_its_file(home, make_image, original):
    image = make_image()
    assert studies.keep(home, [image], [original]) == (1, 0)
    with home.database.read() as session:
        row = only_image(session)
        assert row.study.patient_name == "Doe^Jane"
        assert row.study.description == "Chest"
        (kept,) = [file.digest for file in row.files if file.kind == FileKind.ORIGINAL]
        assert home.blobs.get(kept) == b"as it came"
        back = studies.load(home, row)
    assert back.digest == image.digest
    assert back.source.patient.patient_id == "ID-4711"


def test_the_same_image_again_is_known(home, make_image, original):
    studies.keep(home, [make_image()], [original])
    assert studies.keep(home, [make_image()], [original]) == (0, 1)
    assert count(home, ImageRow) == count(home, StudyRow) == 1


def test_the_same_image_in_another_file_is_known(home, make_image, original, tmp_path):
    """Sent again in another transfer syntax: other bytes, the same UID and pixels."""
    studies.keep(home, [make_image()], [original])
    other = tmp_path / "other.dcm"
    other.write_bytes(b"as it came, compressed")
    assert studies.keep(home, [make_image()], [other]) == (0, 1)


def test_two_images_of_a_study_are_one_study(home, make_image, original):
    first = make_image(seed=1)
    second = replace(make_image(seed=2), source=replace(first.source, sop_instance_uids=("1.2.1.1.2",)))
    assert studies.keep(home, [first, second], [original]) == (2, 0)
    assert count(home, StudyRow) == 1


def test_other_pixels_under_the_same_uid_are_kept_and_said(home, make_image, original):
    first = make_image(seed=1)
    studies.keep(home, [first], [original])
    studies.keep(home, [replace(first, values=first.values + np.uint16(1))], [original])
    with home.database.read() as session:
        notes = [row.header["notes"] for row in session.scalars(select(ImageRow).order_by(ImageRow.id))]
    assert notes == [[], [studies.OTHER_PIXELS]]


def test_frames_of_a_file_are_kept_all_or_none(home, make_image, original, monkeypatch):
    frames = [make_image(seed=n) for n in range(3)]
    rows = studies._row

    def break_at_third(session, image, digest, files):
        if image is frames[2]:
            raise KeyboardInterrupt
        return rows(session, image, digest, files)

    monkeypatch.setattr(studies, "_row", break_at_third)
    with pytest.raises(KeyboardInterrupt):
        studies.keep(home, frames, [original])
    assert count(home, ImageRow) == count(home, StudyRow) == 0


def test_a_picture_without_study_is_a_study_of_its_own_named_by_its_file(home, make_image, original):
    image = make_image(source=Source(FileFormat.PICTURE, path="/somewhere/hand.png"))
    studies.keep(home, [image], [original])
    with home.database.read() as session:
        row = only_image(session).study
        assert row.description == "hand.png"
        assert row.study_instance_uid.startswith("2.25.")
        assert len(row.study_instance_uid) <= 64


def test_files_that_are_kept_are_counted_by_content(home, make_image, original):
    studies.keep(home, [make_image()], [original])
    assert studies.count_of_files(home, studies.files_digest([original])) == 1
    original.write_bytes(b"something else")
    assert studies.count_of_files(home, studies.files_digest([original])) == 0


@pytest.mark.parametrize("kind", [FileKind.ORIGINAL, FileKind.PIXELS])
def test_damaged_files_are_told_and_mended_by_keeping_again(home, make_image, original, kind):
    image = make_image()
    studies.keep(home, [image], [original])
    blob_of(home, kind).write_bytes(b"rotten")
    assert studies.count_of_files(home, studies.files_digest([original])) == 0
    if kind == FileKind.PIXELS:
        with home.database.read() as session, pytest.raises(DamagedBlob):
            studies.load(home, only_image(session))
    assert studies.keep(home, [image], [original]) == (0, 1)
    with home.database.read() as session:
        assert studies.load(home, only_image(session)).digest == image.digest
    assert studies.count_of_files(home, studies.files_digest([original])) == 1


@pytest.fixture
def two_studies(home, make_image, original):
    """Two studies with accession numbers; their keys."""
    for seed, accession in ((1, "A-100"), (2, "A-200")):
        image = make_image(seed=seed)
        source = replace(image.source, accession_number=accession)
        studies.keep(home, [replace(image, source=source)], [original])
    with home.database.read() as session:
        return session.scalars(select(StudyRow.key).order_by(StudyRow.id)).all()


def test_a_study_is_named_by_key_or_its_beginning_by_uid_or_by_accession_number(home, two_studies):
    with home.database.read() as session:
        for name in (two_studies[1], two_studies[1][:6], two_studies[1][:8].upper(), "1.2.2", "A-200"):
            assert studies.find_study(session, name).key == two_studies[1]


@pytest.mark.usefixtures("two_studies")
@pytest.mark.parametrize("name", ["", "A-300", "A-", "1.2.", "%%%%%%", "______", "Doe^Jane"])
def test_a_name_that_is_no_study_of_ours_is_a_sentence_without_the_name(home, name):
    with home.database.read() as session, pytest.raises(UnknownStudy) as raised:
        studies.find_study(session, name)
    assert not name or name not in str(raised.value)


def test_a_beginning_of_a_key_that_is_too_short_is_no_name(home, two_studies):
    with home.database.read() as session, pytest.raises(UnknownStudy):
        studies.find_study(session, two_studies[0][:5])


def test_a_name_of_two_studies_is_refused(home, two_studies):
    with home.database.write() as session:
        session.scalars(
            select(StudyRow).where(StudyRow.key == two_studies[1])
        ).one().accession_number = "A-100"
    with home.database.read() as session, pytest.raises(UnknownStudy, match="more than one"):
        studies.find_study(session, "A-100")


@pytest.fixture
def film(home, tmp_path):
    """A kept radiograph of a real DICOM file."""
    path = tmp_path / "film.dcm"
    write_radiograph(radiograph(1, rows=64), path)
    studies.keep(home, read_dicom([path]), [path])
    return path


@pytest.mark.parametrize("content", [None, b"another content"])
def test_damaged_pixels_are_made_again_of_the_original(home, film, content):
    blob = blob_of(home, FileKind.PIXELS)
    blob.unlink() if content is None else blob.write_bytes(content)
    with home.database.read() as session:
        image = studies.load(home, only_image(session))
    assert image.digest == read_dicom([film])[0].digest
    assert home.blobs.intact(blob.name)


@pytest.mark.usefixtures("film")
def test_pixels_whose_original_is_lost_too_are_an_error(home):
    for kind in (FileKind.PIXELS, FileKind.ORIGINAL):
        blob_of(home, kind).unlink()
    with home.database.read() as session, pytest.raises(DamagedBlob, match="is missing"):
        studies.load(home, only_image(session))
