import pytest
from PIL import Image as Picture
from pydicom import dcmread
from sqlalchemy import select

from camlucida import pipeline
from camlucida.dicom.writing.material import to_bytes
from camlucida.errors import DamagedBlob, InputError, StoreError
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.models.architectures import SmallResNet
from camlucida.models.registry import Registry
from camlucida.pacs import results
from camlucida.pacs.results import PROFILES, WRITERS, material_of, objects, write_results
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, FileKind, FileRow, InstanceRow, Intent, Origin
from example_models import CARD, write_model


def explained(folder, paths, network=None, **changes):
    """A home with files that are explained by a small model."""
    home = Home.open(folder / "home")
    Registry(home.folder).add(write_model(folder / "model", network, **changes))
    list(pipeline.take_in(home, pipeline.find(paths)))
    current = pipeline.current_models(home)
    pipeline.want(home, current)
    assert [outcome.state for outcome in pipeline.explain_wanted(home, current)] == ["done"]
    return home


@pytest.fixture
def film(tmp_path):
    """A home with one explained film."""
    write_radiograph(radiograph(1, rows=64), tmp_path / "film.dcm")
    home = explained(tmp_path, [tmp_path / "film.dcm"])
    yield home
    home.close()


@pytest.fixture
def volume(tmp_path_factory):
    """A home with an explained CT, whose files came in no order."""
    folder = tmp_path_factory.mktemp("volume")
    paths = write_ct(ct_volume(7201, (), slices=6, rows=32), folder / "ct")
    changes = {
        "input": {"modality": ["CT"], "size": [16, 16, 16]},
        "architecture_arguments": {**CARD["architecture_arguments"], "space": 3},
    }
    network = SmallResNet(space=3, channels=1, findings=2, width=4, stages=2, blocks=1)
    home = explained(folder, paths[::-1], network, **changes)
    yield home
    home.close()


def rows(home, origin=Origin.RESULT):
    with home.database.read() as session:
        found = session.scalars(select(InstanceRow).order_by(InstanceRow.id))
        return [row for row in found if row.origin == origin]


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_kept_is_what_is_written_of_what_was_kept(film, profile, tmp_path):
    written = write_results(film, 1, profile)
    assert written.left_out == ()
    material = material_of(film, 1)
    expected = [to_bytes(one) for kind in PROFILES[profile] for one in objects(material, kind)]
    kept = rows(film)
    assert [film.blobs.get(row.digest) for row in kept] == expected
    assert [row.id for row in kept] == list(written.instances)
    assert {(row.intent, row.explanation_id, row.conflicting) for row in kept} == {(Intent.TAKEN, 1, False)}
    source = dcmread(tmp_path / "film.dcm")
    assert {row.study_instance_uid for row in kept} == {source.StudyInstanceUID}
    assert source.SeriesInstanceUID not in {row.series_instance_uid for row in kept}


def test_writing_again_keeps_nothing_twice(film):
    first = write_results(film, 1, "clinical")
    assert write_results(film, 1, "clinical") == first
    again = write_results(film, 1, "research")
    assert set(first.instances) <= set(again.instances)
    assert len(rows(film)) == len(again.instances)


def test_a_damaged_result_is_written_again(film):
    first = write_results(film, 1, "clinical")
    with film.database.read() as session:
        digest = session.get_one(InstanceRow, first.instances[0]).digest
    film.blobs.path(digest).write_bytes(b"rotten")
    assert write_results(film, 1, "clinical") == first
    assert film.blobs.intact(digest)


def test_the_headers_come_in_the_order_of_the_slices_and_without_pixels(volume):
    material = material_of(volume, 1)
    assert tuple(str(one.SOPInstanceUID) for one in material.sources) == (
        material.image.source.sop_instance_uids
    )
    heights = [float(one.ImagePositionPatient[2]) for one in material.sources]
    assert heights == sorted(heights)
    assert len(heights) == 6
    assert not any("PixelData" in one for one in material.sources)


def test_a_volume_has_maps_on_its_own_grid_for_ohif(volume):
    material = material_of(volume, 1)
    (one,) = objects(material, "PM-source", [0])
    assert (one.NumberOfFrames, one.Rows, one.Columns) == (6, 32, 32)
    (native,) = objects(material, "PM", [0])
    assert native.Rows < 32


@pytest.mark.parametrize("kind", WRITERS)
def test_an_object_of_fewer_findings_is_another_object_or_the_same_bytes(film, volume, kind):
    """One UID never names two contents, whatever findings were asked for."""
    for home in (film, volume):
        material = material_of(home, 1)
        whole = {str(one.SOPInstanceUID): to_bytes(one) for one in objects(material, kind, [0, 1])}
        for chosen in ([0], [1], [1, 0]):
            for one in objects(material, kind, chosen):
                assert whole.get(str(one.SOPInstanceUID), to_bytes(one)) == to_bytes(one)


def test_a_picture_has_no_results_and_the_reason_says_so(tmp_path, make_image):
    Picture.fromarray((make_image((40, 40)).values >> 4).astype("uint8")).save(tmp_path / "film.png")
    home = explained(tmp_path, [tmp_path / "film.png"])
    with pytest.raises(InputError, match="not read from DICOM"):
        write_results(home, 1, "clinical")
    home.close()


def test_a_kind_that_cannot_be_written_is_left_out_with_its_reason(film, monkeypatch):
    def refuse(material, kind, findings=None):
        if kind == "SR":
            raise InputError("No report of this.")
        return objects(material, kind, findings)

    monkeypatch.setattr(results, "objects", refuse)
    written = write_results(film, 1, "research")
    assert written.left_out == ("SR: No report of this.",)
    assert written.instances


def test_what_is_not_computed_cannot_be_written(film):
    with film.database.write() as session:
        session.get_one(ExplanationRow, 1).digest = None
    with pytest.raises(StoreError, match="not been computed"):
        write_results(film, 1, "clinical")


def test_an_original_that_is_damaged_is_told(film):
    with film.database.read() as session:
        digest = session.scalars(select(FileRow.digest).where(FileRow.kind == FileKind.ORIGINAL)).one()
    film.blobs.path(digest).write_bytes(b"rotten")
    with pytest.raises(DamagedBlob):
        write_results(film, 1, "clinical")


def test_results_are_found_by_their_explanation(film):
    written = write_results(film, 1, "clinical")
    with film.database.read() as session:
        found = session.scalars(select(InstanceRow.id).where(InstanceRow.explanation_id == 1))
        assert tuple(found) == written.instances
