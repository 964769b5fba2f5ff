from dataclasses import replace

import pytest

from camlucida.records import Flag, FlagReason, Patient
from camlucida.store.remarks import flags


def search(browser, **sought):
    answer = browser.post("/api/studies/search", json=sought)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture
def three(station, browser, make_image, put_in):
    """Two more studies beside the station's own, both waiting; the keys of all, newest first."""
    for seed, name in ((31, "Müller^Eva"), (32, "Okafor^Chidi")):
        image = make_image(seed=seed)
        patient = Patient(name, f"P{seed}", "", "")
        put_in(
            station.home,
            [replace(image, source=replace(image.source, patient=patient, study_instance_uid=f"1.{seed}"))],
        )
    return [one["key"] for one in browser.get("/api/studies").json()["studies"]]


def test_a_study_is_a_line_with_its_findings_strongest_first(station, browser):
    (row,) = search(browser)["studies"]
    assert set(row) == {
        *("key", "patient_name", "patient_id", "study_date", "description", "modality", "phantom"),
        *("images", "findings", "state", "flagged"),
    }
    assert row["patient_name"] == "Doe^Jane"
    assert (row["modality"], row["images"], row["phantom"], row["state"]) == ("DX", 1, False, "explained")
    probabilities = [finding["probability"] for finding in row["findings"]]
    assert probabilities == sorted(station.explanation.prediction.probabilities, reverse=True)
    for finding in row["findings"]:
        assert finding["reported"] == (finding["probability"] >= finding["operating_point"])
        assert finding["model"] == "made-up"


def test_pages_follow_each_other_and_only_the_first_counts(browser, three):
    first = search(browser, limit=2)
    assert (first["total"], [one["key"] for one in first["studies"]]) == (3, three[:2])
    second = search(browser, limit=2, after=first["studies"][-1]["key"])
    assert (second["total"], [one["key"] for one in second["studies"]]) == (None, three[2:])
    assert [one["key"] for one in search(browser, skip=1, limit=1)["studies"]] == three[1:2]


def test_what_is_searched_stands_in_the_body(browser, three):
    assert [one["patient_name"] for one in search(browser, text="muller EVA")["studies"]] == ["Müller^Eva"]
    assert search(browser, state="waiting")["total"] == 2
    assert [one["key"] for one in search(browser, sort="patient", descending=False)["studies"]] == [
        three[2],
        three[1],
        three[0],
    ]


def test_a_flag_is_seen_in_the_list(station, browser):
    assert search(browser, flagged=True)["total"] == 0
    flags.keep(station.home, 1, Flag(station.explanation.saliency_map.findings[0], FlagReason.WRONG_SIDE))
    (row,) = search(browser, flagged=True)["studies"]
    assert row["flagged"] is True


def test_the_choices_are_the_findings_and_modalities_there_are(station, browser):
    names = sorted(one.name for one in station.explanation.prediction.findings)
    assert browser.get("/api/studies/choices").json() == {"findings": names, "modalities": ["DX"]}


@pytest.mark.usefixtures("three")
def test_the_newest_studies_need_no_search(browser):
    listed = browser.get("/api/studies").json()
    assert listed == search(browser)
    assert listed["total"] == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sort", "patient_name; --"),
        ("limit", 100_000),
        ("skip", -1),
        ("probability", 2),
        ("first_date", "yesterday"),
        ("after", "Doe^Jane"),
        ("text", "x" * 201),
    ],
)
def test_what_cannot_be_read_is_refused_without_being_quoted(browser, field, value):
    answer = browser.post("/api/studies/search", json={field: value})
    assert answer.status_code == 422
    assert field in answer.json()["detail"]
    assert str(value) not in answer.text


def test_a_page_after_a_study_that_is_gone_is_refused(browser):
    answer = browser.post("/api/studies/search", json={"after": "0" * 32})
    assert answer.status_code == 409
    assert "begin from the first" in answer.json()["detail"]
    assert browser.post("/api/studies/search", content=b"x" * 5000).status_code == 413


def test_only_who_is_signed_in_searches(station):
    assert station.client().post("/api/studies/search", json={}).status_code == 401
