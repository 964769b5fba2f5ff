from sqlalchemy import select

from camlucida.store import attempts, explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ExplanationRow, ImageRow


def test_an_attempt_that_was_ended_on_purpose_is_taken_back(home, make_image, original):
    explanations.set_current_models(home, [CurrentModel("a" * 64, "model", "1")])
    studies.keep(home, [make_image()], [original])
    with home.database.write() as session:
        image = session.scalars(select(ImageRow.id)).one()
        for method in ("grad-cam", "score-cam"):
            explanations.want(session, image, "a" * 64, method)
    explanations.begin(home, 1)
    attempts.forgive(home)
    attempts.forgive(home)
    with home.database.read() as session:
        assert session.scalars(select(ExplanationRow.attempts)).all() == [0, 0]
    for _ in range(5):
        explanations.begin(home, 1)
        attempts.forgive(home)
    assert explanations.begin(home, 1) is None
