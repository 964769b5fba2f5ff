import numpy as np
import pytest
from sqlalchemy import select

from camlucida.errors import DamagedBlob
from camlucida.store import explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import EventRow, ExplanationRow, PredictionRow, State

MODEL = "a" * 64


@pytest.fixture
def wanted(home, make_image, original):
    """An image, a model, and the explanation that is wanted of both: its id."""
    studies.keep(home, [make_image()], [original])
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    with home.database.write() as session:
        (image,) = explanations.unseen(session, MODEL, "grad-cam")
        explanations.want(session, image.id, MODEL, "grad-cam")
    with home.database.read() as session:
        (identifier,) = explanations.waiting(session, MODEL)
    return identifier


def row(home, identifier):
    with home.database.read() as session:
        return session.get_one(ExplanationRow, identifier)


def test_asking_twice_wants_it_once(home, wanted):
    with home.database.write() as session:
        explanations.want(session, row(home, wanted).image_id, MODEL, "grad-cam")
        assert explanations.unseen(session, MODEL, "grad-cam") == []
        assert len(explanations.unseen(session, MODEL, "score-cam")) == 1
    assert explanations.count_waiting(home) == 1


def test_what_is_kept_is_done_and_comes_back(home, wanted, make_explanation):
    explanation = make_explanation()
    explanations.keep(home, wanted, explanation)
    done = row(home, wanted)
    assert done.state == State.DONE
    back = explanations.load(home, done.digest)
    assert np.array_equal(back.saliency_map.values, explanation.saliency_map.values)
    assert back.provenance == explanation.provenance
    assert explanations.count_waiting(home) == 0


def test_keeping_twice_keeps_one_prediction_a_finding(home, wanted, make_explanation):
    explanations.keep(home, wanted, make_explanation(findings=3))
    explanations.keep(home, wanted, make_explanation(findings=3, seed=1))
    with home.database.read() as session:
        assert len(session.scalars(select(PredictionRow)).all()) == 3


def test_a_crash_between_blob_and_row_leaves_it_wanted(home, wanted, make_explanation, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(explanations.predictions, "keep", crash)
    with pytest.raises(KeyboardInterrupt):
        explanations.keep(home, wanted, make_explanation())
    assert row(home, wanted).state == State.WANTED
    assert row(home, wanted).digest is None


def test_a_refusal_says_why_and_is_not_wanted_again(home, wanted):
    explanations.refuse(home, wanted, "too small")
    assert (row(home, wanted).state, row(home, wanted).reason) == (State.REFUSED, "too small")
    assert explanations.mend(home) == 0


def test_a_failure_is_tried_again_at_the_next_start(home, wanted):
    explanations.fail(home, wanted, "out of memory")
    assert explanations.mend(home) == 1
    assert (row(home, wanted).state, row(home, wanted).reason) == (State.WANTED, "")


def test_a_failure_of_a_model_that_was_replaced_is_not_wanted_for_ever(home, wanted):
    explanations.fail(home, wanted, "out of memory")
    explanations.set_current_models(home, [CurrentModel("d" * 64, "made-up", "2")])
    assert explanations.retry(home) == 0
    assert row(home, wanted).state == State.FAILED
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    assert explanations.retry(home) == 1


@pytest.mark.parametrize("damage", ["missing", "cut off", "rotten"])
def test_a_lost_map_is_wanted_again(home, wanted, make_explanation, damage):
    explanations.keep(home, wanted, make_explanation())
    digest = row(home, wanted).digest
    blob = home.folder / "blobs" / "sha256" / digest[:2] / digest
    assert explanations.mend(home, thorough=True) == 0
    if damage == "missing":
        blob.unlink()
    elif damage == "cut off":
        blob.write_bytes(blob.read_bytes()[:-1])
    else:
        blob.write_bytes(bytes(len(blob.read_bytes())))
    assert explanations.mend(home, thorough=damage == "rotten") == 1
    assert row(home, wanted).state == State.WANTED


def test_a_new_version_makes_the_old_one_no_longer_current(home, wanted):
    explanations.set_current_models(home, [CurrentModel("d" * 64, "made-up", "2")])
    with home.database.read() as session:
        assert not session.get_one(ExplanationRow, wanted).model.current
    assert explanations.count_waiting(home) == 0
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    assert explanations.count_waiting(home) == 1


def test_a_superseded_image_is_neither_explained_nor_asked_about(home, wanted):
    with home.database.write() as session:
        explanations.supersede(session, session.get_one(ExplanationRow, wanted).image_id)
    refused = row(home, wanted)
    assert (refused.state, refused.reason) == (State.REFUSED, explanations.PART_OF_A_WHOLE)
    with home.database.read() as session:
        assert explanations.unseen(session, MODEL, "score-cam", named=True) == []


def test_an_image_whose_models_a_rule_has_named_is_not_asked_about_others_unbidden(home, wanted):
    with home.database.write() as session:
        session.get_one(ExplanationRow, wanted).image.models_named = True
    with home.database.read() as session:
        assert explanations.unseen(session, MODEL, "score-cam") == []
        assert len(explanations.unseen(session, MODEL, "score-cam", named=True)) == 1


def test_the_places_are_those_of_the_queue_what_a_reader_asks_for_first_then_the_oldest(home, wanted):
    with home.database.write() as session:
        image = session.get_one(ExplanationRow, wanted).image_id
        for method in ("score-cam", "cam"):
            explanations.want(session, image, MODEL, method)
        by_place = sorted(explanations.places(session).items(), key=lambda item: item[1])
    methods = [row(home, identifier).method for identifier, _ in by_place]
    assert methods == ["score-cam", "cam", "grad-cam"]


def test_a_damaged_explanation_is_wanted_again_by_whoever_meets_it(home, wanted, make_explanation):
    explanations.keep(home, wanted, make_explanation())
    digest = row(home, wanted).digest
    home.blobs.remove(digest)
    with pytest.raises(DamagedBlob, match="computed again"):
        explanations.load(home, digest)
    assert (row(home, wanted).state, row(home, wanted).digest) == (State.WANTED, None)
    with home.database.read() as session:
        event = session.scalars(select(EventRow).where(EventRow.kind == "damaged")).one()
    assert (event.who, event.view) == ("station", {"digest": digest})
    explanations.keep(home, wanted, make_explanation())
    assert explanations.load(home, digest).prediction.logits == make_explanation().prediction.logits


def test_a_damaged_explanation_of_a_model_of_before_says_that_it_is_lost(home, wanted, make_explanation):
    explanations.keep(home, wanted, make_explanation())
    explanations.set_current_models(home, [])
    digest = row(home, wanted).digest
    home.blobs.remove(digest)
    with pytest.raises(DamagedBlob):
        explanations.load(home, digest)
    assert row(home, wanted).state == State.FAILED
    assert "its model is not current any more" in row(home, wanted).reason
