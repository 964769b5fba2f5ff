"""Asking for an explanation on demand, and for a failed one once more."""

import pytest

from camlucida.store import claims, explanations
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ExplanationRow

OWN = {"sec-fetch-site": "same-origin"}
WISH = {"model": "made-up", "method": "hirescam"}


@pytest.fixture
def image(study):
    return study["images"][0]["key"]


@pytest.fixture
def ask(browser, image):
    return lambda wish=WISH, headers=OWN: browser.post(
        f"/api/images/{image}/explanations", json=wish, headers=headers
    )


def rows(browser, study):
    return browser.get(f"/api/studies/{study['key']}").json()["images"][0]["explanations"]


def test_what_is_asked_for_waits_and_says_where_in_the_queue(browser, study, ask):
    answer = ask()
    assert answer.status_code == 202
    row = answer.json()
    assert (row["method"], row["state"], row["place"], row["begun"]) == ("hirescam", "waiting", 1, False)
    assert row["since"].endswith("+00:00")
    assert rows(browser, study)[1] == row


def test_asking_again_changes_nothing(browser, study, ask):
    assert ask().json()["key"] == ask().json()["key"]
    assert len(rows(browser, study)) == 2


def test_a_reader_who_waits_comes_before_what_the_station_wants_by_itself(station, make_image, put_in, ask):
    put_in(station.home, [make_image(seed=5), make_image(seed=6)])
    assert ask().json()["place"] == 1
    assert ask({**WISH, "method": "lime"}).json()["place"] == 2
    assert claims.take(station.home, "worker", ["a" * 64]).method == "hirescam"


def test_a_worker_that_has_begun_is_told(station, browser, study, ask):
    ask()
    assert rows(browser, study)[1]["begun"] is False
    claim = claims.take(station.home, "worker", ["a" * 64])
    assert rows(browser, study)[1]["begun"] is True
    assert rows(browser, study)[1]["progress"] is None
    claims.renew(station.home, claim, 3, 10)
    assert rows(browser, study)[1]["progress"] == {"done": 3, "of": 10}


def test_a_study_stays_explained_while_another_method_is_waited_for(browser, ask):
    ask()
    assert browser.get("/api/studies").json()["studies"][0]["state"] == "explained"


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({**WISH, "method": "tea leaves"}, 422),
        ({"model": "made-up"}, 422),
        ({**WISH, "priority": 9}, 422),
        ({**WISH, "model": "unheard-of"}, 409),
    ],
)
def test_what_cannot_be_asked_for_is_said(ask, wish, status):
    answer = ask(wish)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_a_model_that_was_replaced_is_not_asked(station, ask):
    explanations.set_current_models(station.home, [CurrentModel("d" * 64, "other", "2")])
    assert ask().status_code == 409


def test_a_page_of_another_site_and_a_stranger_cannot_ask(station, image, ask):
    assert ask(headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert station.client().post(f"/api/images/{image}/explanations", json=WISH).status_code == 401
    with station.home.database.read() as session:
        assert session.query(ExplanationRow).count() == 1


def test_the_methods_say_what_is_there_what_is_dear_and_what_was_refused(station, browser, image, study, ask):
    key = ask().json()["key"]
    ask({**WISH, "method": "attention rollout"})
    with station.home.database.read() as session:
        refused = session.query(ExplanationRow).filter_by(method="attention rollout").one().id
    explanations.refuse(station.home, refused, "This network has no attention.")
    (model,) = browser.get(f"/api/images/{image}/methods").json()["models"]
    assert (model["model"], model["model_version"]) == ("made-up", "1")
    by_name = {one["method"]: one for one in model["methods"]}
    assert by_name["hirescam"]["explanation"] == key
    assert by_name["grad-cam"]["explanation"] == study["images"][0]["explanations"][0]["key"]
    assert by_name["cam"]["explanation"] is None
    assert (by_name["lime"]["dear"], by_name["cam"]["dear"]) == (True, False)
    assert by_name["attention rollout"]["refused"] == "This network has no attention."


def test_what_has_failed_says_so_and_is_tried_again(station, browser, study, ask):
    key = ask().json()["key"]
    identifier = claims.take(station.home, "worker", ["a" * 64]).id
    explanations.fail(station.home, identifier, "There is not enough memory for it.")
    failed = rows(browser, study)[1]
    assert (failed["state"], failed["failed"]) == ("refused", True)
    assert failed["reason"] == "There is not enough memory for it."
    answer = browser.post(f"/api/explanations/{key}/again", headers=OWN)
    assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
    assert rows(browser, study)[1]["failed"] is False


def test_what_is_refused_or_done_is_not_tried_again(browser, study):
    key = rows(browser, study)[0]["key"]
    assert browser.post(f"/api/explanations/{key}/again", headers=OWN).status_code == 409
    assert browser.post(f"/api/explanations/{'0' * 32}/again", headers=OWN).status_code == 404


def test_maps_of_a_replaced_model_are_there_as_such(station, browser, study):
    explanations.set_current_models(station.home, [CurrentModel("d" * 64, "made-up", "2")])
    (image,) = browser.get(f"/api/studies/{study['key']}").json()["images"]
    assert image["explanations"] == []
    (past,) = image["past"]
    assert (past["model_version"], past["replaced_by"], past["state"]) == ("1", "2", "explained")
    explanations.set_current_models(station.home, [])
    (image,) = browser.get(f"/api/studies/{study['key']}").json()["images"]
    assert image["past"][0]["replaced_by"] is None
