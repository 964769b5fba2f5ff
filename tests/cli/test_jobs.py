from datetime import timedelta

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from camlucida.cli.jobs import app
from camlucida.models.registry import Registry
from camlucida.store import claims, explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import EventRow, ExplanationRow, ImageRow, State
from example_models import write_model

runner = CliRunner()
MODEL = "a" * 64


@pytest.fixture
def home(new_home, tmp_path, make_image):
    """Two explanations wait, and one has failed."""
    (tmp_path / "original.dcm").write_bytes(b"as it came")
    opened = new_home(tmp_path / "home")
    explanations.set_current_models(opened, [CurrentModel(MODEL, "made-up", "1")])
    studies.keep(opened, [make_image()], [tmp_path / "original.dcm"])
    with opened.database.write() as session:
        image = session.scalars(select(ImageRow.id)).one()
        for method in ("grad-cam", "lime", "cam"):
            explanations.want(session, image, MODEL, method)
    explanations.fail(opened, 3, "There is not enough memory.")
    yield opened
    opened.close()


@pytest.fixture
def jobs(home):
    def run(*words):
        return runner.invoke(app, [*words, "--home", str(home.folder)], env={"COLUMNS": "250"})

    return run


def states(home):
    with home.database.read() as session:
        return dict(session.execute(select(ExplanationRow.method, ExplanationRow.state)).all())


def test_the_list_says_who_computes_what_and_why_something_has_failed(home, jobs):
    claims.seen(home, "machine:1:2:3", claims.ALL_LANES)
    claim = claims.take(home, "machine:1:2:3", [MODEL])
    claims.renew(home, claim, 3, 10)
    said = jobs("list").output
    assert "2 explanations" in said
    assert said.index("lime") < said.index("grad-cam")
    assert "computed by machine:1:2:3, 3 of 10" in said
    assert "There is not enough memory." in said


def test_what_is_cancelled_is_noted_with_who_did_it(home, jobs):
    with home.database.read() as session:
        key = session.scalar(select(ExplanationRow.key).where(ExplanationRow.method == "lime"))
    assert "1 explanation cancelled." in jobs("cancel", key[:10]).output
    assert states(home)["lime"] == State.CANCELLED
    with home.database.read() as session:
        (event,) = session.scalars(select(EventRow).where(EventRow.kind == "cancelled")).all()
    assert event.explanation_key == key
    assert event.who.startswith("cli:")
    assert jobs("cancel", key).exit_code == 1
    assert "no explanation" in str(jobs("cancel", "nothing").exception)
    assert "--all" in str(jobs("cancel").exception)
    jobs("cancel", "--all")
    assert states(home)["grad-cam"] == State.CANCELLED


def test_what_has_failed_or_waits_for_its_next_attempt_is_tried_again_at_once(home, jobs, monkeypatch):
    for wait in ("FIRST_WAIT", "LONGEST_WAIT"):  # not over before it is looked at
        monkeypatch.setattr(claims, wait, timedelta(hours=1))
    claim = claims.take(home, "one", [MODEL])
    explanations.fail_for_now(home, claim.id, "No memory.", by="one")
    assert "tried again in" in jobs("list").output
    assert "2 explanations wanted again." in jobs("again").output
    assert set(states(home).values()) == {State.WANTED}
    assert claims.take(home, "one", [MODEL]).id == claim.id


def test_limits_are_those_of_the_card_or_of_the_settings(home, jobs, tmp_path):
    Registry(home.folder).add(write_model(tmp_path / "model", resources={"seconds": 5, "gpu": True}))
    said = jobs("limits").output
    assert "5 s" in said
    assert "gpu" in said
