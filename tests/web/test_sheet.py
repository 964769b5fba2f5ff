import base64
import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pytest
from PIL import Image as Picture

from camlucida.records import Flag, FlagReason
from camlucida.store import explanations, thumbnails
from camlucida.store.explanations import CurrentModel
from camlucida.store.remarks import flags

SOUGHT = {"model": "made-up@1", "method": "grad-cam", "finding": "Finding 1"}


@pytest.fixture
def four(station, make_image, make_explanation, put_in):
    """Three more images that are explained; the explanations of all, the newest first."""
    told = [station.explanation]
    for seed in (5, 6, 7):
        (identifier,) = put_in(station.home, [make_image(seed=seed)])
        told.insert(0, make_explanation(findings=3, seed=seed))
        explanations.keep(station.home, identifier, told[0])
    return told


def sheet(browser, **changes):
    return browser.post("/api/sheet", json={**SOUGHT, **changes})


def test_models_with_maps_are_offered_with_their_findings(browser, station):
    (offered,) = browser.get("/api/sheet").json()["available"]
    names = [finding.name for finding in station.explanation.prediction.findings]
    assert offered == {"model": "made-up@1", "method": "grad-cam", "maps": 1, "findings": names}


def test_every_map_comes_with_its_numbers_and_values(browser, four):
    told = sheet(browser).json()
    assert told["all"] == 4
    assert len(told["maps"]) == 4
    for one, explanation in zip(told["maps"], four, strict=True):
        saliency_map = explanation.saliency_map
        index = saliency_map.findings.index("Finding 1")
        plane = one["map"]
        values = np.frombuffer(base64.b64decode(plane["values"]), "<f4").reshape(plane["shape"])
        np.testing.assert_allclose(values, saliency_map.values[index], atol=1e-6)
        np.testing.assert_allclose(plane["cell_to_pixel"], saliency_map.geometry.native_to_pixel)
        assert plane["pixels"] == list(saliency_map.geometry.pixel_shape)
        record = plane["record"]
        assert record["saliency_map"]["findings"] == ["Finding 1"]
        assert record["saliency_map"]["evidence_for"] == pytest.approx([saliency_map.evidence_for(index)])
        assert record["trust"]["findings"] == [asdict(explanation.trust.findings[index])]
        assert plane["finding"] == index
        assert one["probability"] == pytest.approx(explanation.prediction.probabilities[index])


def test_the_most_probable_are_taken_first(browser, four):
    found = [one["probability"] for one in sheet(browser, choice="most probable", most=3).json()["maps"]]
    assert found == sorted((one.prediction.probabilities[1] for one in four), reverse=True)[:3]


def test_flags_are_counted(browser, station):
    flags.keep(station.home, 1, Flag("Finding 1", FlagReason.WRONG_PLACE, "", {}, "browser"))
    assert sheet(browser).json()["maps"][0]["flags"] == 1
    assert sheet(browser, finding="Finding 2").json()["maps"][0]["flags"] == 0


@pytest.mark.parametrize("change", [{"finding": "Gout"}, {"model": "made-up@2"}, {"method": "lime"}])
def test_what_has_no_maps_is_not_there(browser, change):
    assert sheet(browser, **change).status_code == 404


def test_maps_of_a_model_that_is_not_current_are_not_mixed_in(station, browser):
    explanations.set_current_models(station.home, [CurrentModel("d" * 64, "made-up", "2")])
    assert browser.get("/api/sheet").json()["available"] == []
    assert sheet(browser).status_code == 404


@pytest.mark.parametrize("change", [{"most": 101}, {"most": 0}, {"choice": "best"}, {"patient": "Doe"}])
def test_what_cannot_be_read_is_refused_without_being_quoted(browser, change):
    answer = sheet(browser, **change)
    assert answer.status_code == 422
    assert "Doe" not in answer.text


def test_a_thumbnail_is_a_small_picture_that_the_browser_keeps(station, browser, study):
    address = f"/api/images/{study['images'][0]['key']}/thumbnail"
    answer = browser.get(address)
    assert answer.headers["content-type"] == "image/jpeg"
    assert "immutable" in answer.headers["cache-control"]
    assert Picture.open(io.BytesIO(answer.content)).size == (47, 61)
    assert browser.get(f"{address}?slice=1").status_code == 404
    assert browser.get(f"/api/images/{'0' * 32}/thumbnail").status_code == 404
    assert station.client().get(address).status_code == 401


def test_thumbnails_that_wait_keep_nobody_from_reading(browser, study, monkeypatch):
    begun, go_on = threading.Event(), threading.Event()

    def slow(*_asked):
        begun.set()
        assert go_on.wait(600)
        return b""

    monkeypatch.setattr(thumbnails, "get", slow)
    address = f"/api/images/{study['images'][0]['key']}/thumbnail"
    with browser, ThreadPoolExecutor(60) as readers:  # more than Starlette has threads
        asked = [readers.submit(browser.get, address) for _ in range(50)]
        assert begun.wait(300)
        try:
            assert readers.submit(browser.get, "/api/about").result(300).status_code == 200
        finally:
            go_on.set()
        assert {one.result().status_code for one in asked} == {200}
