from io import BytesIO

import numpy as np
import PIL.Image
import pytest

from camlucida.records.role import Role
from camlucida.store.people import access_tokens
from camlucida.store.tables import EventRow, ExplanationRow, FlagRow
from camlucida.web import access, flag_queue
from camlucida.web.access import Visitor

OWN = {"sec-fetch-site": "same-origin"}
VIEW = {"viewer": "camlucida", "map": "1", "finding": "1", "opacity": "80"}


@pytest.fixture
def flagged(browser, study):
    """Two flags, the second with an outline; their numbers."""
    address = f"/api/explanations/{study['images'][0]['explanations'][0]['key']}/flags"
    region = {"axis": 0, "at": 0, "places": [[10.5, 10.0], [30.0, 20.0], [30.0, 40.5]]}
    said = {"finding": "Finding 1", "text": "by the tube", "view": VIEW}
    return [
        browser.post(address, json={**said, "reason": reason, "region": outline}, headers=OWN).json()["id"]
        for reason, outline in (("shortcut or device", None), ("wrong place", region))
    ]


def resolve(browser, number, **said):
    body = {"outcome": "confirmed", "reason": "It is the tube.", **said}
    return browser.post(f"/api/flags/{number}/resolutions", json=body, headers=OWN)


def test_the_queue_says_what_is_flagged_and_names_no_patient(browser, study, flagged):
    answer = browser.get("/api/flags")
    queue = answer.json()
    assert (queue["total"], queue["more"]) == (2, False)
    assert [one["number"] for one in queue["flags"]] == flagged[::-1]
    first = queue["flags"][1]
    assert (first["state"], first["text"], first["view"]) == ("open", "by the tube", VIEW)
    assert (first["study"], first["image"]) == (study["key"], study["images"][0]["key"])
    assert (first["model"], first["current"], first["made_anew"]) == ("made-up@1", True, False)
    assert "Doe" not in answer.text
    assert "ID-4711" not in answer.text


def test_the_queue_is_filtered_and_paged(browser, flagged, monkeypatch):
    def numbers(query):
        return [one["number"] for one in browser.get(f"/api/flags?{query}").json()["flags"]]

    resolve(browser, flagged[0])
    assert numbers("state=open") == [flagged[1]]
    assert numbers("state=open&state=confirmed") == numbers("state=") == flagged[::-1]
    assert numbers("reason=wrong+place&finding=Finding+1&model=made-up") == [flagged[1]]
    assert numbers("model=other") == []
    monkeypatch.setattr(flag_queue, "MOST_OF_PAGE", 1)
    page = browser.get("/api/flags").json()
    assert (page["total"], page["more"], len(page["flags"])) == (2, True, 1)
    assert numbers(f"before={page['flags'][0]['number']}") == [flagged[0]]


@pytest.mark.parametrize(
    "query",
    ["reason=ugly", "state=forgotten", "before=0", "before=x", f"before={2**63}", "model=" + "x" * 201],
)
def test_what_cannot_be_sought_is_refused(browser, query):
    assert browser.get(f"/api/flags?{query}").status_code == 422


def test_a_resolution_holds_under_the_name_of_who_said_it(station, browser, flagged, monkeypatch):
    visitor = Visitor("ada", frozenset({Role.SCIENTIST}))
    monkeypatch.setattr(access, "_found", lambda _: visitor)
    assert resolve(browser, flagged[0]).status_code == 201
    one = browser.get("/api/flags").json()["flags"][1]
    assert one["state"] == "confirmed"
    assert (one["resolution"]["reason"], one["resolution"]["who"]) == ("It is the tube.", "ada")
    assert resolve(browser, flagged[0], outcome="not a fault", reason="A shadow.").status_code == 201
    said = browser.get(f"/api/flags/{flagged[0]}/resolutions").json()["resolutions"]
    assert [(each["outcome"], each["who"]) for each in said] == [("confirmed", "ada"), ("not a fault", "ada")]
    with station.home.database.read() as session:
        told = session.query(EventRow).filter_by(kind="resolved").all()
    assert [(event.who, event.view["outcome"]) for event in told] == [
        ("ada", "confirmed"),
        ("ada", "not a fault"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"reason": "  "},
        {"reason": "x" * 2001},
        {"outcome": "forgotten"},
        {"outcome": "repaired"},
        {"outcome": "duplicate", "duplicate_of": 99},
        {"note": "Doe"},
    ],
)
def test_a_resolution_that_does_not_fit_is_refused_and_not_quoted(browser, flagged, said):
    answer = resolve(browser, flagged[0], **said)
    assert answer.status_code == 422
    assert "Doe" not in answer.text
    assert browser.get("/api/flags?state=open").json()["total"] == 2


def test_a_reader_s_token_sees_the_queue_and_resolves_nothing(station, flagged):
    client = station.client()
    client.headers["authorization"] = f"Bearer {access_tokens.add(station.home, 'a reader')}"
    assert client.get("/api/flags").json()["total"] == 2
    assert resolve(client, flagged[0]).status_code == 403
    assert station.client().get("/api/flags").status_code == 401


def test_counts_are_by_model_finding_reason_and_state(browser, flagged):
    resolve(browser, flagged[0])
    counts = browser.get("/api/flags/counts").json()["counts"]
    assert {(one["finding"], one["reason"], one["state"], one["number"]) for one in counts} == {
        ("Finding 1", "shortcut or device", "confirmed", 1),
        ("Finding 1", "wrong place", "open", 1),
    }


def test_the_small_picture_shows_the_flagged_map_and_the_outline(browser, station, study, flagged):
    plain = browser.get(f"/api/images/{study['images'][0]['key']}/thumbnail")
    without, outlined = (browser.get(f"/api/flags/{number}/picture") for number in flagged)
    assert without.headers["content-type"] == "image/jpeg"
    greys, map_, both = (
        np.asarray(PIL.Image.open(BytesIO(one.content)).convert("RGB")).astype(int)
        for one in (plain, without, outlined)
    )
    assert map_.shape == greys.shape
    assert np.abs(map_ - greys).mean() > 5
    changed = np.abs(both - map_).max(axis=2) > 60
    assert changed[10, 10] or changed[11, 11]
    assert not changed[45:].any()
    with station.home.database.read() as session:
        digest = session.query(FlagRow).first().digest
        assert digest == session.query(ExplanationRow).one().digest
    station.home.blobs.path(digest).unlink()
    assert browser.get(f"/api/flags/{flagged[0]}/picture").status_code == 404
    assert browser.get("/api/flags/99/picture").status_code == 404
