"""The page in a real browser (Debian's Chromium, WebGL by software), over what the real pipeline kept.

What is on the canvas is compared, pixel by pixel, with what `rendering` makes of the same numbers.
"""

import re

import numpy as np
import pytest
from playwright.sync_api import expect
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.records import Window
from camlucida.rendering.overlay import overlay
from camlucida.rendering.upsample import to_pixel_grid
from camlucida.rendering.window import display
from viewer_page import (
    canvas,
    choose,
    compare_with_screen,
    drag,
    explained_station,
    explanation,
    open_study,
    rewrite,
    settle,
)

pytestmark = pytest.mark.browser

ROWS = 420  # so that a film is seen whole at 1:1
SLICES = 12
NOTICE = "Research software, not a medical device. Explains the model, not the disease."


def write_studies(folder):
    """Phantoms as they come, as MONOCHROME1, with a sigmoid window, with a VOI LUT, and as a CT series."""
    folder.mkdir()
    films = {name: folder / f"{name}.dcm" for name in ("plain", "inverted", "sigmoid", "voi-lut")}
    for seed, (name, path) in enumerate(films.items(), start=7901):
        write_radiograph(radiograph(seed, ("Effusion",), rows=ROWS), path, inverted=name == "inverted")
    rewrite(films["sigmoid"], VOILUTFunction="SIGMOID", WindowCenter="1800", WindowWidth="900")
    rewrite(films["voi-lut"], VOILUTSequence=Sequence([voi_lut()]), WindowCenter=None, WindowWidth=None)
    write_ct(ct_volume(7905, ("Nodule",), slices=SLICES, rows=96), folder / "ct")
    return {**films, "ct": folder / "ct"}


def voi_lut():
    """4096 entries of 8 bits: a curve that no window has."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 8])
    item.LUTExplanation = "CURVE"
    item.add_new("LUTData", "US", np.round(255 * (np.arange(4096) / 4095) ** 2).astype(int).tolist())
    return item


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("station")
    with explained_station(folder, write_studies(folder / "files")) as running:
        yield running


# ---- the tests ----


def test_the_worklist_shows_every_study_with_its_strongest_findings(page, station):
    expect(page.locator("tbody tr")).to_have_count(len(station.files))
    expect(page.locator("tbody tr").first).to_contain_text("phantom")
    expect(page.locator("tbody tr").first.locator(".strongest li")).to_have_count(2)
    expect(page.get_by_text(NOTICE)).to_be_visible()


def test_studies_that_arrive_appear_by_themselves(page, station):
    page.route("**/studies/search", lambda route: route.fulfill(json={"total": 0, "studies": []}))
    page.reload()
    expect(page.get_by_text("No studies yet")).to_be_visible()
    page.unroute("**/studies/search")
    expect(page.locator("tbody tr")).to_have_count(len(station.files))


@pytest.mark.parametrize("name", ["plain", "inverted", "sigmoid", "voi-lut"])
def test_every_grey_on_the_canvas_is_that_of_numpy(page, station, name):
    image = open_study(page, station, name)
    off, beside = canvas(page).shows(display(image.values, image))
    assert off <= 1
    assert beside == 0


def test_the_image_comes_first_and_the_map_when_it_is_asked_for(page, station):
    open_study(page, station, "plain")
    heat = page.locator("canvas.heat")
    expect(heat).to_be_hidden()
    page.keyboard.press("h")
    expect(heat).to_be_visible()
    expect(page.locator("cl-legend")).to_contain_text("logits")
    page.keyboard.down("Space")
    expect(heat).to_be_hidden()
    page.keyboard.up("Space")
    expect(heat).to_be_visible()
    page.get_by_role("button", name="Map", exact=True).click()
    expect(heat).to_be_hidden()


@pytest.mark.parametrize("opacity", [60, 25])
def test_the_heat_over_the_image_is_that_of_numpy(page, station, opacity):
    image = open_study(page, station, "plain")
    kept = explanation(station, "plain")
    strongest = int(np.argmax([kept.saliency_map.values[i].max() for i in range(3)]))
    choose(page, kept.saliency_map.findings[strongest])
    page.locator("#opacity").fill(str(opacity))
    settle(page)
    scale = page.evaluate("() => document.querySelector('cl-study').reading.explanation.record.scales[0]")
    evidence = to_pixel_grid(kept.saliency_map.values[strongest], kept.saliency_map.geometry)
    expected = overlay(display(image.values, image), evidence, scale, opacity / 100)
    assert (evidence > 0.2 * scale).any()
    compare_with_screen(page, expected)


def test_cells_as_computed_are_constant_over_each_cell(page, station):
    image = open_study(page, station, "plain")
    kept = explanation(station, "plain")
    choose(page, kept.saliency_map.findings[0])
    page.keyboard.press("c")
    settle(page)
    scale = page.evaluate("() => document.querySelector('cl-study').reading.explanation.record.scales[0]")
    geometry = kept.saliency_map.geometry
    places = np.moveaxis(np.indices(image.space), 0, -1).reshape(-1, 2)
    exact = geometry.pixel_to_cell(places) + 0.5
    cells = np.floor(exact).astype(int)
    # A pixel's centre may lie on the edge of two cells, and belong to either.
    clear = (np.abs(exact - np.round(exact)) > 1e-4).all(axis=1).reshape(image.space)
    evidence = kept.saliency_map.values[0][tuple(cells.T)].reshape(image.space)
    compare_with_screen(page, overlay(display(image.values, image), evidence, scale, 0.6), clear)


def test_dragging_changes_the_window_and_never_the_map(page, station):
    image = open_study(page, station, "plain")
    page.keyboard.press("h")
    heat = "() => document.querySelector('cl-viewport').readPixels().heat.reduce((a, b) => a + b, 0)"
    settle(page)
    before = page.evaluate(heat)
    drag(page, 90, 40)
    window = page.evaluate("() => document.querySelector('cl-study').reading.voi.window")
    assert window["width"] > image.windows[0].width
    assert window["center"] > image.windows[0].center
    dragged = Window(window["center"], window["width"], window["function"])
    off, _ = canvas(page).shows(display(image.values, image, dragged))
    assert off <= 1
    assert page.evaluate(heat) == before
    page.locator("cl-viewport").dblclick()
    settle(page)
    assert page.evaluate("() => document.querySelector('cl-study').reading.view.window") is None


def test_side_by_side_shows_the_same_place_twice_and_the_map_once(page, station):
    image = open_study(page, station, "plain")
    choose(page, "Pneumothorax")
    page.keyboard.press("s")
    expect(page.locator("cl-viewport")).to_have_count(2)
    expect(page.locator("canvas.heat").nth(0)).to_be_hidden()
    expect(page.locator("canvas.heat").nth(1)).to_be_visible()
    page.mouse.move(600, 450)
    page.mouse.wheel(0, -120)
    page.wait_for_function("() => document.querySelector('cl-viewport').placement.scaleX > 1")
    scales = page.evaluate("() => [...document.querySelectorAll('cl-viewport')].map(v => v.placement.scaleX)")
    assert scales[0] == scales[1] > 1
    page.keyboard.press("r")
    page.keyboard.press("o")
    for index in (0, 1):
        off, _ = canvas(page, index).shows(display(image.values, image))
        assert off <= 1


def test_a_volume_scrolls_and_every_slice_is_the_right_one(page, station):
    image = open_study(page, station, "ct")
    assert page.evaluate("() => document.querySelector('cl-study').reading.slice") == SLICES // 2
    page.keyboard.press("Home")
    for steps in ([], ["ArrowDown"], ["PageDown"], ["ArrowUp"]):
        for key in steps:
            page.keyboard.press(key)
        now = page.evaluate("() => document.querySelector('cl-study').reading.slice")
        off, _ = canvas(page).shows(display(image.values[now], image))
        assert off <= 1
    page.mouse.move(800, 400)
    page.mouse.wheel(0, -120)
    page.wait_for_function("now => document.querySelector('cl-study').reading.slice < now", arg=now)
    choose(page, "Pneumothorax")
    expect(page.locator("cl-slice-bar .profile")).to_be_visible()
    page.keyboard.press("e")
    settle(page)
    kept = explanation(station, "ct")
    on_slices = to_pixel_grid(np.maximum(kept.saliency_map.values[0], 0), kept.saliency_map.geometry)
    best = int(on_slices.sum(axis=(1, 2), dtype=np.float64).argmax())
    assert page.evaluate("() => document.querySelector('cl-study').reading.slice") == best


def test_findings_below_their_operating_point_are_there_and_say_so(page, station):
    open_study(page, station, "plain")
    kept = explanation(station, "plain")
    buttons = page.locator("cl-findings button")
    expect(buttons).to_have_count(3)
    for index, finding in enumerate(kept.prediction.findings):
        button = buttons.filter(has_text=finding.name)
        below = kept.prediction.reported(index) is False
        assert ("below operating point" in button.inner_text()) is below


def test_the_probe_reads_the_stored_value_and_the_evidence_of_the_cell(page, station):
    image = open_study(page, station, "ct")
    kept = explanation(station, "ct")
    choose(page, kept.saliency_map.findings[0])
    placed, box = canvas(page), page.locator("cl-viewport").bounding_box()
    page.mouse.move(box["x"] + placed.corner[1] + 40.5, box["y"] + placed.corner[0] + 30.5)
    now = page.evaluate("() => document.querySelector('cl-study').reading.slice")
    stored = int(image.values[now, 30, 40])
    expect(page.locator(".bottom-right")).to_contain_text(f"stored {stored}")
    expect(page.locator(".bottom-right")).to_contain_text(f"{stored - 1024} HU".replace("-", "−"))
    probed = page.evaluate("() => document.querySelector('.bottom-right').textContent")
    cell = np.floor(kept.saliency_map.geometry.pixel_to_cell([[now, 30, 40]])[0] + 0.5).astype(int)
    value = float(kept.saliency_map.values[0][tuple(cell)])
    said = float(re.search(r"evidence (\S+)", probed)[1].replace("−", "-"))
    assert said == pytest.approx(value, rel=0.06, abs=1e-6)


def test_a_link_holds_the_view_and_nothing_of_the_patient(page, station, context):
    image = open_study(page, station, "plain")
    choose(page, "Nodule")
    page.keyboard.press("s")
    page.wait_for_function("() => location.hash.includes('layout=side')")
    address = page.evaluate("location.href")
    assert image.source.patient.patient_id not in address
    assert image.source.study_instance_uid not in address
    again = context.new_page()
    again.goto(address)
    expect(again.locator("cl-viewport")).to_have_count(2)
    expect(again.locator("cl-findings button[aria-pressed=true]")).to_contain_text("Nodule")
    again.close()


def test_everything_on_the_page_can_be_reached_by_keyboard_and_has_a_name(page, station):
    open_study(page, station, "ct")
    page.keyboard.press("d")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, a, [tabindex]')]
            .filter(e => !e.hidden && e.offsetParent !== null)
            .filter(e => !(e.ariaLabel || e.textContent.trim() || e.labels?.length))
            .map(e => e.outerHTML)"""
    )
    assert nameless == []
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Hide the map while held")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("cl-worklist")).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_nothing_is_cut_off(page, station, tmp_path, width, height):
    page.set_viewport_size({"width": width, "height": height})
    open_study(page, station, "plain")
    choose(page, "Pneumothorax")
    page.keyboard.press("f")
    settle(page)
    page.screenshot(path=tmp_path / f"study-{width}.png")
    overflow = page.evaluate(
        "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert overflow == [width, height]
    toolbar, stage = page.locator("cl-toolbar").bounding_box(), page.locator(".stage").bounding_box()
    assert toolbar["x"] + toolbar["width"] <= width
    assert stage["width"] * stage["height"] > 0.65 * width * height
    expect(page.get_by_text(NOTICE)).to_be_visible()


# ---- when something is missing: these pages do see errors ----


@pytest.fixture
def troubled(context, station):
    """A page in a session of its own, which may be disturbed."""
    own = context.browser.new_context(storage_state=context.storage_state())
    opened = own.new_page()
    opened.goto(station.origin)
    expect(opened.locator("tbody tr")).to_have_count(len(station.files))
    yield opened
    opened.unroute_all(behavior="wait")
    own.close()


def test_a_lost_connection_is_told_and_comes_back_by_itself(troubled):
    troubled.route("**/api/**", lambda route: route.abort())
    troubled.locator("tbody a").first.click()
    expect(troubled.get_by_text("Connection lost")).to_be_visible()
    troubled.unroute("**/api/**")
    expect(troubled.locator("cl-findings button").first).to_be_visible()
    expect(troubled.get_by_text("Connection lost")).to_have_count(0)


def test_who_is_signed_out_reads_how_to_get_a_new_link(troubled):
    troubled.route("**/studies/search", lambda _: None)  # the list, which looks again, is not told before
    troubled.context.clear_cookies()
    troubled.locator("tbody a").first.click()
    expect(troubled.get_by_text("camlucida serve --new-token")).to_be_visible()


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("waiting", None, "Not explained yet"),
        ("refused", "The model takes CR and DX; this image is OT.", "this image is OT"),
    ],
)
def test_an_image_without_a_map_is_shown_and_the_reason_said(troubled, state, reason, said):
    def without_map(route):
        study = route.fetch().json()
        for image in study["images"]:
            for explained in image["explanations"]:
                explained.update(state=state, reason=reason)
        route.fulfill(json=study)

    troubled.route(re.compile(r"/api/studies/[0-9a-f]{32}$"), without_map)
    troubled.locator("tbody a").first.click()
    expect(troubled.get_by_text(said)).to_be_visible()
    expect(troubled.locator("cl-viewport")).to_be_visible()
    expect(troubled.get_by_role("button", name="Map", exact=True)).to_be_disabled()


def test_pixels_that_do_not_come_are_told_and_can_be_asked_for_again(troubled):
    troubled.route(
        "**/pixels*", lambda route: route.fulfill(status=500, json={"detail": "The disk is full."})
    )
    troubled.locator("tbody a").first.click()
    expect(troubled.get_by_text("The disk is full.")).to_be_visible()
    troubled.unroute("**/pixels*")
    troubled.get_by_role("button", name="Try again").click()
    expect(troubled.locator("cl-viewport")).to_be_visible()
