import secrets

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError

from camlucida.store.people import access_tokens
from camlucida.store.tables import EventRow
from camlucida.web import events as web_events

OWN = {"sec-fetch-site": "same-origin"}


def event(**fields):
    made = {
        "key": secrets.token_hex(16),
        "kind": "changed",
        "happened": "2026-01-02T03:04:05.678+01:00",
        "tab": "b" * 32,
        "study": "s1",
        "image": "i1",
        "explanation": "e1",
        "view": {"opacity": "55", "map": None},
    }
    return {**made, **fields}


def tell(browser, *events, headers=OWN):
    return browser.post("/api/events", json={"events": list(events)}, headers=headers)


def kept(station):
    """What the browser told: signing in and tokens are told by the station itself."""
    own = EventRow.kind.in_(["signed in", "token changed"]) | (EventRow.who == "station")
    with station.home.database.read() as session:
        return session.query(EventRow).filter(~own).order_by(EventRow.id).all()


def test_events_are_kept_in_their_order_and_with_their_view(station, browser):
    assert tell(browser, event(kind="opened"), event(), event(kind="left", view={})).json() == {"kept": 3}
    rows = kept(station)
    assert [row.kind for row in rows] == ["opened", "changed", "left"]
    changed = rows[1]
    assert changed.happened.isoformat() == "2026-01-02T02:04:05.678000+00:00"
    assert (changed.study_key, changed.image_key, changed.explanation_key) == ("s1", "i1", "e1")
    assert changed.view == {"opacity": "55", "map": None}
    assert changed.who == "browser"


def test_what_is_sent_twice_is_kept_once(station, browser):
    first, second = event(), event()
    tell(browser, first)
    assert tell(browser, first, second, second).json() == {"kept": 1}
    assert [row.key for row in kept(station)] == [first["key"], second["key"]]


def test_a_kept_event_is_neither_changed_nor_deleted(station, browser):
    tell(browser, event())
    for statement in ("UPDATE events SET kind = 'left'", "DELETE FROM events"):
        with pytest.raises(DatabaseError, match="never changed"), station.home.database.write() as session:
            session.execute(text(statement))
    assert [row.kind for row in kept(station)] == ["changed"]


@pytest.mark.parametrize(
    "change",
    [
        {"key": "x"},
        {"kind": "flagged"},
        {"kind": "dreamt"},
        {"happened": "2026-01-02T03:04:05"},
        {"happened": "yesterday"},
        {"happened": "0001-01-01T00:00:00+14:00"},
        {"happened": "9999-12-31T23:59:59-14:00"},
        {"tab": "Doe^Jane"},
        {"study": "1.2.840"},
        {"view": {str(n): n for n in range(41)}},
        {"view": {"note": "x" * 101}},
        {"patient": "Doe^Jane"},
    ],
)
def test_a_batch_with_something_unknown_is_refused_whole_and_not_quoted(station, browser, change):
    answer = tell(browser, event(), event(**change))
    assert answer.status_code == 422
    assert "Doe" not in answer.text
    assert kept(station) == []


def test_a_batch_has_bounds(browser):
    assert tell(browser).status_code == 422
    assert tell(browser, *(event(view={}) for _ in range(web_events.MOST_EVENTS + 1))).status_code == 422
    endless = browser.post("/api/events", content=b" " * (web_events.MOST_BYTES + 1), headers=OWN)
    assert endless.status_code == 413


def test_only_readers_tell_and_only_from_the_stations_own_page(station, browser):
    assert tell(station.client(), event()).status_code == 401
    assert tell(browser, event(), headers={}).status_code == 403
    assert tell(browser, event(), headers={"sec-fetch-site": "cross-site"}).status_code == 403
    token = access_tokens.add(station.home, "a program")
    assert tell(station.client(), event(), headers={"authorization": f"Bearer {token}"}).status_code == 200
    assert [row.who for row in kept(station)] == ["a program"]


def test_a_flag_and_an_opinion_are_events_by_themselves(station, browser, study):
    image = study["images"][0]
    address = f"/api/explanations/{image['explanations'][0]['key']}"
    flag = {"finding": "Finding 1", "reason": "artefact", "text": "Mrs Doe"}
    assert browser.post(f"{address}/flags", json=flag, headers=OWN).status_code == 201
    judgement = {"finding": "Finding 2", "stance": "agree"}
    assert browser.post(f"{address}/opinions", json=judgement, headers=OWN).status_code == 201
    flagged, judged = kept(station)
    assert flagged.kind == "flagged"
    assert flagged.view == {"flag": 1, "finding": "Finding 1", "reason": "artefact"}
    assert (judged.kind, judged.view) == ("judged", judgement)
    assert flagged.study_key == study["key"]
    assert flagged.image_key == image["key"]
    assert flagged.explanation_key == image["explanations"][0]["key"]
