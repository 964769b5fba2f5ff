import pytest
from sqlalchemy import select

from camlucida.records import Finding, Prediction
from camlucida.store import explanations, predictions, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ImageRow, PredictionRow

OLD, NEW = "a" * 64, "b" * 64


def says(*probabilities):
    findings = (Finding("Nodule", None, 0.5), Finding("Effusion", None, None))
    return Prediction(findings, (0.0, 0.0), probabilities)


@pytest.fixture
def image_ids(home, make_image, original):
    """Two images of one study."""
    source = make_image(seed=1).source
    studies.keep(home, [make_image(seed=1), make_image(seed=2, source=source)], [original])
    with home.database.read() as session:
        return session.scalars(select(ImageRow.id)).all()


def of_study(home):
    with home.database.read() as session:
        (found,) = predictions.of_studies(session, [1]).values()
        return [(row.name, row.probability, predictions.reported(row)) for row in found]


def test_a_study_has_the_strongest_of_each_finding_first(home, image_ids):
    explanations.set_current_models(home, [CurrentModel(NEW, "m", "2")])
    with home.database.write() as session:
        predictions.keep(session, image_ids[0], NEW, says(0.2, 0.3))
        predictions.keep(session, image_ids[1], NEW, says(0.5, 0.1))
    assert of_study(home) == [("Nodule", 0.5, True), ("Effusion", 0.3, None)]


def test_predictions_of_a_replaced_version_are_not_shown(home, image_ids):
    explanations.set_current_models(home, [CurrentModel(OLD, "m", "1")])
    with home.database.write() as session:
        predictions.keep(session, image_ids[0], OLD, says(0.9, 0.9))
    explanations.set_current_models(home, [CurrentModel(NEW, "m", "2")])
    assert of_study(home) == []


def test_a_second_prediction_replaces_the_first(home, image_ids):
    explanations.set_current_models(home, [CurrentModel(NEW, "m", "2")])
    with home.database.write() as session:
        predictions.keep(session, image_ids[0], NEW, says(0.9, 0.9))
        predictions.keep(session, image_ids[0], NEW, says(0.1, 0.2))
        assert len(session.scalars(select(PredictionRow)).all()) == 2
    assert of_study(home) == [("Effusion", 0.2, None), ("Nodule", 0.1, False)]


def test_what_was_said_of_a_part_is_not_shown_when_the_whole_has_come(home, image_ids):
    explanations.set_current_models(home, [CurrentModel(NEW, "m", "2")])
    with home.database.write() as session:
        predictions.keep(session, image_ids[0], NEW, says(0.9, 0.9))
        session.get_one(ImageRow, image_ids[0]).superseded = True
    assert of_study(home) == []
