"""A station with one study in it, and a browser that is signed in."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from fastapi.testclient import TestClient

from camlucida.records import Explanation, Image
from camlucida.store import explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.home import Home
from camlucida.store.people.visits import new_token
from camlucida.web.app import create_app
from ohif_station import Shown, ohif_station, shared_folder

MODEL = "a" * 64


@dataclass
class Station:
    """An open home and its application, with what was put in."""

    home: Home
    app: object
    image: Image
    explanation: Explanation

    def client(self) -> TestClient:
        """A browser that has not signed in."""
        return TestClient(self.app, "http://127.0.0.1:8765", raise_server_exceptions=False)

    def browser(self) -> TestClient:
        """A browser that has."""
        client = self.client()
        client.get("/sign-in", params={"token": new_token(self.home)}, follow_redirects=False)
        return client


@pytest.fixture(scope="session")
def shown(tmp_path_factory) -> Iterator[Shown]:
    """The real OHIF beside a station with explained phantoms and their results."""
    shared = shared_folder(tmp_path_factory.getbasetemp())
    with ohif_station(tmp_path_factory.mktemp("ohif"), shared) as running:
        yield running


@pytest.fixture(scope="session")
def put_in(tmp_path_factory):
    """Puts images into a home and wants an explanation of each; gives their ids."""
    folder = tmp_path_factory.mktemp("originals")

    def put(home, images):
        path = folder / f"original-{len(list(folder.iterdir()))}.dcm"
        path.write_bytes(path.name.encode())
        studies.keep(home, images, [path])
        explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
        with home.database.write() as session:
            for row in explanations.unseen(session, MODEL, "grad-cam"):
                explanations.want(session, row.id, MODEL, "grad-cam")
        with home.database.read() as session:
            return explanations.waiting(session, MODEL)

    return put


@pytest.fixture(scope="session")
def filled(tmp_path_factory, new_home, make_image, make_explanation, put_in):
    """A folder with the home and the viewer of a station, to be copied; and what was put in."""
    folder = tmp_path_factory.mktemp("filled")
    home = new_home(folder / "home")
    image, explanation = make_image(), make_explanation(findings=3)
    (identifier,) = put_in(home, [image])
    explanations.keep(home, identifier, explanation)
    home.close()
    viewer = folder / "static"
    viewer.mkdir()
    (viewer / "index.html").write_text("<!doctype html><title>viewer</title>")
    (viewer / "viewer.js").write_text("export {};")
    return folder, image, explanation


@pytest.fixture
def station(tmp_path, filled):
    folder, image, explanation = filled
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    home = Home.open(tmp_path / "home")
    yield Station(home, create_app(home, tmp_path / "static"), image, explanation)
    home.close()


@pytest.fixture(scope="module")
def context(station):
    """Chromium, signed in to the station of the module: those that have one replace `station`."""
    from viewer_page import signed_in  # noqa: PLC0415 - torch, 3 s, which tests without a browser do not need

    with signed_in(station) as opened:
        yield opened


@pytest.fixture
def page(context, station):
    """A page that must write no error and ask nobody but the station."""
    from viewer_page import watched_page  # noqa: PLC0415 - as above

    with watched_page(context, station) as opened:
        yield opened


@pytest.fixture
def browser(station):
    return station.browser()


@pytest.fixture
def study(browser):
    """The only study, as the API tells it."""
    (row,) = browser.get("/api/studies").json()["studies"]
    return browser.get(f"/api/studies/{row['key']}").json()
