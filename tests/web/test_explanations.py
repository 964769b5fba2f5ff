import json
import time

import numpy as np
import pytest
from sqlalchemy import select

from camlucida.errors import NotAnswering
from camlucida.records.encoding import to_json
from camlucida.rendering.scale import fixed_scale
from camlucida.store import explanations
from camlucida.store.tables import ExplanationRow


def key_of(study):
    return study["images"][0]["explanations"][0]["key"]


def digest_of(station, key):
    with station.home.database.read() as session:
        return session.scalars(select(ExplanationRow.digest).where(ExplanationRow.key == key)).one()


def test_an_explanation_is_all_but_its_values_with_their_scales(station, browser, study):
    answer = browser.get(f"/api/explanations/{key_of(study)}").json()
    assert answer.pop("scales") == [fixed_scale((16, 16))] * 3
    assert answer.pop("digest") == digest_of(station, key_of(study))
    assert answer == json.loads(json.dumps(to_json(station.explanation)))
    saliency_map = answer["saliency_map"]
    for index, logit in enumerate(saliency_map["logits"]):
        evidence = saliency_map["evidence_for"][index] + saliency_map["evidence_against"][index]
        assert evidence + saliency_map["bias"][index] == pytest.approx(logit, abs=1e-3)


def test_values_are_float32_little_endian_by_finding(station, browser, study):
    answer = browser.get(f"/api/explanations/{key_of(study)}/values")
    values = np.frombuffer(answer.content, "<f4").reshape(3, 16, 16)
    assert np.array_equal(values, station.explanation.saliency_map.values)
    assert "immutable" in answer.headers["cache-control"]
    again = browser.get(
        f"/api/explanations/{key_of(study)}/values", headers={"if-none-match": answer.headers["etag"]}
    )
    assert again.status_code == 304


@pytest.mark.parametrize("reason", ["", "This model takes volumes."])
def test_an_explanation_that_is_not_there_says_why(station, browser, make_image, put_in, reason):
    (identifier,) = put_in(station.home, [make_image(seed=3)])
    if reason:
        explanations.refuse(station.home, identifier, reason)
    row = browser.get("/api/studies").json()["studies"][0]
    key = key_of(browser.get(f"/api/studies/{row['key']}").json())
    for path in (f"/api/explanations/{key}", f"/api/explanations/{key}/values"):
        answer = browser.get(path)
        assert answer.status_code == 409
        assert answer.json()["detail"] == (reason or "This explanation has not been computed yet.")


def test_a_kept_explanation_of_18_findings_is_there_in_50_ms(
    station, browser, make_image, make_explanation, put_in
):
    """From what is kept, p95 ≤ 50 ms for the words and the values together.

    Seconds of the processor: on a shared machine, seconds of the clock measure the neighbours.
    """
    (identifier,) = put_in(station.home, [make_image(seed=3)])
    explanations.keep(station.home, identifier, make_explanation(findings=18, native=(32, 32)))
    row = browser.get("/api/studies").json()["studies"][0]
    key = key_of(browser.get(f"/api/studies/{row['key']}").json())

    def p95():
        seconds = []
        for _ in range(60):
            began = time.process_time()
            for path in (f"/api/explanations/{key}", f"/api/explanations/{key}/values"):
                assert browser.get(path).status_code == 200
            seconds.append(time.process_time() - began)
        return np.percentile(seconds, 95)

    assert any(p95() <= 0.05 for _ in range(5))  # a core that is shared is slower for a while, too


@pytest.mark.parametrize("part", ["", "/values"])
def test_a_damaged_map_waits_to_be_computed_again_and_is_no_error_for_ever(
    station, browser, study, tmp_path, part
):
    key = key_of(study)
    for blob in (tmp_path / "home" / "blobs" / "sha256").rglob("*"):
        if blob.is_file():
            blob.write_bytes(b"another content")
    answer = browser.get(f"/api/explanations/{key}{part}")
    assert (answer.status_code, answer.json()["detail"]) == (409, explanations.COMPUTED_AGAIN)
    row = browser.get(f"/api/studies/{study['key']}").json()["images"][0]["explanations"][0]
    assert row["state"] == "waiting"
    with station.home.database.read() as session:
        (identifier,) = explanations.waiting(session, "a" * 64)
    explanations.keep(station.home, identifier, station.explanation)
    assert browser.get(f"/api/explanations/{key}{part}").status_code == 200


def test_a_store_that_does_not_answer_is_said_and_asked_again_later(station, browser, study, monkeypatch):
    def silent(_):
        raise NotAnswering

    monkeypatch.setattr(station.home.blobs, "get", silent)
    answer = browser.get(f"/api/explanations/{key_of(study)}")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert "does not answer" in answer.json()["detail"]
