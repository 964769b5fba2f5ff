from datetime import timedelta

import pytest
from sqlalchemy import update

from camlucida.records.role import Role
from camlucida.settings import settings
from camlucida.store.people import passwords, sign_in_tries, users, visits
from camlucida.store.tables import OpinionRow, TokenRow, VisitRow, now
from camlucida.web import signing_in


def test_a_token_opens_the_station_once(station):
    token = visits.new_token(station.home)
    client = station.client()
    answer = client.get("/sign-in", params={"token": token}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get("/api/studies").status_code == 200
    again = station.client().get("/sign-in", params={"token": token}, follow_redirects=False)
    assert again.status_code == 403
    assert "--new-token" in again.text


def test_the_cookie_is_for_this_page_only(station):
    token = visits.new_token(station.home)
    cookie = (
        station.client()
        .get("/sign-in", params={"token": token}, follow_redirects=False)
        .headers["set-cookie"]
    )
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # loopback is plain HTTP


def test_behind_a_proxy_the_cookie_travels_encrypted_only(station, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_PUBLIC_URL", "https://camlucida.example")
    settings.cache_clear()
    token = visits.new_token(station.home)
    answer = station.client().get("/sign-in", params={"token": token}, follow_redirects=False)
    monkeypatch.undo()
    settings.cache_clear()
    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("token", ["", "wrong", "é" * 50])
def test_a_wrong_token_opens_nothing(station, token):
    client = station.client()
    assert client.get("/sign-in", params={"token": token}).status_code == 403
    assert client.get("/api/studies").status_code == 401


def test_an_expired_token_opens_nothing(station):
    token = visits.new_token(station.home)
    with station.home.database.write() as session:
        session.execute(update(TokenRow).values(expires=now() - timedelta(seconds=1)))
    assert station.client().get("/sign-in", params={"token": token}).status_code == 403


def test_a_new_token_withdraws_the_unused_one(station):
    old = visits.new_token(station.home)
    visits.new_token(station.home)
    assert station.client().get("/sign-in", params={"token": old}).status_code == 403


def test_an_expired_visit_has_ended(station, browser):
    with station.home.database.write() as session:
        session.execute(update(VisitRow).values(expires=now() - timedelta(seconds=1)))
    assert browser.get("/api/studies").status_code == 401
    assert browser.get("/").status_code == 401


def test_neither_token_nor_cookie_can_be_read_from_the_database(station, browser):
    token = visits.new_token(station.home)
    (cookie,) = browser.cookies.values()
    station.home.database.close()  # folds the write-ahead log into the file
    content = b"".join(path.read_bytes() for path in station.home.folder.glob("camlucida.sqlite*"))
    assert token.encode() not in content
    assert cookie.encode() not in content
    assert visits.sha256(token).encode() in content


def test_two_homes_do_not_overwrite_each_others_cookie(station, tmp_path):
    other = type(station.home)(tmp_path / "other", station.home.database, station.home.blobs)
    assert signing_in.cookie_name(station.home) != signing_in.cookie_name(other)


GOOD = "kite-orbit-fennel"
OWN = {"sec-fetch-site": "same-origin"}


@pytest.fixture
def eva(station, monkeypatch):
    """A user, with a way to enter; argon2 is tested where passwords are."""
    monkeypatch.setattr(passwords, "hash_of", lambda password: f"hash of {password}")
    monkeypatch.setattr(passwords, "is_right", lambda password, kept: kept == f"hash of {password}")
    users.add(station.home, "eva", GOOD, [Role.SCIENTIST], "cli:root")


def enter(client, name="eva", typed=GOOD, headers=OWN):
    form = {"name": name, "password": typed}
    return client.post("/sign-in", data=form, headers=headers, follow_redirects=False)


@pytest.mark.usefixtures("eva")
def test_where_there_are_users_the_page_asks_for_name_and_password(station):
    for path, status in (("/", 401), ("/sign-in", 200)):
        answer = station.client().get(path)
        assert answer.status_code == status
        assert 'action="/sign-in"' in answer.text
        policy = answer.headers["content-security-policy"]
        assert "form-action 'self'" in policy
        assert "unsafe" not in policy


@pytest.mark.usefixtures("eva")
def test_a_user_signs_in_is_told_who_they_are_and_signs_out(station):
    client = station.client()
    assert enter(client, " Eva ").headers["location"] == "/"
    me = client.get("/api/me").json()
    assert (me["name"], me["roles"]) == ("eva", ["scientist"])
    assert "resolve" in me["rights"]
    assert "work" not in me["rights"]
    assert client.post("/api/jobs/again", json={"what": "results"}, headers=OWN).status_code == 403
    assert client.post("/sign-out").status_code == 403  # another site's page
    assert client.post("/sign-out", headers=OWN).status_code == 204
    assert client.get("/api/me").status_code == 401


@pytest.mark.usefixtures("eva")
def test_what_is_done_is_done_under_the_users_name(station, study):
    client = station.client()
    enter(client)
    (image,) = study["images"]
    key = image["explanations"][0]["key"]
    said = {"finding": "Finding 1", "stance": "agree"}
    assert client.post(f"/api/explanations/{key}/opinions", json=said, headers=OWN).status_code == 201
    with station.home.database.read() as session:
        assert [row.who for row in session.query(OpinionRow)] == ["eva"]


@pytest.mark.usefixtures("eva")
@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"name": "eva", "password": "wrong"}, 403),
        ({"name": "otto", "password": GOOD}, 403),
        ({"name": "eva"}, 403),
        ({"password": GOOD}, 403),
        ({}, 403),
        ({"name": "eva", "password": "x" * 5000}, 413),
        ({f"field{number}": "x" for number in range(9)}, 422),
    ],
)
def test_a_wrong_form_opens_nothing_and_is_not_quoted(station, form, status):
    client = station.client()
    answer = client.post("/sign-in", data=form, headers=OWN)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers
    assert "otto" not in answer.text
    assert client.get("/api/me").status_code == 401


@pytest.mark.usefixtures("eva")
@pytest.mark.parametrize("headers", [{}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}])
def test_another_sites_page_signs_nobody_in(station, headers):
    assert enter(station.client(), headers=headers).status_code == 403


@pytest.mark.usefixtures("eva")
def test_after_wrong_passwords_the_right_one_has_to_wait(station, monkeypatch):
    moment = now()  # nothing goes by: the wait is a second, and a slow machine takes that long
    monkeypatch.setattr(sign_in_tries, "now", lambda: moment)
    client = station.client()
    for _ in range(5):
        enter(client, typed="wrong")
    answer = enter(client)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.usefixtures("eva")
def test_signing_in_again_ends_the_visit_before(station):
    client = station.client()
    enter(client)
    (before,) = client.cookies.values()
    enter(client)
    assert visits.find(station.home, before) is None


def test_the_cookie_of_an_encrypted_station_is_this_hosts_alone(station, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_PUBLIC_URL", "https://camlucida.example")
    settings.cache_clear()
    answer = station.client().get(
        "/sign-in", params={"token": visits.new_token(station.home)}, follow_redirects=False
    )
    monkeypatch.undo()
    settings.cache_clear()
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    assert answer.headers["strict-transport-security"]
