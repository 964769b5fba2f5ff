import signal
from contextlib import closing

import pytest
from pydicom import dcmread
from pydicom.uid import generate_uid
from sqlalchemy import select
from structlog.testing import capture_logs

import deadly
import forked
from camlucida import pipeline, station
from camlucida.errors import DiskFull, UnsuitableImage
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.jobs.queue import Embedded
from camlucida.models import load
from camlucida.models.architectures import SmallResNet
from camlucida.models.card import read_card
from camlucida.models.registry import Registry
from camlucida.pacs import results
from camlucida.saliency import explain as engine
from camlucida.settings import settings
from camlucida.station import Did, Worker
from camlucida.store import explanations, instances
from camlucida.store.home import Home
from camlucida.store.tables import (
    DeliveryRow,
    ExplanationRow,
    ImageRow,
    InstanceRow,
    Intent,
    Lane,
    OrderRow,
    OrderState,
    Origin,
    State,
)
from example_models import CARD, small_network, write_model
from s3 import BUCKET

LISTEN = "[listen]\nquiet_seconds = 0\n"
DESTINATIONS = """
[destination.pacs]
kind = "dimse"
ae_title = "PACS"
host = "127.0.0.1"
port = 104

[destination.archive]
kind = "dicomweb"
url = "http://127.0.0.1/dicom-web"
"""


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    configure(opened, "")
    yield opened
    opened.close()


@pytest.fixture
def model(home, tmp_path):
    return Registry(home.folder).add(write_model(tmp_path / "two-findings"))


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.dcm"
    write_radiograph(radiograph(1, rows=64), path)
    return path


def configure(home, rules):
    (home.folder / "pacs.toml").write_text(LISTEN + rules)


def arrive(home, *paths):
    for path in paths:
        instances.take(home, path, Origin.STORE, "MODALITY")


def work(home):
    """What one pass of a new worker does."""
    done = {}
    for step in Worker(home).work():
        done[step.did] = done.get(step.did, 0) + step.number
    return done


def rows(home, table):
    with home.database.read() as session:
        return session.scalars(select(table).order_by(table.id)).all()


def written(home):
    return [row for row in rows(home, InstanceRow) if row.origin == Origin.RESULT]


@pytest.mark.usefixtures("model")
def test_a_film_that_arrives_is_explained_and_its_results_are_kept(home, film):
    arrive(home, film)
    done = work(home)
    assert done == {Did.READ: 1, Did.EXPLAINED: 1, Did.WROTE: len(written(home))}
    (explanation,) = rows(home, ExplanationRow)
    assert explanation.state == State.DONE
    (order,) = rows(home, OrderRow)
    assert (order.profile, order.destination, order.state) == ("clinical", "", OrderState.DONE)
    assert {row.explanation_id for row in written(home)} == {explanation.id}
    assert {row.study_instance_uid for row in written(home)} == {dcmread(film).StudyInstanceUID}
    assert "1.2.840.10008.5.1.4.1.1.88.34" in {row.sop_class_uid for row in written(home)}
    assert rows(home, DeliveryRow) == []
    assert work(home) == {}


@pytest.mark.usefixtures("model")
def test_a_rule_sends_the_same_results_to_two_destinations(home, film):
    configure(home, DESTINATIONS + '[[rule]]\nname = "films"\nsend_to = ["pacs", "archive"]\n')
    arrive(home, film)
    work(home)
    assert [(row.destination, row.rule) for row in rows(home, OrderRow)] == [
        ("pacs", "films"),
        ("archive", "films"),
    ]
    sent = {(row.instance_id, row.destination) for row in rows(home, DeliveryRow)}
    assert sent == {(row.id, to) for row in written(home) for to in ("pacs", "archive")}


@pytest.mark.usefixtures("model")
def test_results_are_none_where_a_rule_says_so(home, film):
    configure(home, '[[rule]]\nname = "films"\nresults = "none"\n')
    arrive(home, film)
    assert work(home) == {Did.READ: 1, Did.EXPLAINED: 1}


@pytest.mark.usefixtures("model")
def test_a_rule_names_the_models_and_others_are_not_asked_later_either(home, film, tmp_path):
    Registry(home.folder).add(write_model(tmp_path / "other", small_network(seed=1), name="other"))
    configure(home, '[[rule]]\nname = "films"\nmodels = ["other", "nobody"]\n')
    arrive(home, film)
    with capture_logs() as logged:
        work(home)
    assert [line["model"] for line in logged if "not registered" in line["event"]] == ["nobody"]
    pipeline.want(home, pipeline.current_models(home))
    with home.database.read() as session:
        assert [row.model.name for row in session.scalars(select(ExplanationRow))] == ["other"]


def test_what_a_rule_has_for_a_model_that_is_not_registered_waits_for_it(home, film, tmp_path):
    configure(home, '[[rule]]\nname = "films"\nmodels = ["later"]\n')
    arrive(home, film)
    with capture_logs() as logged:
        assert work(home) == {}
    assert [line["model"] for line in logged if "not registered" in line["event"]] == ["later"]
    Registry(home.folder).add(write_model(tmp_path / "later", name="later"))
    done = work(home)
    assert done == {Did.READ: 1, Did.EXPLAINED: 1, Did.WROTE: len(written(home))}
    assert [row.state for row in rows(home, OrderRow)] == [OrderState.DONE]


def test_a_shipped_model_that_a_rule_names_is_registered_unless_it_was_retired(home, film):
    configure(home, '[[rule]]\nname = "films"\nmodels = ["phantom-radiograph"]\n')
    arrive(home, film)
    assert work(home)[Did.EXPLAINED] == 1
    Registry(home.folder).retire("phantom-radiograph")
    with capture_logs() as logged:
        work(home)
    assert [line["model"] for line in logged if "not registered" in line["event"]] == ["phantom-radiograph"]
    assert Registry(home.folder).find("phantom-radiograph") is None


def test_a_model_of_patients_is_asked_about_a_phantom_only_where_a_rule_names_it(home, film, tmp_path):
    card = {**CARD["input"], "phantoms": "never"}
    Registry(home.folder).add(write_model(tmp_path / "model", input=card))
    arrive(home, film)
    assert work(home) == {Did.READ: 1}
    configure(home, '[[rule]]\nname = "films"\nmodels = ["two-findings"]\n')
    other = dcmread(film)
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    other.save_as(tmp_path / "other.dcm")
    arrive(home, tmp_path / "other.dcm")
    assert work(home)[Did.EXPLAINED] == 1


def test_without_a_model_what_arrives_is_kept_and_explained_when_there_is_one(home, film, tmp_path):
    arrive(home, film)
    assert work(home) == {Did.READ: 1}
    Registry(home.folder).add(write_model(tmp_path / "model"))
    pipeline.want(home, pipeline.current_models(home))
    assert work(home) == {Did.EXPLAINED: 1}


@pytest.mark.usefixtures("model")
def test_an_order_of_an_explanation_that_is_refused_says_why(home, film, monkeypatch):
    def refuse(*_, **__):
        raise UnsuitableImage("Too small for it.")

    monkeypatch.setattr(engine, "explain", refuse)
    arrive(home, film)
    with capture_logs() as logged:
        assert work(home) == {Did.READ: 1, Did.FAILED: 1}
    assert [line["reason"] for line in logged if line["log_level"] == "warning"] == ["Too small for it."]
    assert [(row.state, row.reason) for row in rows(home, OrderRow)] == [
        (OrderState.REFUSED, "Too small for it.")
    ]


@pytest.mark.usefixtures("model")
def test_results_that_cannot_be_kept_for_want_of_room_are_written_later(home, film, monkeypatch):
    def full(*_, **__):
        raise DiskFull

    arrive(home, film)
    monkeypatch.setattr(results, "write_results", full)
    with pytest.raises(DiskFull):
        work(home)
    (order,) = rows(home, OrderRow)
    assert (order.state, order.attempts) == (OrderState.WANTED, 0)
    monkeypatch.undo()
    assert set(work(home)) == {Did.WROTE}


def test_the_same_comes_of_it_on_postgresql_and_s3(request, tmp_path, film, monkeypatch):
    request.getfixturevalue("on_postgresql")
    request.getfixturevalue("s3")
    monkeypatch.setenv("CAMLUCIDA_BLOBS_URL", f"s3://{BUCKET}/station")
    settings.cache_clear()
    with closing(Home.open(tmp_path / "home")) as home:
        configure(home, "")
        Registry(home.folder).add(write_model(tmp_path / "two-findings"))
        arrive(home, film)
        assert work(home) == {Did.READ: 1, Did.EXPLAINED: 1, Did.WROTE: 3}
        (explanation,) = rows(home, ExplanationRow)
        assert explanations.load(home, explanation.digest).prediction.findings
        assert home.database.engine.dialect.name == "postgresql"
        assert not (home.folder / "blobs" / "sha256").exists()


@pytest.mark.usefixtures("model")
def test_results_of_a_damaged_map_are_written_when_it_is_computed_again(home, film, monkeypatch):
    def full(*_, **__):
        raise DiskFull

    arrive(home, film)
    with monkeypatch.context() as patch:
        patch.setattr(results, "write_results", full)
        with pytest.raises(DiskFull):
            work(home)
    (explanation,) = rows(home, ExplanationRow)
    home.blobs.remove(explanation.digest)
    assert set(work(home)) == {Did.FAILED}  # it was met here, and is wanted again
    assert set(work(home)) == {Did.EXPLAINED, Did.WROTE}
    (order,) = rows(home, OrderRow)
    assert order.state == OrderState.DONE


@pytest.mark.usefixtures("model")
def test_a_fault_while_writing_ends_the_order_and_not_the_worker(home, film, monkeypatch):
    def break_down(*_, **__):
        raise RuntimeError(str(dcmread(film).PatientName))

    arrive(home, film)
    monkeypatch.setattr(results, "write_results", break_down)
    with capture_logs() as logged:
        assert work(home)[Did.FAILED] == 1
    (order,) = rows(home, OrderRow)
    assert order.state == OrderState.REFUSED
    assert "RuntimeError" in order.reason
    assert str(dcmread(film).PatientName) not in order.reason + str(logged)


def test_slices_that_come_later_are_explained_as_one_volume_and_the_part_is_not(home, tmp_path):
    changes = {
        "input": {"modality": ["CT"], "size": [16, 16, 16]},
        "architecture_arguments": {**CARD["architecture_arguments"], "space": 3},
    }
    network = SmallResNet(space=3, channels=1, findings=2, width=4, stages=2, blocks=1)
    Registry(home.folder).add(write_model(tmp_path / "volumes", network, name="volumes", **changes))
    slices = write_ct(ct_volume(7201, (), slices=8, rows=32), tmp_path / "ct")
    arrive(home, *slices[:4])
    work(home)
    with home.database.write() as session:  # as if there had been no time for it
        for row in session.scalars(select(ExplanationRow)):
            row.state = State.WANTED
    arrive(home, *slices[4:])
    assert work(home)[Did.EXPLAINED] == 1
    assert [row.superseded for row in rows(home, ImageRow)] == [True, False]
    assert [(row.state, row.reason) for row in rows(home, ExplanationRow)] == [
        (State.REFUSED, explanations.PART_OF_A_WHOLE),
        (State.DONE, ""),
    ]


@pytest.mark.usefixtures("model")
def test_the_network_is_loaded_once_and_forgotten_when_it_is_retired(home, film, tmp_path, monkeypatch):
    loaded = []
    right = load.load_registered
    monkeypatch.setattr(load, "load_registered", lambda model: loaded.append(model.key) or right(model))
    worker = Worker(home)
    for n in range(2):
        other = dcmread(film)
        other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        other.save_as(tmp_path / f"{n}.dcm")
        arrive(home, tmp_path / f"{n}.dcm")
        assert list(worker.work())
    assert loaded == ["two-findings@1.0.0"]
    Registry(home.folder).retire("two-findings@1.0.0")
    list(worker.work())
    assert not worker._loaded


def test_the_network_that_explained_last_is_loaded_before_somebody_waits_for_it(home, film, tmp_path):
    first, second = (
        Registry(home.folder).add(write_model(tmp_path / name, name=name)) for name in ("a", "b")
    )
    fresh = Worker(home)
    fresh.get_ready()
    assert list(fresh._loaded) == [first.digest]  # none has explained anything yet
    arrive(home, film)
    list(fresh.work())
    with home.database.write() as session:
        of_first = select(ExplanationRow).where(ExplanationRow.model_digest == first.digest)
        session.scalars(of_first).one().state = State.REFUSED
    again = Worker(home)
    again.get_ready()
    assert list(again._loaded) == [second.digest]


def test_what_a_gpu_is_for_is_not_loaded_where_there_is_none(home, tmp_path):
    Registry(home.folder).add(write_model(tmp_path / "large", resources={"gpu": True}))
    worker = Worker(home, Embedded(home, [Lane.INTERACTIVE, Lane.PRECOMPUTE]))
    worker.get_ready()
    assert not worker._loaded


def test_a_network_that_cannot_be_loaded_beforehand_ends_nothing(home, model):
    weights = model.folder / read_card(model.folder).weights
    weights.chmod(0o600)
    weights.write_bytes(b"")
    with capture_logs() as logs:
        Worker(home).get_ready()
    assert [line["event"] for line in logs] == ["a network cannot be loaded"]


@pytest.mark.usefixtures("model")
def test_an_image_that_declares_what_no_memory_holds_is_told_and_blocks_nothing(home, film, tmp_path):
    bomb = dcmread(film)
    bomb.Rows = bomb.Columns = bomb.NumberOfFrames = 65535
    for name in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        setattr(bomb, name, generate_uid())
    bomb.file_meta.MediaStorageSOPInstanceUID = bomb.SOPInstanceUID
    bomb.save_as(tmp_path / "bomb.dcm")
    arrive(home, tmp_path / "bomb.dcm", film)
    assert Did.EXPLAINED in {step.did for step in Worker(home).work()}
    told, taken = rows(home, InstanceRow)[:2]
    assert (told.intent, taken.intent) == (Intent.UNREADABLE, Intent.TAKEN)
    assert "281,462,092,005,375 values" in told.reason


@pytest.mark.usefixtures("model")
def test_the_rules_are_read_again_when_they_have_changed(home, film):
    worker = Worker(home)
    configure(home, '[[rule]]\nname = "none"\nnot_for_us = "Nothing is for us today."\n')
    arrive(home, film)
    assert list(worker.work()) == []
    assert rows(home, InstanceRow)[0].reason == "Nothing is for us today."


def die(home, where):
    """A worker that is killed there; how it ended."""
    return forked.ended(deadly.work, home.folder, where)


@pytest.mark.slow
@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("where", ["wanting", "explaining", "writing"])
def test_killed_once_anywhere_nothing_is_lost_and_nothing_double(home, film, where):
    configure(home, DESTINATIONS + '[[rule]]\nname = "films"\nsend_to = ["pacs"]\n')
    arrive(home, film)
    assert die(home, where) == -signal.SIGKILL
    work(home)
    assert [row.state for row in rows(home, OrderRow)] == [OrderState.DONE]
    assert len(rows(home, ImageRow)) == len(rows(home, ExplanationRow)) == 1
    assert (
        len(rows(home, DeliveryRow)) == len(written(home)) == len({r.sop_instance_uid for r in written(home)})
    )


@pytest.mark.slow
@pytest.mark.usefixtures("model")
def test_what_kills_its_worker_each_time_fails_with_a_reason_and_blocks_nothing(home, film):
    arrive(home, film)
    for _ in range(3):
        assert die(home, "explaining") == -signal.SIGKILL
    assert die(home, "explaining") == 0
    assert rows(home, ExplanationRow)[0].state == State.FAILED
    assert explanations.mend(home) == 1
    for _ in range(3):
        assert die(home, "writing") == -signal.SIGKILL
    assert die(home, "writing") == 0
    assert [(row.state, row.reason) for row in rows(home, OrderRow)] == [
        (OrderState.REFUSED, station.ENDED_ITS_WRITER)
    ]
    assert rows(home, ExplanationRow)[0].state == State.DONE


@pytest.mark.usefixtures("model")
def test_our_own_results_that_come_back_are_known(home, film, tmp_path):
    arrive(home, film)
    work(home)
    for row in written(home):
        (tmp_path / "back.dcm").write_bytes(home.blobs.get(row.digest))
        assert instances.take(home, tmp_path / "back.dcm", Origin.STORE).kept == "known"
        changed = dcmread(tmp_path / "back.dcm")
        changed.InstitutionName = "As an archive may add it"
        changed.save_as(tmp_path / "changed.dcm")
        arrive(home, tmp_path / "changed.dcm")
    assert work(home) == {}
    assert {row.intent for row in rows(home, InstanceRow)} == {Intent.TAKEN, Intent.NOT_FOR_US}
