from dataclasses import replace

import pytest
from sqlalchemy import select

from camlucida.records import Patient
from camlucida.store import explanations
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ImageRow


def test_a_study_lists_its_images_and_what_is_known_of_them(study):
    (image,) = study["images"]
    assert image["space"] == [61, 47]
    (explanation,) = image["explanations"]
    assert explanation["state"] == "explained"
    assert explanation["reason"] is None
    assert (explanation["model"], explanation["model_version"], explanation["method"]) == (
        "made-up",
        "1",
        "grad-cam",
    )


def test_states_are_waiting_then_explained_then_refused(station, browser, make_image, put_in):
    source = make_image(seed=5).source
    two = [make_image(seed=5), replace(make_image(seed=6), source=source)]
    first, second = put_in(station.home, two)

    def state():
        return browser.get("/api/studies").json()["studies"][0]["state"]

    assert state() == "waiting"
    explanations.refuse(station.home, first, "too small")
    assert state() == "waiting"
    explanations.refuse(station.home, second, "too small")
    assert state() == "refused"
    explanations.keep(station.home, first, station.explanation)
    assert state() == "explained"


def test_a_refusal_says_why(station, browser, make_image, put_in):
    (identifier,) = put_in(station.home, [make_image(seed=5)])
    explanations.fail(station.home, identifier, "There is not enough memory.")
    row = browser.get("/api/studies").json()["studies"][0]
    (image,) = browser.get(f"/api/studies/{row['key']}").json()["images"]
    assert image["explanations"][0]["state"] == "refused"
    assert image["explanations"][0]["reason"] == "There is not enough memory."


def test_maps_of_another_model_version_are_not_shown(station, browser):
    explanations.set_current_models(station.home, [CurrentModel("d" * 64, "made-up", "2")])
    (row,) = browser.get("/api/studies").json()["studies"]
    assert row["findings"] == []
    assert row["state"] == "refused"
    (image,) = browser.get(f"/api/studies/{row['key']}").json()["images"]
    assert image["explanations"] == []


def test_addresses_hold_no_uid_and_no_patient(study):
    keys = [study["key"], *(image["key"] for image in study["images"])]
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)


def test_a_part_of_a_volume_that_came_whole_later_is_not_shown(station, browser, make_image, put_in):
    put_in(station.home, [make_image(seed=7)])
    with station.home.database.write() as session:
        part = session.scalars(select(ImageRow).order_by(ImageRow.id.desc())).first()
        part.superseded = True
    row = browser.get("/api/studies").json()["studies"][0]
    assert (row["images"], row["modality"], row["state"]) == (0, "", "refused")
    assert browser.get(f"/api/studies/{row['key']}").json()["images"] == []


@pytest.fixture
def of_patient(station, browser, make_image, put_in):
    """Puts a study of a patient in; its key."""

    def put(seed, study_date="", birth_date="", patient_id="P-7"):
        image = make_image(seed=seed)
        patient = Patient("Roe^Richard", patient_id, birth_date, "")
        uid = f"1.2.3.{seed}"
        source = replace(image.source, patient=patient, study_date=study_date, study_instance_uid=uid)
        put_in(station.home, [replace(image, source=source)])
        return browser.get("/api/studies").json()["studies"][0]["key"]

    return put


def same_patient(browser, key):
    return browser.get(f"/api/studies/{key}/same-patient").json()["studies"]


def test_the_other_studies_of_a_patient_come_with_their_images_the_newest_first(browser, of_patient):
    old, now, new = of_patient(21, "20240101"), of_patient(22, "20250101"), of_patient(23, "20260101")
    found = same_patient(browser, now)
    assert [one["key"] for one in found] == [new, old]
    assert found[1] == browser.get(f"/api/studies/{old}").json()


def test_no_patient_id_or_another_birth_date_is_not_the_same_patient(browser, of_patient):
    born, unsaid = of_patient(21, birth_date="19500102"), of_patient(22)
    other = of_patient(23, birth_date="19910203")
    nobody, also_nobody = of_patient(24, patient_id=""), of_patient(25, patient_id="")
    assert [one["key"] for one in same_patient(browser, born)] == [unsaid]
    assert [one["key"] for one in same_patient(browser, unsaid)] == [other, born]
    assert same_patient(browser, nobody) == same_patient(browser, also_nobody) == []
    assert browser.get("/api/studies/none/same-patient").status_code == 404
