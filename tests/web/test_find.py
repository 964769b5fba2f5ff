from dataclasses import replace

import numpy as np
import pytest

from camlucida.store.tables import ImageRow, InstanceRow, Intent, Origin
from camlucida.web import find as web_find

STUDY, SERIES = "1.2.40", "1.2.40.1"


def volume(make_image, slices=5):
    source = replace(
        make_image().source,
        study_instance_uid=STUDY,
        series_instance_uid=SERIES,
        sop_instance_uids=tuple(f"{SERIES}.{n}" for n in range(slices)),
    )
    values = np.random.default_rng(4).integers(0, 4096, (slices, 8, 9), np.uint16)
    return replace(make_image((8, 9), seed=40), values=values, source=source, modality="CT")


def ask(client, study, series, *instances, **more):
    body = {"study_instance_uid": study, "series_instance_uid": series, "sop_instance_uids": instances}
    return client.post("/api/find", json={**body, **more})


def test_a_film_is_found_with_its_explanation(browser, study):
    answer = ask(browser, "1.2.0", "1.2.0.1", "1.2.0.1.1").json()
    assert answer["study"] == study["key"]
    (image,) = answer["images"]
    assert image.pop("instances") == [{"sop_instance_uid": "1.2.0.1.1", "slice": None}]
    assert {**image, "past": []} == study["images"][0]
    assert answer["others"] == []


def test_each_slice_of_a_volume_is_told_by_its_index(station, browser, make_image, put_in):
    put_in(station.home, [volume(make_image)])
    (image,) = ask(browser, STUDY, SERIES, f"{SERIES}.3", f"{SERIES}.0", f"{SERIES}.99").json()["images"]
    assert image["space"] == [5, 8, 9]
    assert {one["sop_instance_uid"]: one["slice"] for one in image["instances"]} == {
        f"{SERIES}.3": 3,
        f"{SERIES}.0": 0,
    }


def test_frames_of_one_instance_are_images_of_their_own(station, browser, make_image, put_in):
    frames = [
        make_image(seed=seed, source=replace(make_image(seed=50).source, frame_number=number))
        for number, seed in enumerate((50, 51), start=1)
    ]
    put_in(station.home, frames)
    images = ask(browser, "1.2.50", "1.2.50.1", "1.2.50.1.1").json()["images"]
    assert [image["frame_number"] for image in images] == [1, 2]


def test_a_volume_in_one_instance_has_no_slice_of_that_name(station, browser, make_image, put_in):
    whole = volume(make_image)
    put_in(station.home, [replace(whole, source=replace(whole.source, sop_instance_uids=(SERIES,)))])
    (image,) = ask(browser, STUDY, SERIES, SERIES).json()["images"]
    assert image["instances"] == [{"sop_instance_uid": SERIES, "slice": None}]


def test_what_was_completed_later_is_not_found(station, browser):
    with station.home.database.write() as session:
        session.query(ImageRow).one().superseded = True
    assert ask(browser, "1.2.0", "1.2.0.1", "1.2.0.1.1").json()["images"] == []


def arrived(station, **fields):
    """An instance that is no image of ours."""
    with station.home.database.write() as session:
        session.add(
            InstanceRow(
                sop_instance_uid="1.2.60.1.1",
                content_digest="c",
                digest="d",
                bytes=1,
                study_instance_uid="1.2.60",
                series_instance_uid="1.2.60.1",
                sop_class_uid="1.2",
                transfer_syntax_uid="1.2",
                header={},
                sender="",
                **fields,
            )
        )


@pytest.mark.parametrize(
    ("intent", "state"),
    [(Intent.WAITING, "waiting"), (Intent.NOT_FOR_US, "refused"), (Intent.UNREADABLE, "refused")],
)
@pytest.mark.parametrize("reason", ["", "No rule takes mammograms."])
def test_an_instance_that_is_no_image_says_why(station, browser, intent, state, reason):
    arrived(station, origin=Origin.STORE, intent=intent, reason=reason)
    answer = ask(browser, "1.2.60", "1.2.60.1", "1.2.60.1.1", "1.2.60.1.2").json()
    assert answer["study"] is None
    (other,) = answer["others"]
    assert (other["sop_instance_uid"], other["state"]) == ("1.2.60.1.1", state)
    assert other["reason"].endswith(".")
    assert not reason or other["reason"] == reason


def test_a_result_of_our_own_says_so(station, browser):
    arrived(station, origin=Origin.RESULT, intent=Intent.TAKEN)
    (other,) = ask(browser, "1.2.60", "1.2.60.1", "1.2.60.1.1").json()["others"]
    assert "over the image that it is of" in other["reason"]


def test_nobody_but_the_signed_in_may_ask(station):
    assert ask(station.client(), "1.2.0", "1.2.0.1", "1.2.0.1.1").status_code == 401


def test_a_study_of_another_name_gives_nothing(browser):
    assert ask(browser, "1.2.7", "1.2.0.1", "1.2.0.1.1").json() == {
        "study": None,
        "images": [],
        "others": [],
    }


@pytest.mark.parametrize(
    "uids",
    [("1.2.0", "1.2.0.1"), ("1.2.0", "1.2.0.1", "x"), ("1.2.0", "", "1.2"), ("1" * 65, "1.2.0.1", "1.2")],
)
def test_what_is_no_uid_is_refused_and_not_quoted(browser, uids):
    answer = ask(browser, *uids)
    assert answer.status_code == 422
    assert "1.2.0" not in answer.text
    assert "1" * 65 not in answer.text


def test_a_question_is_bounded(browser):
    too_large = b" " * (web_find.MOST_BYTES + 1)
    assert browser.post("/api/find", content=too_large).status_code == 413
    assert ask(browser, "1.2", "1.2", *["1"] * (web_find.MOST_INSTANCES + 1)).status_code == 422
