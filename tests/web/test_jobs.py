from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.store import deliveries, explanations, instances, orders
from camlucida.store.explanations import CurrentModel
from camlucida.store.people import access_tokens
from camlucida.store.tables import (
    DeliveryRow,
    DeliveryState,
    ExplanationRow,
    Intent,
    OrderRow,
    OrderState,
    Origin,
    State,
    now,
)
from camlucida.store.turn import turn

OWN = {"sec-fetch-site": "same-origin"}
SOON = datetime(2040, 1, 1, tzinfo=UTC)


@pytest.fixture
def three(station, make_image, put_in):
    """Ids of three more explanations that are wanted."""
    return put_in(station.home, [make_image(seed=seed) for seed in (5, 6, 7)])


@pytest.fixture
def sending(station, tmp_path):
    """Two deliveries to a destination: one that waits, one that was given up."""
    for seed in (1, 2):
        path = tmp_path / f"{seed}.dcm"
        write_radiograph(radiograph(seed, rows=32), path)
        taken = instances.take(station.home, path, Origin.STORE)
        with station.home.database.write() as session:
            deliveries.want(session, taken.id, "archive")
    with station.home.database.write() as session:
        deliveries.refused(session, 1, "It does not take this SOP class.")
        deliveries.failed(session, 2, "The connection was refused.", moment=SOON)


def jobs(browser):
    return browser.get("/api/jobs").json()


def again(browser, **wanted):
    return browser.post("/api/jobs/again", json=wanted, headers=OWN)


def states(home, row):
    with home.database.read() as session:
        return [one.state for one in session.scalars(select(row).order_by(row.id))]


@pytest.mark.usefixtures("three")
def test_what_waits_is_told_with_its_model_and_since_when(station, browser):
    (waiting,) = jobs(browser)["explanations"]["waiting"]
    assert waiting.pop("since").endswith("+00:00")
    assert waiting == {"model": "made-up", "version": "1", "current": True, "method": "grad-cam", "number": 3}
    explanations.set_current_models(station.home, [CurrentModel("b" * 64, "other", "2")])
    assert jobs(browser)["explanations"]["waiting"][0]["current"] is False


def test_what_is_done_is_counted_by_the_hour_of_the_last_day(station, browser, three, make_explanation):
    explanations.keep(station.home, three[0], make_explanation())
    with station.home.database.write() as session:
        session.get_one(ExplanationRow, three[0]).finished = now() - timedelta(days=2)
    told = jobs(browser)["explanations"]
    assert told["done"] == 2
    hours = told["done_by_hour"]
    assert len(hours) == 24
    assert [hour["number"] for hour in hours][-2:] in ([0, 1], [1, 0])
    assert sum(hour["number"] for hour in hours) == 1


def test_failures_and_refusals_say_why_and_a_failure_leads_to_its_study(station, browser, three):
    explanations.fail(station.home, three[0], "There is not enough memory.")
    for one in three[1:]:
        explanations.refuse(station.home, one, "The image is too small.")
    told = jobs(browser)["explanations"]
    assert told["failed"] == 1
    (failure,) = told["failures"]
    assert failure["reason"] == "There is not enough memory."
    assert (failure["model"], failure["current"]) == ("made-up@1", True)
    assert browser.get(f"/api/studies/{failure['study']}").status_code == 200
    (refusal,) = told["refused"]
    assert (refusal["of"], refusal["reason"], refusal["number"]) == ("made-up", "The image is too small.", 2)


def test_what_has_failed_is_tried_again_one_or_all(station, browser, three):
    for one in three:
        explanations.fail(station.home, one, "There is not enough memory.")
    key = jobs(browser)["explanations"]["failures"][0]["key"]
    assert browser.post(f"/api/explanations/{key}/again", headers=OWN).status_code == 202
    assert states(station.home, ExplanationRow).count(State.WANTED) == 1
    assert again(browser, what="explanations").json() == {"number": 2}
    assert states(station.home, ExplanationRow).count(State.FAILED) == 0


def test_results_that_could_not_be_written_are_tried_again(station, browser, three):
    with station.home.database.write() as session:
        for explanation in (1, three[0]):
            orders.want(session, explanation, "clinical", "archive")
        orders.refuse(session, [1, 2], "There is no room.")
    told = jobs(browser)["results"]
    assert (told["waiting"], told["done"]) == (0, 0)
    assert [(one["of"], one["number"]) for one in told["refused"]] == [("clinical", 2)]
    assert again(browser, what="results").json() == {"number": 1}
    assert states(station.home, OrderRow) == [OrderState.WANTED, OrderState.REFUSED]


@pytest.mark.usefixtures("sending")
def test_deliveries_are_told_by_destination_and_sent_again(station, browser):
    (told,) = jobs(browser)["deliveries"]
    assert (told["destination"], told["waiting"], told["sent"]) == ("archive", 1, 0)
    assert told["reason"] == "The connection was refused."
    assert datetime.fromisoformat(told["due"]) == SOON + deliveries.back_off(1)
    assert [one["number"] for one in told["given_up"]] == [1]
    assert again(browser, what="deliveries", destination="elsewhere").json() == {"number": 0}
    assert again(browser, what="deliveries", destination="archive").json() == {"number": 2}
    assert set(states(station.home, DeliveryRow)) == {DeliveryState.WAITING}


@pytest.mark.usefixtures("sending")
def test_what_arrived_and_was_not_read_is_told(station, browser):
    with station.home.database.write() as session:
        rows = session.scalars(select(instances.InstanceRow).order_by(instances.InstanceRow.id)).all()
        rows[0].intent, rows[0].reason = Intent.UNREADABLE, "It has no pixels."
    told = jobs(browser)["arrivals"]
    assert told["waiting"] == 1
    assert told["since"].endswith("+00:00")
    (reason,) = told["not_read"]
    assert (reason["of"], reason["reason"], reason["number"]) == ("unreadable", "It has no pixels.", 1)


def test_whether_somebody_works_here_is_told(station, browser):
    assert jobs(browser)["working"] is False
    with turn(station.home, lambda _: True):
        assert jobs(browser)["working"] is True
    assert jobs(browser)["working"] is False


def test_a_reader_does_not_try_again(station, browser):
    token = access_tokens.add(station.home, "reader")
    bearer = {"authorization": f"Bearer {token}"}
    answer = station.client().post("/api/jobs/again", json={"what": "results"}, headers=bearer)
    assert answer.status_code == 403
    assert browser.post("/api/jobs/again", json={"what": "results"}).status_code == 403
    assert station.client().post("/api/jobs/again", json={"what": "results"}, headers=OWN).status_code == 401


@pytest.mark.parametrize(
    "wanted", [{}, {"what": "studies"}, {"what": "results", "destination": 7}, {"name": 1}]
)
def test_what_cannot_be_read_is_refused(browser, wanted):
    answer = again(browser, **wanted)
    assert answer.status_code == 422
