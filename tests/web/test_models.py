import pytest
from fastapi.testclient import TestClient

from camlucida.store import explanations
from camlucida.store.explanations import CurrentModel
from camlucida.store.people.visits import new_token
from camlucida.web.app import create_app

MODEL = "a" * 64


@pytest.fixture
def described(station):
    """A browser of a station whose folder of models holds one, besides what the store knows."""
    registered = [{"key": "other@2", "name": "other", "digest": "b" * 64, "card": {"findings": []}}]
    app = create_app(station.home, described=lambda: registered)
    client = TestClient(app, "http://127.0.0.1:8765", raise_server_exceptions=False)
    client.get("/sign-in", params={"token": new_token(station.home)}, follow_redirects=False)
    return client


def test_models_come_with_what_they_have_explained_here(station, described, make_image, put_in):
    (waiting,) = put_in(station.home, [make_image(seed=5)])
    explanations.refuse(station.home, waiting, "too small")
    other, made_up = described.get("/api/models").json()["models"]
    assert (other["key"], other["current"], other["work"]) == ("other@2", False, [])
    assert (made_up["key"], made_up["current"], made_up["card"]) == ("made-up@1", True, None)
    assert made_up["work"] == [
        {"method": "grad-cam", "state": "done", "number": 1},
        {"method": "grad-cam", "state": "refused", "number": 1},
    ]


def test_a_model_that_explained_and_is_not_current_says_so(station, described):
    explanations.set_current_models(station.home, [CurrentModel("b" * 64, "other", "2")])
    other, made_up = described.get("/api/models").json()["models"]
    assert (other["current"], made_up["current"]) == (True, False)
    assert made_up["work"][0]["number"] == 1


def test_models_are_for_those_who_are_signed_in(station):
    assert station.client().get("/api/models").status_code == 401
