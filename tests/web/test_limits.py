"""How often, how much, and under which number."""

import re

import pytest

from camlucida.records.role import Role
from camlucida.store.people import access_tokens
from camlucida.web import limits, rights
from camlucida.web.limits import Limiter
from camlucida.web.rights import Right

OWN = {"sec-fetch-site": "same-origin"}
WITHOUT = ("/sign-out", "{key}/again", "{key}/cancel")
WITH_BODY = [
    line
    for line, right in rights.ROUTES.items()
    if line.startswith("POST ") and right is not Right.STORE and not line.endswith(WITHOUT)
]


@pytest.fixture
def clock(monkeypatch):
    moment = [0.0]
    monkeypatch.setattr(limits, "monotonic", lambda: moment[0])
    return moment


def test_as_many_as_a_minute_holds_and_then_one_by_one(clock):
    limiter = Limiter(60)
    assert [limiter.wait("eva") for _ in range(60)] == [0.0] * 60
    assert limiter.wait("eva") == pytest.approx(1.0)
    assert limiter.wait("otto") == 0.0
    clock[0] += 1.0
    assert limiter.wait("eva") == 0.0
    assert limiter.wait("eva") > 0.0
    clock[0] += 3600.0
    assert [limiter.wait("eva") for _ in range(61)] == [0.0] * 60 + [pytest.approx(1.0)]


@pytest.mark.usefixtures("clock")
def test_who_comes_once_is_not_remembered_for_ever(monkeypatch):
    monkeypatch.setattr(limits, "MOST_KNOWN", 10)
    limiter = Limiter(60)
    for number in range(100):
        limiter.wait(str(number))
    assert len(limiter._buckets) == 10


def test_too_many_writes_of_one_visitor_are_told_when_to_go_on(station, browser, monkeypatch):
    monkeypatch.setattr(station.app.state.limits, "writes", Limiter(2))
    again = [browser.post("/api/jobs/again", json={"what": "results"}, headers=OWN) for _ in range(3)]
    assert [answer.status_code for answer in again] == [202, 202, 429]
    assert 1 <= int(again[2].headers["retry-after"]) <= 30
    assert browser.get("/api/studies").status_code == 200
    token = access_tokens.add(station.home, "pacs", [Role.OPERATOR])
    other = {"authorization": f"Bearer {token}"}
    answer = station.client().post("/api/jobs/again", json={"what": "results"}, headers=other)
    assert answer.status_code == 202


@pytest.mark.usefixtures("clock")
def test_links_are_not_tried_without_end(station):
    client = station.client()
    statuses = [client.get("/sign-in", params={"token": "x"}).status_code for _ in range(61)]
    assert statuses == [403] * 60 + [429]


@pytest.mark.parametrize("line", WITH_BODY)
def test_every_body_is_bounded(browser, line):
    """Before anything is looked for under the address."""
    path = re.sub(r"\{\w+\}", "1", line.removeprefix("POST "))
    answer = browser.post(path, content=b" " * 2_000_000, headers=OWN)
    assert answer.status_code == 413, answer.text


@pytest.mark.parametrize("told", ["", "short", "a b c d e f", "x" * 65, "<script>", "evil\tid-12345"])
def test_every_answer_has_a_number_that_is_one(station, told):
    answer = station.client().get("/api/about", headers={"x-request-id": told})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


def test_the_number_that_a_proxy_gave_is_kept(browser):
    number = "01J-proxy-4711"
    assert browser.get("/api/about", headers={"x-request-id": number}).headers["x-request-id"] == number
    assert browser.get("/nothing", headers={"x-request-id": number}).headers["x-request-id"] == number
    assert browser.get("/", headers={"host": "evil.example"}).headers["x-request-id"]
