"""Every route of DICOMweb, and who may use it."""

import base64
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from camlucida.records.role import Role
from camlucida.store.home import Home
from camlucida.store.people import access_tokens
from camlucida.store.people.visits import new_token
from camlucida.store.tables import AccessTokenRow, now
from camlucida.web.app import create_app

SEARCHES = [
    "/dicom-web/studies",
    "/dicom-web/series",
    "/dicom-web/instances",
    "/dicom-web/studies/1.2/series",
    "/dicom-web/studies/1.2/instances",
    "/dicom-web/studies/1.2/series/1.3/instances",
    "/api/studies",
    "/api/about",
]
ABSENT = [
    "/dicom-web/studies/1.2",
    "/dicom-web/studies/1.2/series/1.3",
    "/dicom-web/studies/1.2/series/1.3/instances/1.4",
    "/dicom-web/studies/1.2/metadata",
    "/dicom-web/studies/1.2/series/1.3/metadata",
    "/dicom-web/studies/1.2/series/1.3/instances/1.4/metadata",
    "/dicom-web/studies/1.2/series/1.3/instances/1.4/bulkdata/7FE00010",
    "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1",
    "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1/rendered",
    "/dicom-web/studies/1.2/series/1.3/instances/1.4/rendered",
    "/dicom-web/studies/1.2/thumbnail",
    "/dicom-web/studies/1.2/series/1.3/thumbnail",
    "/dicom-web/studies/1.2/series/1.3/instances/1.4/thumbnail",
    "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1/thumbnail",
]
READ = [*((path, 200) for path in SEARCHES), *((path, 404) for path in ABSENT)]
BOTH = [Role.READER, Role.OPERATOR]
STORE = ["/dicom-web/studies", "/dicom-web/studies/1.2"]
MESSAGE = b"--b\r\nContent-Type: application/dicom\r\n\r\nx\r\n--b--\r\n"
PARTS = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    opened = Home.open(tmp_path_factory.mktemp("home") / "home")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ways(home):
    """Each way to ask: its headers and cookies."""
    tokens = {
        name: access_tokens.add(home, name, BOTH if name == "stores" else [Role.READER], days=1)
        for name in ("reads", "stores", "expired", "revoked")
    }
    access_tokens.revoke(home, "revoked")
    with home.database.write() as session:
        session.execute(
            update(AccessTokenRow)
            .where(AccessTokenRow.name == "expired")
            .values(expires=now() - timedelta(seconds=1))
        )
    ways = {name: {"Authorization": f"Bearer {token}"} for name, token in tokens.items()}
    for name in ("reads", "stores", "revoked"):
        pair = base64.b64encode(f"anybody:{tokens[name]}".encode()).decode()
        ways[f"basic {name}"] = {"Authorization": f"Basic {pair}"}
    return {
        **ways,
        "none": {},
        "wrong": {"Authorization": "Bearer wrong"},
        "empty": {"Authorization": "Bearer "},
        "no base64": {"Authorization": "Basic é".encode()},
        "other scheme": {"Authorization": f"Digest {tokens['stores']}"},
    }


@pytest.fixture
def client(home):
    return TestClient(create_app(home), "http://127.0.0.1:8765", raise_server_exceptions=False)


@pytest.fixture
def browser(client, home):
    client.get("/sign-in", params={"token": new_token(home)}, follow_redirects=False)
    return client


MAY_READ = ["reads", "stores", "basic reads", "basic stores"]
MAY_NOT = ["none", "wrong", "empty", "no base64", "other scheme", "expired", "revoked", "basic revoked"]


@pytest.mark.parametrize(("path", "status"), READ)
def test_reading_needs_a_cookie_or_a_token(client, browser, ways, path, status):
    for name in MAY_READ:
        assert client.get(path, headers=ways[name]).status_code == status, name
    assert browser.get(path).status_code == status
    browser.cookies.clear()
    for name in MAY_NOT:
        answer = client.get(path, headers=ways[name])
        assert answer.status_code == 401, name
        assert answer.headers["www-authenticate"].startswith("Bearer"), name


@pytest.mark.parametrize("path", STORE)
def test_storing_needs_the_right_to(client, ways, path):
    for name in MAY_NOT:
        assert client.post(path, content=MESSAGE, headers={**PARTS, **ways[name]}).status_code == 401, name
    for name in ("reads", "basic reads"):
        answer = client.post(path, content=MESSAGE, headers={**PARTS, **ways[name]})
        assert answer.status_code == 403, name
        assert "operator" in answer.text
    for name in ("stores", "basic stores"):
        answer = client.post(path, content=MESSAGE, headers={**PARTS, **ways[name]})
        assert answer.status_code == 409, name  # it was looked at: "x" is no instance


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8765"}, 403),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8765"}, 409),
        ({"Origin": "http://127.0.0.1:8765"}, 409),
    ],
)
def test_a_cookie_stores_for_our_own_page_only(browser, headers, status):
    assert browser.post(STORE[0], content=MESSAGE, headers={**PARTS, **headers}).status_code == status


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}])
def test_a_password_that_the_browser_remembers_does_not_store_for_other_sites(client, ways, headers):
    for name, status in (("basic stores", 403), ("stores", 409)):
        asked = {**PARTS, **headers, **ways[name]}
        assert client.post(STORE[0], content=MESSAGE, headers=asked).status_code == status


def test_a_revoked_token_is_not_helped_by_a_cookie(browser, ways):
    assert browser.get("/dicom-web/studies", headers=ways["revoked"]).status_code == 401


def test_a_page_is_not_asked_for_a_password(client):
    asked = client.get("/dicom-web/studies", headers={"Sec-Fetch-Mode": "cors"})
    assert "Basic" not in asked.headers["www-authenticate"]
    assert "Basic" in client.get("/dicom-web/studies").headers["www-authenticate"]


def test_the_log_holds_no_uid_and_no_query(client, ways, capsys):
    client.get("/dicom-web/studies/1.2.840.4711081542/metadata", headers=ways["reads"])
    client.get("/dicom-web/studies?PatientName=Doe", headers=ways["reads"])
    client.get("/nothing/4711081542")
    said = "".join(capsys.readouterr())
    assert "/studies/{study}/metadata" in said
    assert "4711081542" not in said  # so long a number is no time
    assert "Doe" not in said
