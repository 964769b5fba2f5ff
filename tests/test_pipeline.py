import subprocess
import sys

import numpy as np
import pytest
from PIL import Image as Picture
from sqlalchemy import select

from camlucida import pipeline
from camlucida.errors import DiskFull, UnsuitableImage
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.images import read as reading
from camlucida.images.read import read_image
from camlucida.models.architectures import SmallResNet
from camlucida.models.load import load_registered
from camlucida.models.registry import Registry
from camlucida.saliency import explain as engine
from camlucida.store import explanations
from camlucida.store.tables import ExplanationRow, FileKind, FileRow, ImageRow, InstanceRow, State
from example_models import CARD, small_network, write_model


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def films(tmp_path):
    """Two phantom films on the disk, small ones."""
    folder = tmp_path / "films"
    folder.mkdir()
    for seed in (1, 2):
        write_radiograph(radiograph(seed, rows=96), folder / f"{seed}.dcm")
    return folder


@pytest.fixture
def model(home, tmp_path):
    return Registry(home.folder).add(write_model(tmp_path / "two-findings"))


def take_in(home, *paths):
    return list(pipeline.take_in(home, pipeline.find(paths)))


def explain(home):
    models = pipeline.current_models(home)
    pipeline.want(home, models)
    return list(pipeline.explain_wanted(home, models))


def rows(home):
    with home.database.read() as session:
        return session.scalars(select(ExplanationRow).order_by(ExplanationRow.id)).all()


def test_what_is_kept_is_what_the_engine_says(home, films, model):
    assert [intake.new for intake in take_in(home, films)] == [1, 1]
    assert [outcome.state for outcome in explain(home)] == [State.DONE, State.DONE]
    for row, path in zip(rows(home), sorted(films.iterdir()), strict=True):
        kept = explanations.load(home, row.digest)
        direct = engine.explain(load_registered(model), read_image(path)).explanation
        assert np.array_equal(kept.saliency_map.values, direct.saliency_map.values)
        assert kept.prediction == direct.prediction
        assert kept.provenance.cache_key == direct.provenance.cache_key
        assert kept.saliency_map.findings == ("Pneumothorax", "Pleural effusion")


@pytest.mark.usefixtures("model")
def test_a_second_time_nothing_is_read_and_nothing_computed(home, films, monkeypatch):
    take_in(home, films)
    explain(home)
    monkeypatch.setattr("camlucida.images.read.read", lambda _files: pytest.fail("decoded again"))
    assert [(intake.new, intake.known) for intake in take_in(home, films)] == [(0, 1), (0, 1)]
    assert explain(home) == []


def test_imported_files_are_instances_which_dicomweb_serves(home, films):
    take_in(home, films)
    take_in(home, films)
    with home.database.read() as session:
        rows = session.scalars(select(InstanceRow)).all()
        assert [(row.origin, row.intent) for row in rows] == [("imported", "taken")] * 2
        assert {home.blobs.get(row.digest) for row in rows} == {path.read_bytes() for path in films.iterdir()}


def test_a_broken_file_among_others_is_told_and_passed_over(home, films):
    content = (films / "1.dcm").read_bytes()
    (films / "0-broken.dcm").write_bytes(content[: len(content) // 2])
    intakes = take_in(home, films, films / "absent.dcm")
    assert [bool(intake.error) for intake in intakes] == [True, False, False, True]
    assert "absent.dcm" in intakes[-1].name
    assert "no such file" in intakes[-1].error


def test_a_fault_of_ours_in_one_file_does_not_end_the_others(home, films, monkeypatch):
    right = reading.read

    def break_down(files):
        if files.name.endswith("1.dcm"):
            raise RuntimeError("Doe^Jane")
        return right(files)

    monkeypatch.setattr(reading, "read", break_down)
    first, second = take_in(home, films)
    assert "fault of its own (RuntimeError)" in first.error
    assert "Doe" not in first.error
    assert second.new == 1


def test_a_model_for_another_modality_or_for_volumes_is_not_asked(home, films, tmp_path):
    registry = Registry(home.folder)
    ct = {"input": {**CARD["input"], "modality": ["CT"]}}
    volumes = {
        "input": {"modality": ["DX"], "size": [16, 16, 16]},
        "architecture_arguments": {**CARD["architecture_arguments"], "space": 3},
    }
    network = SmallResNet(space=3, channels=1, findings=2, width=4, stages=2, blocks=1)
    registry.add(write_model(tmp_path / "ct", name="for-ct", **ct))
    registry.add(write_model(tmp_path / "volumes", network, name="for-volumes", **volumes))
    take_in(home, films)
    assert explain(home) == []
    assert rows(home) == []


@pytest.mark.usefixtures("model")
def test_an_image_that_the_model_refuses_is_said_with_its_reason_and_not_asked_again(
    home, films, monkeypatch
):
    def refuse(*_, **__):
        raise UnsuitableImage("Too small for it.")

    take_in(home, films)
    monkeypatch.setattr(engine, "explain", refuse)
    assert explain(home)[0] == ("two-findings", State.REFUSED, "Too small for it.")
    monkeypatch.undo()
    assert explanations.mend(home) == 0
    assert explain(home) == []


@pytest.mark.usefixtures("model")
def test_a_fault_while_explaining_is_tried_again_at_the_next_start(home, films, monkeypatch, capsys):
    patient = "Doe^Jane"

    def break_down(*_, **__):
        raise RuntimeError(patient)

    take_in(home, films)
    monkeypatch.setattr(engine, "explain", break_down)
    outcomes = explain(home)
    assert [outcome.state for outcome in outcomes] == [State.FAILED, State.FAILED]
    said = capsys.readouterr()
    assert "Doe" not in outcomes[0].reason + rows(home)[0].reason + said.out + said.err
    monkeypatch.undo()
    assert explanations.mend(home) == 2
    assert [outcome.state for outcome in explain(home)] == [State.DONE, State.DONE]


def test_a_model_whose_files_have_changed_explains_nothing(home, films, model):
    take_in(home, films)
    (model.folder / "weights.safetensors").write_bytes(b"other")
    assert {outcome.state for outcome in explain(home)} == {State.FAILED}
    assert "is not what it was" in rows(home)[0].reason


@pytest.mark.usefixtures("model")
def test_a_new_version_explains_what_the_old_one_did(home, films, tmp_path):
    take_in(home, films)
    explain(home)
    Registry(home.folder).add(write_model(tmp_path / "newer", version="1.1.0", output="softmax"))
    assert [outcome.state for outcome in explain(home)] == [State.DONE, State.DONE]
    with home.database.read() as session:
        current = [row.model.version for row in session.scalars(select(ExplanationRow)) if row.model.current]
    assert current == ["1.1.0", "1.1.0"]


@pytest.mark.usefixtures("model")
def test_damaged_pixels_are_told_and_mended_by_importing_again(home, films):
    take_in(home, films)
    with home.database.read() as session:
        digests = session.scalars(select(FileRow.digest).where(FileRow.image_id == 1)).all()
    for digest in digests:  # of pixels and of the original alike
        (home.folder / "blobs" / "sha256" / digest[:2] / digest).write_bytes(b"rotten")
    assert [outcome.state for outcome in explain(home)] == [State.FAILED, State.DONE]
    assert "damaged" in rows(home)[0].reason
    take_in(home, films)
    explanations.mend(home)
    assert [outcome.state for outcome in explain(home)] == [State.DONE]


def test_shipped_models_are_registered_once(home, tmp_path, monkeypatch):
    shipped = write_model(tmp_path / "shipped" / "two-findings")
    monkeypatch.setattr(pipeline, "shipped_models", lambda: {"two-findings": shipped})
    assert [registered.key for registered in pipeline.register_shipped(home)] == ["two-findings@1.0.0"]
    assert list(pipeline.register_shipped(home)) == []
    (shipped / "README.md").write_text("Words beside the model change nothing.")
    assert pipeline.changed_shipped(home) == []


def test_a_shipped_model_that_is_not_the_registered_one_is_told(home, tmp_path, monkeypatch):
    shipped = write_model(tmp_path / "shipped" / "two-findings")
    monkeypatch.setattr(pipeline, "shipped_models", lambda: {"two-findings": shipped})
    list(pipeline.register_shipped(home))
    write_model(shipped, small_network(seed=1))
    assert pipeline.changed_shipped(home) == ["two-findings@1.0.0"]
    assert list(pipeline.register_shipped(home)) == []


@pytest.mark.usefixtures("model")
def test_a_picture_without_modality_is_explained_by_a_model_of_films(home, make_image, tmp_path):
    values = make_image((40, 40)).values.astype(np.uint8)
    Picture.fromarray(values).save(tmp_path / "film.png")
    take_in(home, tmp_path / "film.png")
    assert [outcome.state for outcome in explain(home)] == [State.DONE]


@pytest.mark.usefixtures("model")
def test_the_image_that_is_explained_is_the_image_that_was_read(home, films):
    """Rebuilt from the store, it gives the same pixel digest, with the same place in the patient."""
    take_in(home, films / "1.dcm")
    explain(home)
    kept = explanations.load(home, rows(home)[0].digest)
    image = read_image(films / "1.dcm")
    assert kept.provenance.pixel_digest == image.digest
    assert kept.saliency_map.geometry.spacing == pytest.approx(image.spacing)


def test_the_pipeline_itself_loads_no_torch():
    code = "import sys, camlucida.pipeline, camlucida.cli.demo; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("phantoms", "wanted"), [("also", 2), ("only", 2), ("never", 0)])
def test_a_model_for_patients_is_not_asked_about_phantoms_unless_named(
    home, films, tmp_path, phantoms, wanted
):
    card = {**CARD["input"], "phantoms": phantoms}
    Registry(home.folder).add(write_model(tmp_path / "model", input=card))
    take_in(home, films)
    models = pipeline.current_models(home)
    pipeline.want(home, models)
    assert len(rows(home)) == wanted
    pipeline.want(home, models, named=True)
    assert len(rows(home)) == 2


def test_a_model_trained_on_phantoms_is_not_asked_about_patients_unless_named(home, tmp_path):
    Picture.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "patient.png")
    card = {**CARD["input"], "phantoms": "only"}
    Registry(home.folder).add(write_model(tmp_path / "model", input=card))
    take_in(home, tmp_path / "patient.png")
    models = pipeline.current_models(home)
    pipeline.want(home, models)
    assert not rows(home)
    pipeline.want(home, models, named=True)
    assert len(rows(home)) == 1


def test_pixels_of_a_picture_are_made_again_of_its_file(home, tmp_path):
    path = tmp_path / "film.png"
    Picture.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)).save(path)
    take_in(home, path)
    with home.database.read() as session:
        image = session.scalars(select(ImageRow)).one()
        (digest,) = [file.digest for file in image.files if file.kind == FileKind.PIXELS]
    home.blobs.remove(digest)
    assert pipeline.load_image(home, image.id).digest == image.pixel_digest
    assert home.blobs.intact(digest)


@pytest.mark.usefixtures("model")
def test_a_full_disk_is_no_fault_of_the_image(home, films, monkeypatch):
    take_in(home, films)

    def full(*_):
        raise DiskFull

    monkeypatch.setattr(home.blobs, "put", full)
    with pytest.raises(DiskFull):
        explain(home)
    monkeypatch.undo()
    with home.database.read() as session:
        rows = session.scalars(select(ExplanationRow)).all()
    assert {(row.state, row.attempts) for row in rows} == {(State.WANTED, 0)}
    assert {outcome.state for outcome in explain(home)} == {State.DONE}
