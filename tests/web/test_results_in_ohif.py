"""Written results in the real OHIF: each kind opens without an error and lies on the planted lesion."""

import re

import numpy as np
import pytest
from PIL import Image as Picture
from PIL import ImageDraw
from playwright.sync_api import expect
from pydicom import dcmread
from scipy import ndimage

from camlucida.images.read import read_image
from camlucida.store.tables import InstanceRow, Origin
from chromium import chromium
from ohif_station import once_drawn, screenshot, signed_in_context, watched

pytestmark = pytest.mark.slow

VIEWPORT = "[data-cy=viewport-pane]"
SHOWN_IMAGE = """() => { const { cornerstoneViewportService, viewportGridService } = window.services;
  const id = viewportGridService.getActiveViewportId();
  return cornerstoneViewportService.getCornerstoneViewport(id)?.getCurrentImageId?.() ?? ""; }"""


@pytest.fixture(scope="module")
def context(shown):
    with chromium() as started:
        yield signed_in_context(started, shown)


@pytest.fixture(scope="module")
def film(context, shown):
    """OHIF with the film's study."""
    with watched(context, shown) as page:
        open_study(page, shown, shown.film)
        yield page


@pytest.fixture(scope="module")
def ct(context, shown):
    """OHIF with the CT's study."""
    with watched(context, shown) as page:
        open_study(page, shown, shown.plain_ct)
        yield page


def open_study(page, shown, path):
    uid = read_image(path).source.study_instance_uid
    page.goto(f"{shown.origin}/ohif/viewer?StudyInstanceUIDs={uid}")
    expect(series(page, "SR")).to_be_visible()
    expect(page.locator("camlucida-panel button.finding").first).to_be_visible()


def series(page, modality):
    """The row of a series without a picture in OHIF's list."""
    rows = page.locator("[data-cy=study-browser-thumbnail-no-image]")
    return rows.filter(has=page.get_by_text(modality, exact=True))


def seen(page):
    """What is on the screen where the image's canvas is, (row, column, 3)."""
    box = page.locator(".cornerstone-canvas").first.bounding_box()
    assert box, "OHIF is putting another viewport in its place"
    top, left = round(box["y"]), round(box["x"])
    whole = screenshot(page)
    return whole[top : top + round(box["height"]), left : left + round(box["width"])]


def fitted(shape, canvas):
    """Of an image that fits the canvas: screen pixels for each pixel, and where its corner is."""
    scale = min(canvas[0] / shape[0], canvas[1] / shape[1])
    return scale, (np.array(canvas) - scale * np.array(shape)) / 2


def coloured(picture):
    """Where a picture has a colour beside greys."""
    return np.ptp(picture, axis=2) > 40


def on_screen(mask, canvas):
    """A mask (row, column) of the image as the canvas shows it."""
    scale, corner = fitted(mask.shape, canvas)
    places = (np.moveaxis(np.indices(canvas), 0, -1) + 0.5 - corner) / scale - 0.5
    return ndimage.map_coordinates(mask.astype(float), np.moveaxis(places, -1, 0), order=0) > 0.5


def outline(page, canvas):
    """What the report's line encloses on the canvas, and the words beside it."""
    line = page.locator("svg.svg-layer polyline").first
    expect(line).to_be_attached()
    pairs = re.findall(r"\S+,\s*\S+", line.get_attribute("points"))
    points = [tuple(map(float, pair.split(","))) for pair in pairs]
    drawn = Picture.new("1", canvas[::-1])
    ImageDraw.Draw(drawn).polygon(points, fill=1)
    return np.asarray(drawn), page.locator("svg.svg-layer text").first.text_content()


def secondary_capture(shown, study):
    """The kept Secondary Capture of a study."""
    with shown.home.database.read() as session:
        rows = session.query(InstanceRow).filter_by(origin=Origin.RESULT, study_instance_uid=study)
        kept = [dcmread(shown.home.blobs.path(row.digest)) for row in rows]
    (found,) = [dataset for dataset in kept if dataset.Modality == "OT"]
    return found


def test_the_secondary_capture_is_the_picture_that_was_written(film, shown):
    capture = secondary_capture(shown, read_image(shown.film).source.study_instance_uid)
    thumbnails = film.locator("[data-cy=study-browser-thumbnail]")
    thumbnails.filter(has_text="camlucida").dblclick()
    film.wait_for_function(f"() => ({SHOWN_IMAGE})().includes('{capture.SOPInstanceUID}')")

    def look():
        picture = seen(film)
        scale, corner = fitted((capture.Rows, capture.Columns), picture.shape[:2])
        size = (round(capture.Columns * scale), round(capture.Rows * scale))
        expected = np.asarray(Picture.fromarray(capture.pixel_array).resize(size)).astype(int)
        top, left = np.round(corner).astype(int)
        drawn = picture[top : top + size[1], left : left + size[0]]
        expected = expected[: drawn.shape[0], : drawn.shape[1]]
        # Where OHIF writes nothing over it: the middle third.
        middle = slice(expected.shape[0] // 3, 2 * expected.shape[0] // 3)
        assert drawn[middle].std() > 0  # before it is drawn, there is nothing to correlate
        assert np.corrcoef(drawn[middle].ravel(), expected[middle].ravel())[0, 1] > 0.97

    once_drawn(film, look)


def test_the_report_draws_its_line_around_the_lesion_of_a_film(film, shown):
    series(film, "SR").dblclick()
    mask = shown.masks["Pneumothorax"]

    def look():
        picture = seen(film)
        inside, words = outline(film, picture.shape[:2])
        lesion = on_screen(mask, picture.shape[:2])
        assert (inside & lesion).sum() > 0.6 * lesion.sum()
        assert inside.mean() < 0.3
        assert "Share of evidence for Pneumothorax" in words
        assert "Probability" in words
        assert np.median(picture.max(axis=2)) > 40  # the film, not black

    once_drawn(film, look)


def test_the_segmentation_lies_on_the_lesion_of_a_film(film, shown):
    series(film, "SEG").dblclick()
    expect(film.get_by_text("Do you want to open this Segmentation").first).to_be_visible()

    def look():
        picture = seen(film)
        lesion = on_screen(shown.masks["Pneumothorax"], picture.shape[:2])
        lower = np.arange(picture.shape[0]) > 120  # below OHIF's question
        area = coloured(picture) & lower[:, np.newaxis]
        assert (area & lesion).sum() > 0.6 * (lesion & lower[:, np.newaxis]).sum()
        assert 0.02 < area.mean() < 0.3

    once_drawn(film, look)


def test_the_report_draws_its_line_around_the_lesion_of_a_volume(ct, shown):
    series(ct, "SR").dblclick()
    mask, slices = shown.masks["Nodule"], read_image(shown.plain_ct).source.sop_instance_uids

    def look():
        address = ct.evaluate(SHOWN_IMAGE)
        places = [n for n, uid in enumerate(slices) if f"/{uid}/" in address]
        assert len(places) == 1
        picture = seen(ct)
        inside, words = outline(ct, picture.shape[:2])
        lesion = on_screen(mask[places[0]], picture.shape[:2])
        assert lesion.any()
        assert (inside & lesion).sum() > 0.9 * lesion.sum()
        assert inside.mean() < 0.1
        assert "Share of evidence for Nodule" in words
        assert np.median(picture.max(axis=2)) > 40

    once_drawn(ct, look)


def test_the_segmentation_lies_on_the_lesion_of_a_volume(ct, shown):
    series(ct, "SEG").dblclick()
    expect(ct.get_by_text("Do you want to open this Segmentation").first).to_be_visible()

    def look():
        picture = seen(ct)
        area = coloured(picture)
        area[:120] = False  # OHIF's question
        lesion = on_screen(shown.masks["Nodule"].any(axis=0), picture.shape[:2])
        assert (area & lesion).any()
        assert 0.001 < area.mean() < 0.2

    once_drawn(ct, look)


def test_the_float_map_is_laid_over_the_volume(ct, shown):
    series(ct, "PMAP").dblclick()
    expect(ct.get_by_text("Parametric Map").first).to_be_visible()

    def look():
        picture = seen(ct)
        area = coloured(picture)
        area[-160:] = False  # OHIF's remark
        lesion = on_screen(shown.masks["Nodule"].any(axis=0), picture.shape[:2])
        assert (area & lesion).sum() > 0.5 * lesion.sum()
        assert np.median(picture.max(axis=2)) > 20

    once_drawn(ct, look)


def test_the_line_appears_when_ohif_knows_of_it_only_after_the_image_is_drawn(context, shown):
    told = "      setTrackingIdentifiers(measurementSelected);"
    later = "      await new Promise(done => setTimeout(done, 2000));\n"

    def slowed(route):
        answer = route.fetch()
        if told in (source := answer.text()):
            slowed.found = True
        route.fulfill(response=answer, body=source.replace(told, later + told))

    slowed.found = False
    with watched(context, shown) as page:
        page.route(re.compile(r"\.bundle\.\w+\.js"), slowed)
        open_study(page, shown, shown.film)
        series(page, "SR").dblclick()
        expect(page.locator("svg.svg-layer polyline").first).to_be_attached()
        assert slowed.found


def test_a_report_without_a_region_is_read_as_text(context, shown):
    with watched(context, shown) as page:
        open_study(page, shown, shown.healthy)
        series(page, "SR").dblclick()
        pane = page.locator(VIEWPORT)
        expect(pane.get_by_text("Imaging Findings Report")).to_be_visible()
        expect(pane.get_by_text(re.compile(r"Nodule: probability 0\.\d{3}, operating point"))).to_be_visible()
        expect(pane.get_by_text("No finding reaches its operating point")).to_be_attached()
