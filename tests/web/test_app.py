import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text

from camlucida.errors import DamagedBlob
from camlucida.version import __version__
from camlucida.web import app as web
from camlucida.web import explanations, images, studies

PATHS = [
    f"/api{route.path}"
    for router in (studies.router, images.router, explanations.router)
    for route in router.routes
    if isinstance(route, APIRoute)
]


def test_the_list_of_paths_is_not_empty():
    assert len(PATHS) == 6


@pytest.mark.parametrize("path", [*PATHS, "/api/about"])
def test_everything_under_api_needs_a_signed_in_browser(station, path):
    answer = station.client().get(path.format(key="0" * 32))
    assert answer.status_code == 401
    assert "--new-token" in answer.json()["detail"]


def test_the_page_is_the_viewer_for_those_signed_in_and_a_plain_sentence_for_others(station, browser):
    assert "viewer" in browser.get("/").text
    plain = station.client().get("/")
    assert plain.status_code == 401
    assert "Sign in with the link" in plain.text
    assert "not a medical device" in plain.text


def test_a_checkout_without_a_built_viewer_says_so(station, tmp_path):
    station.app = web.create_app(station.home, tmp_path / "nothing")
    answer = station.browser().get("/")
    assert answer.status_code == 503
    assert "npm run build" in answer.text


def test_about_says_the_version_and_what_it_is_not(browser):
    assert browser.get("/api/about").json() == {
        "version": __version__,
        "notice": "Research software, not a medical device.",
    }


@pytest.mark.parametrize("path", [path for path in PATHS if "{key}" in path])
def test_an_unknown_key_is_a_sentence(browser, path):
    answer = browser.get(path.format(key="0" * 32))
    assert answer.status_code == 404
    assert answer.json()["detail"].startswith("There is no such")


def test_a_fault_of_ours_is_told_without_quoting_it(browser, study, monkeypatch, capsys):
    def break_down(*_, **__):
        raise RuntimeError("Doe^Jane")

    monkeypatch.setattr(studies.predictions, "of_studies", break_down)
    answer = browser.get(f"/api/studies/{study['key']}")
    assert answer.status_code == 500
    assert "its log names the kind" in answer.json()["detail"]
    assert "default-src" in answer.headers["content-security-policy"]
    said = capsys.readouterr()
    assert "Doe" not in answer.text + said.out + said.err


def test_a_damaged_database_is_no_traceback_on_the_page(station, browser, study):
    with station.home.database.write() as session:
        session.execute(text("DROP TABLE predictions"))
    answer = browser.get(f"/api/studies/{study['key']}")
    assert answer.status_code == 500
    assert "Traceback" not in answer.text


def test_damage_is_told_in_its_own_words(browser, study, monkeypatch):
    def damaged(_blobs, digest):
        raise DamagedBlob(f"The kept file {digest[:12]}… is damaged.")

    monkeypatch.setattr("camlucida.store.blobs.Blobs.get", damaged)
    answer = browser.get(f"/api/images/{study['images'][0]['key']}/pixels")
    assert answer.status_code == 500
    assert answer.json()["detail"].endswith("is damaged.")


def test_answers_are_compressed_for_those_who_take_it(browser):
    assert "content-encoding" not in browser.get("/api/about", headers={"accept-encoding": "gzip"}).headers
    packed = browser.get("/api/studies", headers={"accept-encoding": "gzip"})
    assert packed.json()["studies"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_is_changed_by_the_browser(browser, method):
    assert browser.request(method, "/api/studies").status_code == 405
