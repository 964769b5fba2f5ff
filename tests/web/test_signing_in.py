from datetime import timedelta

import pytest
from sqlalchemy import update

from camlucida.settings import settings
from camlucida.store.tables import TokenRow, VisitRow, now
from camlucida.web import signing_in


def test_a_token_opens_the_station_once(station):
    token = signing_in.new_token(station.home)
    client = station.client()
    answer = client.get("/sign-in", params={"token": token}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert client.get("/api/studies").status_code == 200
    again = station.client().get("/sign-in", params={"token": token}, follow_redirects=False)
    assert again.status_code == 403
    assert "--new-token" in again.text


def test_the_cookie_is_for_this_page_only(station):
    token = signing_in.new_token(station.home)
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
    token = signing_in.new_token(station.home)
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
    token = signing_in.new_token(station.home)
    with station.home.database.write() as session:
        session.execute(update(TokenRow).values(expires=now() - timedelta(seconds=1)))
    assert station.client().get("/sign-in", params={"token": token}).status_code == 403


def test_a_new_token_withdraws_the_unused_one(station):
    old = signing_in.new_token(station.home)
    signing_in.new_token(station.home)
    assert station.client().get("/sign-in", params={"token": old}).status_code == 403


def test_an_expired_visit_has_ended(station, browser):
    with station.home.database.write() as session:
        session.execute(update(VisitRow).values(expires=now() - timedelta(seconds=1)))
    assert browser.get("/api/studies").status_code == 401
    assert browser.get("/").status_code == 401


def test_neither_token_nor_cookie_can_be_read_from_the_database(station, browser):
    token = signing_in.new_token(station.home)
    (cookie,) = browser.cookies.values()
    station.home.database.close()  # folds the write-ahead log into the file
    content = b"".join(path.read_bytes() for path in station.home.folder.glob("camlucida.sqlite*"))
    assert token.encode() not in content
    assert cookie.encode() not in content
    assert signing_in.sha256(token).encode() in content


def test_two_homes_do_not_overwrite_each_others_cookie(station, tmp_path):
    other = type(station.home)(tmp_path / "other", station.home.database, station.home.blobs)
    assert signing_in.cookie_name(station.home) != signing_in.cookie_name(other)
