"""Which earlier map of the same patient a map is held against."""

from dataclasses import replace

import pytest
from sqlalchemy import select

from camlucida.records import Patient
from camlucida.store import explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ExplanationRow, State

MODEL = "a" * 64


@pytest.fixture
def keep(station, make_image, make_explanation, tmp_path):
    """Keeps another study and explains it; gives the key of the explanation."""

    def kept(seed, date, *, model=MODEL, method="grad-cam", explained=True, **changes):
        fields = {name: changes.pop(name) for name in ("modality", "space") if name in changes}
        image = make_image(seed=seed, **fields)
        image = replace(image, source=replace(image.source, study_date=date, **changes))
        original = tmp_path / f"film-{seed}"
        original.write_bytes(original.name.encode())
        (row,) = studies.keep_images(station.home, [image], [original])
        with station.home.database.write() as session:
            explanations.want(session, row.id, model, method)
            wanted = session.scalars(select(ExplanationRow).order_by(ExplanationRow.id.desc())).first()
            identifier, key = wanted.id, wanted.key
        if explained:
            explanations.keep(station.home, identifier, make_explanation(seed=seed, model=model))
        return key

    return kept


@pytest.fixture
def priors(browser, study):
    """The priors of the station's only explanation, as the API tells them."""
    key = study["images"][0]["explanations"][0]["key"]
    return lambda: browser.get(f"/api/explanations/{key}/priors").json()["priors"]


def test_the_latest_earlier_study_comes_first_and_later_ones_are_no_priors(keep, priors):
    keep(11, "20230101")
    nearer = keep(12, "20240101")
    keep(13, "20250101")
    found = priors()
    assert [prior["study_date"] for prior in found] == ["20240101", "20230101"]
    assert found[0]["explanation"] == nearer
    assert found[0]["hindrance"] is None
    assert found[0]["model_version"] == "1"


def test_another_patient_is_no_prior(keep, priors):
    keep(11, "20230101", patient=Patient("Doe^Jane", "ID-4712", "19500101", "F"))
    keep(12, "20230101", patient=Patient("Doe^Jane", "ID-4711", "19510101", "F"))
    assert priors() == []


def test_nobody_is_the_same_as_a_patient_without_an_id(keep, browser):
    nobody = Patient("", "", "", "")
    keep(11, "20230101", patient=nobody)
    key = keep(12, "20240101", patient=nobody)
    assert browser.get(f"/api/explanations/{key}/priors").json() == {"priors": []}


def test_another_modality_or_a_volume_is_not_held_against_a_film(keep, priors):
    keep(11, "20230101", modality="CT")
    keep(12, "20230101", space=(4, 61, 47))
    assert priors() == []


@pytest.mark.parametrize("says", [{"body_part": "HAND"}, {"laterality": "L"}, {"view_position": "LL"}])
def test_another_view_is_named_as_what_hinders(keep, browser, says):
    keep(11, "20230101", **says)
    own = keep(12, "20240101", body_part="CHEST", laterality="R", view_position="PA")
    (prior,) = browser.get(f"/api/explanations/{own}/priors").json()["priors"]
    assert prior["hindrance"] == "other view"


def test_what_is_not_explained_by_this_method_can_be_asked_for(keep, priors):
    keep(11, "20230101", method="hirescam")
    (prior,) = priors()
    assert (prior["explanation"], prior["hindrance"]) == (None, "not explained")
    assert prior["image"]


def test_a_map_that_is_still_waited_for_is_none(keep, priors):
    keep(11, "20230101", explained=False)
    assert priors()[0]["hindrance"] == "not explained"


def test_a_map_of_another_version_is_named_as_such(station, keep, priors):
    models = [CurrentModel("d" * 64, "made-up", "0.9"), CurrentModel(MODEL, "made-up", "1")]
    explanations.set_current_models(station.home, models)
    keep(11, "20230101", model="d" * 64)
    explanations.set_current_models(station.home, models[1:])
    (prior,) = priors()
    assert (prior["hindrance"], prior["model_version"]) == ("other version", "0.9")
    with station.home.database.read() as session:
        assert {row.state for row in session.scalars(select(ExplanationRow))} == {State.DONE}


def test_of_several_images_that_which_can_be_compared_is_taken(keep, browser):
    keep(11, "20230101", view_position="LL")
    good = keep(14, "20230101", study_instance_uid="1.2.11", view_position="PA")
    own = keep(15, "20240101", view_position="PA")
    (prior,) = browser.get(f"/api/explanations/{own}/priors").json()["priors"]
    assert (prior["explanation"], prior["hindrance"]) == (good, None)


def test_who_is_not_signed_in_learns_of_no_prior(station, study):
    key = study["images"][0]["explanations"][0]["key"]
    assert station.client().get(f"/api/explanations/{key}/priors").status_code == 401


def test_an_unknown_key_is_told(browser):
    assert browser.get(f"/api/explanations/{'0' * 32}/priors").status_code == 404
