import csv

import numpy as np
import PIL.Image
import pytest

from camlucida.errors import StoreError
from camlucida.evaluation.data.dataset import read_dataset
from camlucida.images.read import read_image
from camlucida.records import EventKind, Flag, FlagReason, Outcome, Region, Resolution
from camlucida.rendering.outline import outlined
from camlucida.store import explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.remarks import flag_export, flag_queue, flags
from camlucida.store.remarks.flag_queue import Sought
from camlucida.store.tables import EventRow
from camlucida.training import flag_mask, read_flags

MODEL = "a" * 64
SQUARE = Region(0, 0, ((10.0, 10.0), (10.0, 20.0), (30.0, 20.0), (30.0, 10.0)))
TRIANGLE = Region(0, 0, ((40.0, 5.0), (40.0, 15.0), (50.0, 10.0)))
IN_VOLUME = Region(0, 2, ((3.0, 3.0), (3.0, 9.0), (9.0, 9.0)))


@pytest.fixture
def explained(home, make_explanation, tmp_path):
    """Explains images; their explanations' ids."""

    def explain(*images):
        for number, image in enumerate(images):
            path = tmp_path / f"{number}.dcm"
            path.write_bytes(bytes([number]))
            studies.keep(home, [image], [path])
        explanations.set_current_models(home, [CurrentModel(MODEL, "chest", "1")])
        with home.database.write() as session:
            for row in explanations.unseen(session, MODEL, "grad-cam"):
                explanations.want(session, row.id, MODEL, "grad-cam")
        with home.database.read() as session:
            identifiers = explanations.waiting(session, MODEL)
        for identifier in identifiers:
            explanations.keep(home, identifier, make_explanation())
        return identifiers

    return explain


def flag(home, explanation, reason, region, finding="Finding 1"):
    said = Flag(finding, reason, "Mrs Doe said so", {}, "Dr Roe", region=region)
    return flags.keep(home, explanation, said)


@pytest.fixture
def film(home, explained, make_image):
    """One flagged film: two outlines and one without, of one finding; another finding; the numbers."""
    (one,) = explained(make_image())
    return [
        flag(home, one, FlagReason.SHORTCUT, SQUARE),
        flag(home, one, FlagReason.WRONG_PLACE, TRIANGLE),
        flag(home, one, FlagReason.INCOHERENT, None),
        flag(home, one, FlagReason.ARTEFACT, TRIANGLE, "Finding 2"),
    ]


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_outlines_become_one_mask_for_each_finding(home, film, tmp_path):
    done = flag_export.export(home, tmp_path / "out", Sought(), "cli:ada")
    assert done == (4, 1, 2)
    first, second = table(tmp_path / "out" / "masks.csv")
    mask = np.asarray(PIL.Image.open(tmp_path / "out" / first["mask"]))
    expected = outlined(SQUARE, (61, 47)) | outlined(TRIANGLE, (61, 47))
    assert (mask == np.where(expected, 255, 0)).all()
    assert (first["finding"], first["flags"]) == ("Finding 1", f"{film[0]}|{film[1]}")
    assert first["reasons"] == "shortcut or device|wrong place"
    assert second["finding"] == "Finding 2"


@pytest.mark.usefixtures("film")
def test_what_is_written_says_nothing_of_patient_or_reader(home, tmp_path):
    flag_export.export(home, tmp_path / "out", Sought(), "cli:ada")
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) == 5
    for path in written:
        for secret in (b"Doe", b"Roe", b"4711", b"1.2.0"):
            assert secret not in path.read_bytes()
            assert secret.decode() not in path.name


@pytest.mark.usefixtures("film")
def test_the_masks_are_annotations_to_the_evaluation(home, tmp_path, make_image):
    flag_export.export(home, tmp_path / "out", Sought(), "cli:ada")
    (name,) = {line["image"] for line in table(tmp_path / "out" / "masks.csv")}
    films = tmp_path / "films"
    films.mkdir()
    PIL.Image.fromarray(make_image().values).save(films / f"{name}.png")
    (films / "films.csv").write_text(f"image,Finding 1,Finding 2\n{name}.png,1,1\n")
    data = read_dataset(
        films / "films.csv", ["Finding 1", "Finding 2"], annotations=[tmp_path / "out" / "masks.csv"]
    )
    (case,) = data.cases
    drawn = {mark.finding: mark.on(read_image(films / f"{name}.png")).inside for mark in case.marks}
    assert (drawn["Finding 1"] == outlined(SQUARE, (61, 47)) | outlined(TRIANGLE, (61, 47))).all()
    assert (drawn["Finding 2"] == outlined(TRIANGLE, (61, 47))).all()


@pytest.mark.usefixtures("film")
def test_the_flags_of_an_image_are_read_by_training(home, tmp_path):
    flag_export.export(home, tmp_path / "out", Sought(), "cli:ada")
    (path,) = (tmp_path / "out" / "flags").iterdir()
    mask = flag_mask(read_flags(path), "Finding 2", (61, 47))
    assert (mask == outlined(TRIANGLE, (61, 47))).all()


def test_a_volume_s_mask_lies_in_the_patient_as_its_image(home, explained, make_image, tmp_path):
    to_patient = [[0, 0, -0.5, 10.0], [0, 0.5, 0, 20.0], [3.0, 0, 0, -30.0], [0, 0, 0, 1]]
    placed, without = explained(
        make_image((6, 20, 16), pixel_to_patient=np.array(to_patient), spacing=(3.0, 0.5, 0.5)),
        make_image((6, 20, 16), seed=3),
    )
    flag(home, placed, FlagReason.SHORTCUT, IN_VOLUME)
    flag(home, without, FlagReason.SHORTCUT, IN_VOLUME)
    flag_export.export(home, tmp_path / "out", Sought(), "cli:ada")
    first, second = (tmp_path / "out" / line["mask"] for line in table(tmp_path / "out" / "masks.csv"))
    read = read_image(first)
    places = np.argwhere(read.values > 0)
    seen = (read.pixel_to_patient @ np.c_[places, np.ones(len(places))].T)[:3].T
    voxels = np.argwhere(outlined(IN_VOLUME, (6, 20, 16)))
    expected = (np.array(to_patient) @ np.c_[voxels, np.ones(len(voxels))].T)[:3].T
    assert np.allclose(sorted(map(tuple, seen.round(3))), sorted(map(tuple, expected.round(3))))
    assert (np.load(second)["mask"] == outlined(IN_VOLUME, (6, 20, 16))).all()


def test_what_is_no_fault_is_left_out_where_it_is_not_asked_for(home, film, tmp_path):
    flag_queue.resolve(home, film[3], Resolution(Outcome.NOT_A_FAULT, "A fold."))
    done = flag_export.export(home, tmp_path / "out", Sought(("open",)), "cli:ada", [FlagReason.SHORTCUT])
    assert done == (3, 1, 1)
    (line,) = table(tmp_path / "out" / "masks.csv")
    mask = np.asarray(PIL.Image.open(tmp_path / "out" / line["mask"])) > 0
    assert (mask == outlined(SQUARE, (61, 47))).all()
    assert {one["state"] for one in table(tmp_path / "out" / "flags.csv")} == {"open"}


@pytest.mark.usefixtures("film")
def test_the_trail_is_told_and_the_keys_are_apart(home, tmp_path):
    flag_export.export(home, tmp_path / "out", Sought(), "cli:ada")
    flag_export.write_keys(home, tmp_path / "keys.csv", Sought())
    (line,) = table(tmp_path / "keys.csv")
    assert line["sop_instance_uids"] == "1.2.0.1.1"
    assert line["image"] == table(tmp_path / "out" / "masks.csv")[0]["image"]
    with home.database.read() as session:
        (event,) = session.query(EventRow).filter_by(kind=EventKind.EXPORTED)
    assert (event.who, event.view["what"], event.view["flags"]) == ("cli:ada", "flags", 4)


@pytest.mark.usefixtures("film")
def test_a_folder_with_something_in_it_or_no_flag_at_all_is_refused(home, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match="not empty"):
        flag_export.export(home, tmp_path / "out", Sought(), "cli:ada")
    with pytest.raises(StoreError, match="No flag is meant"):
        flag_export.export(home, tmp_path / "other", Sought(finding="Nodule"), "cli:ada")
    assert [path.name for path in tmp_path.glob("o*/*")] == ["mine.txt"]
