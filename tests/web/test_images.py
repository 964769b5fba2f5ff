import hashlib

import numpy as np
import pytest
import zstandard

from camlucida.records import Photometric


def key_of(station, browser, put_in, image):
    put_in(station.home, [image])
    row = browser.get("/api/studies").json()["studies"][0]
    return browser.get(f"/api/studies/{row['key']}").json()["images"][0]["key"]


def pixels(browser, key, encoding="identity", **params):
    answer = browser.get(f"/api/images/{key}/pixels", params=params, headers={"accept-encoding": encoding})
    assert answer.status_code == 200, answer.text
    return answer


def test_the_header_has_what_the_viewer_draws_with(browser, study):
    key = study["images"][0]["key"]
    header = browser.get(f"/api/images/{key}").json()
    assert set(header) == {
        "key",
        "space",
        "dtype",
        "colour",
        "photometric",
        "slope",
        "intercept",
        "unit",
        "bits_stored",
        "windows",
        "voi_luts",
        "default_window",
        "padding",
        "spacing",
        "pixel_to_patient",
        "notes",
    }
    assert header["dtype"] == "uint16"
    assert header["default_window"] == {
        "center": 2048.0,
        "width": 4096.0,
        "function": "LINEAR",
        "explanation": "",
    }


def test_pixels_are_the_stored_values_little_endian(station, browser, study):
    answer = pixels(browser, study["images"][0]["key"])
    assert "content-encoding" not in answer.headers
    assert answer.content == station.image.values.astype("<u2").tobytes()


def test_a_browser_that_takes_zstd_gets_what_lies_on_the_disk(station, browser, study):
    key = study["images"][0]["key"]
    with browser.stream(
        "GET", f"/api/images/{key}/pixels", headers={"accept-encoding": "gzip, deflate, br, zstd"}
    ) as answer:
        assert answer.headers["content-encoding"] == "zstd"
        raw = b"".join(answer.iter_raw())
    assert zstandard.ZstdDecompressor().decompress(raw) == station.image.values.tobytes()
    digest = hashlib.sha256(raw).hexdigest()
    assert (station.home.folder / "blobs" / "sha256" / digest[:2] / digest).is_file()


def test_zstd_that_is_refused_is_not_sent(browser, study):
    answer = pixels(browser, study["images"][0]["key"], "zstd;q=0, gzip")
    assert "content-encoding" not in answer.headers  # gzip gains a tenth and costs a second


def test_a_volume_comes_whole_or_slice_by_slice(station, browser, make_image, put_in):
    image = make_image((4, 6, 5), seed=9)
    key = key_of(station, browser, put_in, image)
    for encoding in ("identity", "gzip"):
        assert pixels(browser, key, encoding).content == image.values.tobytes()
        for number, values in enumerate(image.values):
            assert pixels(browser, key, encoding, slice=number).content == values.tobytes()
    with browser.stream("GET", f"/api/images/{key}/pixels", headers={"accept-encoding": "zstd"}) as answer:
        raw = b"".join(answer.iter_raw())
    reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    assert reader.read() == image.values.tobytes()


@pytest.mark.parametrize(("number", "status"), [(4, 404), (-1, 404), ("x", 422), (10**30, 404)])
def test_a_slice_that_is_not_there_is_a_sentence(station, browser, make_image, put_in, number, status):
    key = key_of(station, browser, put_in, make_image((4, 6, 5), seed=9))
    answer = browser.get(f"/api/images/{key}/pixels", params={"slice": number})
    assert answer.status_code == status
    assert "slice" in answer.json()["detail"]


def test_colour_is_interleaved(station, browser, make_image, put_in):
    values = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    image = make_image((4, 5, 3), seed=9, photometric=Photometric.RGB, bits_stored=8)
    object.__setattr__(image, "values", values)
    assert pixels(browser, key_of(station, browser, put_in, image)).content == bytes(range(60))


@pytest.mark.parametrize(("kept", "shown"), [("int8", "<i2"), ("int32", "<f4"), (">u2", "<u2")])
def test_types_that_the_viewer_does_not_take_are_turned_into_one_that_holds_them(
    station, browser, make_image, put_in, kept, shown
):
    values = np.arange(-3, 27).reshape(5, 6).clip(0 if "u" in kept else -3).astype(kept)
    image = make_image((5, 6), seed=9)
    object.__setattr__(image, "values", values)
    key = key_of(station, browser, put_in, image)
    assert browser.get(f"/api/images/{key}").json()["dtype"] == np.dtype(shown).name
    for encoding in ("identity", "zstd"):
        with browser.stream("GET", f"/api/images/{key}/pixels", headers={"accept-encoding": encoding}) as got:
            raw = b"".join(got.iter_raw())
        if got.headers.get("content-encoding") == "zstd":
            raw = zstandard.ZstdDecompressor().decompress(raw)
        assert np.array_equal(np.frombuffer(raw, shown).reshape(5, 6), values)


def test_pixels_never_change_and_need_not_be_sent_twice(browser, study):
    key = study["images"][0]["key"]
    first = pixels(browser, key)
    assert "immutable" in first.headers["cache-control"]
    assert "private" in first.headers["cache-control"]
    again = browser.get(f"/api/images/{key}/pixels", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
