"""Every route × every role, from the table and from a list that knows nothing of it."""

import re
from types import SimpleNamespace

import pytest
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from camlucida.records.role import Role
from camlucida.store.home import Home
from camlucida.store.people.visits import new_token
from camlucida.web import access, rights
from camlucida.web.access import Visitor
from camlucida.web.app import create_app
from camlucida.web.rights import Right

ALL = {"reader", "scientist", "auditor", "operator", "admin"}
READERS = {"reader", "scientist", "auditor", "admin"}
EXPECTED = {  # written without looking at the table: the first pattern that an address fits
    r"(GET|POST) /sign-in": None,
    r"GET /(healthz|readyz|metrics)": None,
    r"GET /camlucida-ohif\.js": None,
    r"POST /sign-out": ALL,
    r"GET /(ohif.*|api/(about|me|jobs|status))?": ALL,
    r"POST /api/flags/.*": {"scientist", "admin"},
    r"POST /api/jobs.*": {"operator", "admin"},
    r"POST /dicom-web/.*": {"operator", "admin"},
    r"POST /api/explanations/\w+/(flags|opinions|again|cancel)": {"reader", "scientist", "admin"},
    r"POST /api/images/\w+/explanations": {"reader", "scientist", "admin"},
    r"POST /api/(studies/search|find|sheet|events)": READERS,
    r"GET /(api|dicom-web)/.*": READERS,
}
OWN = {"sec-fetch-site": "same-origin"}


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """An empty station; with its application, how a stranger asks."""
    folder = tmp_path_factory.mktemp("rights")
    home = Home.open(folder / "home")
    yield SimpleNamespace(home=home, app=create_app(home))
    home.close()


@pytest.fixture(scope="module")
def stranger(station):
    return client(station.app)


def client(app):
    return TestClient(app, "http://127.0.0.1:8765", raise_server_exceptions=False)


def signed_in(home, app):
    browser = client(app)
    browser.get("/sign-in", params={"token": new_token(home)}, follow_redirects=False)
    return browser


def routes(app):
    """Each method and pattern that the application answers."""
    return sorted(
        f"{method} {context.path}"
        for context in iter_route_contexts(app.routes)
        if context.path != "/static"
        for method in context.methods or ()
    )


def address(pattern):
    """An address that fits a pattern; nothing is kept under it."""
    return re.sub(r"\{\w+(:path)?\}", "1", pattern)


def expected(method, path):
    return next(roles for words, roles in EXPECTED.items() if re.fullmatch(words, f"{method} {path}"))


def test_the_table_has_every_route_and_no_other(station):
    without_ohif = [line for line in rights.ROUTES if "/ohif" not in line.replace("/camlucida-ohif.js", "")]
    assert routes(station.app) == sorted(without_ohif)


@pytest.mark.parametrize("line", [line for line in rights.ROUTES if " /ohif" not in line])
def test_who_is_let_in_is_who_was_expected(stranger, monkeypatch, line):
    method, pattern = line.split()
    path = address(pattern)
    wanted = expected(method, path)
    statuses = {}
    for role in Role:
        visitor = Visitor("somebody", frozenset({role}))
        monkeypatch.setattr(access, "_found", lambda _, visitor=visitor: visitor)
        statuses[role.value] = stranger.request(method, path, headers=OWN).status_code
    monkeypatch.undo()
    assert {role for role, status in statuses.items() if status != 403} == (wanted or ALL) or wanted is None
    assert 401 not in statuses.values()
    if wanted is not None:
        assert stranger.request(method, path, headers=OWN).status_code == 401


def test_a_right_in_words_and_who_has_it(stranger, monkeypatch):
    monkeypatch.setattr(access, "_found", lambda _: Visitor("somebody", frozenset({Role.AUDITOR})))
    answer = stranger.post("/api/jobs/again", json={"what": "results"}, headers=OWN)
    assert answer.status_code == 403
    assert "operator, admin" in answer.json()["detail"]


def test_a_route_that_is_not_in_the_table_is_refused_to_everybody(station):
    app = create_app(station.home)
    app.add_api_route("/api/new", lambda: "inside")
    assert client(app).get("/api/new").status_code == 401
    answer = signed_in(station.home, app).get("/api/new")
    assert answer.status_code == 403
    assert "inside" not in answer.text


@pytest.mark.parametrize("line", [line for line, right in rights.ROUTES.items() if right in rights.CHANGING])
def test_what_changes_something_is_not_taken_from_another_sites_page(station, line):
    method, pattern = line.split()
    browser = signed_in(station.home, station.app)
    for headers in ({}, {"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}):
        assert browser.request(method, address(pattern), headers=headers).status_code == 403


def test_nobody_has_a_right_by_having_no_role():
    assert rights.of_roles([]) == {Right.ANYBODY, Right.SIGN_IN, Right.ENTER}


def test_whoever_may_look_is_recorded():
    for role in Role:
        assert (Right.READ in rights.ROLES[role]) == (Right.RECORD in rights.ROLES[role])
