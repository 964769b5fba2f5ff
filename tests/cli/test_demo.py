import json
import signal
import sqlite3
from contextlib import closing
from functools import partial

import pytest

import deadly
from camlucida.cli import demo
from camlucida.examples.phantom.dicom import DEMO_FILMS, DEMO_VOLUMES
from camlucida.models.registry import shipped_models
from waiting import until


def test_the_real_radiograph_is_found_where_its_package_is_installed():
    (path,) = demo.real_radiograph()
    assert path.name == "RG1_UNCR.dcm"


def test_without_the_package_the_demo_goes_on_without_it(monkeypatch):
    monkeypatch.setattr(demo, "find_spec", lambda _name: None)
    assert demo.real_radiograph() == []


@pytest.fixture
def drawn(monkeypatch):
    """Counts how often phantoms are drawn, and draws a word instead."""
    calls = []

    def draw(folder, _progress):
        calls.append(folder)
        folder.mkdir(exist_ok=True)
        (folder / "one.dcm").write_text("a phantom")

    monkeypatch.setattr("camlucida.examples.phantom.dicom.write_demo_studies", draw)
    return calls


def test_phantoms_are_drawn_once(tmp_path, drawn):
    folder = demo.write_phantoms(tmp_path / "phantoms")
    assert demo.write_phantoms(folder) == folder
    assert len(drawn) == 1


@pytest.mark.parametrize("damage", ["missing", "cut off", "no note"])
def test_phantoms_that_are_not_whole_are_drawn_again(tmp_path, drawn, damage):
    folder = demo.write_phantoms(tmp_path / "phantoms")
    if damage == "missing":
        (folder / "one.dcm").unlink()
    elif damage == "cut off":
        (folder / "one.dcm").write_text("a pha")
    else:
        (tmp_path / "phantoms-written.json").unlink()
    demo.write_phantoms(folder)
    assert len(drawn) == 2


def blobs(home, rows):
    """The kept files that these rows name."""
    with closing(sqlite3.connect(home / "camlucida.sqlite")) as database:
        digests = database.execute(f"SELECT digest FROM {rows} ORDER BY id").fetchall()  # noqa: S608 - our words
    return [home / "blobs" / "sha256" / digest[:2] / digest for (digest,) in digests if digest]


def another_method(browser, study):
    """What becomes of a method that is asked for on the page of a study."""
    (image, *_) = browser.get(f"/api/studies/{study['key']}").json()["images"]
    wish = {"model": image["explanations"][0]["model"], "method": "hirescam"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    asked = browser.post(f"/api/images/{image['key']}/explanations", json=wish, headers=headers)
    assert asked.status_code == 202

    def state():
        (image, *_) = browser.get(f"/api/studies/{study['key']}").json()["images"]
        (state,) = [one["state"] for one in image["explanations"] if one["method"] == wish["method"]]
        return state != "waiting" and state

    return until(state, seconds=240)


@pytest.mark.slow
def test_the_demo_shows_everything_and_a_second_start_mends_and_reuses(start, tmp_path):
    """The whole of it, as README's command one: real process, real phantoms, shipped models, RG1."""
    home = tmp_path / "demo"
    first = start("demo", "--home", home, "--no-browser", "--port", 0)
    with first.signed_in() as browser:
        studies = browser.get("/api/studies").json()["studies"]
        phantoms = [study for study in studies if study["phantom"]]
        assert len(phantoms) == len(DEMO_FILMS) + len(DEMO_VOLUMES)
        assert len(studies) == len(phantoms) + 1  # RG1
        assert shipped_models()
        for study in studies:
            assert study["state"] == "explained", study["description"]
            assert study["findings"]
        assert another_method(browser, phantoms[0]) == "explained"
    assert first.end() == 0
    assert "Traceback" not in first.said()

    pixels, evidence = blobs(home, "files WHERE kind = 'pixels'"), blobs(home, "explanations")
    pixels[0].unlink()
    evidence[0].write_bytes(b"rotten")
    drawn = written(home / "phantoms")
    second = start("demo", "--home", home, "--no-browser", "--port", 0)
    with second.signed_in() as browser:
        again = browser.get("/api/studies").json()["studies"]
        assert [study["state"] for study in again] == ["explained"] * len(studies)
    assert written(home / "phantoms") == drawn
    assert pixels[0].is_file()
    assert len(blobs(home, "explanations")) == len(evidence)
    assert "1 explanation computed, 0 not." in second.said()
    assert second.end(signal.SIGINT) == 0
    assert f"0 new images, {len(studies)} known already, 0 refused." in second.said()
    assert json.loads((home / "phantoms-written.json").read_text())


def written(folder):
    """When each file below a folder was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.mark.parametrize(
    "where", ["camlucida.pipeline:register_shipped", "camlucida.examples.phantom.dicom:write_demo_studies"]
)
def test_ctrl_c_while_preparing_ends_without_a_traceback(run, tmp_path, where):
    stopped = partial(deadly.at_call, 1, where, signal.SIGINT)
    done = run("demo", "--home", tmp_path / "demo", "--no-browser", "--port", 0, first=stopped)
    assert done.returncode == 0, done.stderr
    assert "the next start goes on from here" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
