"""What a reader does with an image: turned, measured, drawn on, touched, saved, in a real browser."""

import base64
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture
from playwright.sync_api import expect

from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.records import Photometric
from camlucida.rendering.overlay import overlay
from camlucida.rendering.upsample import to_pixel_grid
from camlucida.rendering.window import display
from viewer_page import (
    READ,
    canvas,
    choose,
    explained_station,
    explanation,
    open_study,
    settle,
)

pytestmark = pytest.mark.browser

ORIENTATIONS = [(turns, mirrored) for turns in range(4) for mirrored in (False, True)]


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools")
    films = folder / "film.dcm"
    write_radiograph(radiograph(7951, ("Effusion",), rows=420), films)
    write_ct(ct_volume(7952, ("Nodule",), slices=12, rows=96), folder / "ct")
    with explained_station(folder, {"film": films, "ct": folder / "ct"}) as running:
        yield running


def look(page, **view):
    """Look at the study as a link would say."""
    page.evaluate("view => document.querySelector('cl-study').reading.change(view)", view)
    settle(page)


def view(page):
    return page.evaluate("() => document.querySelector('cl-study').reading.view")


# ---- turned, mirrored, inverted ----


def turned(picture, turns, mirrored):
    return np.rot90(picture[:, ::-1] if mirrored else picture, -turns)


@pytest.mark.parametrize("inverted", [False, True])
def test_every_grey_is_that_of_numpy_however_the_film_lies(page, station, inverted):
    image = open_study(page, station, "film")
    look(page, inverted=inverted)
    other = {Photometric.MONOCHROME1: Photometric.MONOCHROME2}.get(image.photometric, Photometric.MONOCHROME1)
    upright = display(image.values, replace(image, photometric=other) if inverted else image)
    for turns, mirrored in ORIENTATIONS:
        look(page, turns=turns, mirrored=mirrored, zoom=1)
        expected = turned(upright, turns, mirrored)
        shown = canvas(page)
        corner = [
            start - (size if back else 0)
            for start, size, back in zip(
                shown.corner, expected.shape, backwards(turns, mirrored), strict=True
            )
        ]
        off, beside = shown._replace(corner=tuple(corner)).shows(expected)
        assert (off <= 1, beside) == (True, 0)


def backwards(turns, mirrored):
    """Whether the first pixel's outer corner is the lower end, and the right end, of what is seen."""
    marked = np.zeros((3, 2), bool)
    marked[0, 0] = True
    row, column = np.argwhere(turned(marked, turns, mirrored))[0]
    return row > 0, column > 0


def planted(page, station):
    """The film's study, with one cell of evidence and a bright rectangle at the same place."""
    kept = explanation(station, "film")
    geometry = kept.saliency_map.geometry
    cell = np.array([2, 4])
    values = np.zeros(kept.saliency_map.values.shape, np.float32)
    values[0][tuple(cell)] = 100
    low, high = (geometry.cell_to_pixel([cell + part])[0] for part in (-0.5, 0.5))
    rows, columns = (
        np.clip(np.minimum(np.arange(size) + 0.5, end) - np.maximum(np.arange(size) - 0.5, start), 0, 1)
        for size, start, end in zip(geometry.pixel_shape, low, high, strict=True)
    )
    pixels = np.round(4000 * rows[:, np.newaxis] * columns).astype("<u2")
    page.route("**/explanations/*/values", lambda route: route.fulfill(body=values.tobytes()))
    page.route("**/images/*/pixels*", lambda route: route.fulfill(body=pixels.tobytes()))
    page.route("**/api/images/*", lambda route: route.fulfill(json=oblong(route.fetch().json())))
    open_study(page, station, "film")
    choose(page, kept.saliency_map.findings[0])
    look(page, cells=True, opacity=100, window={"center": 2000, "width": 4000, "function": "LINEAR"})
    return (low + high) / 2


def oblong(header):
    """Pixels that are half as high again as they are wide."""
    return {**header, "spacing": [0.3, 0.2], "dtype": "uint16", "slope": 1, "intercept": 0, "padding": None}


def centre_of(strength):
    rows, columns = np.indices(strength.shape)
    return np.array([(rows * strength).sum(), (columns * strength).sum()]) / strength.sum()


def test_evidence_lies_where_it_belongs_under_every_zoom_turn_and_mirror(page, station):
    middle = planted(page, station)
    worst = 0.0
    for zoom in (0.7, 1, 3.3):
        for turns, mirrored in ORIENTATIONS:
            look(page, zoom=zoom, centre=[middle[0] + 9, middle[1] - 14], turns=turns, mirrored=mirrored)
            read = page.evaluate(READ, 0)
            image, heat = (
                np.frombuffer(base64.b64decode(read[name]), np.uint8).reshape(
                    read["height"], read["width"], 4
                )
                for name in ("image", "heat")
            )
            seen, over = centre_of(image[..., 0].astype(float)), centre_of(heat[..., 3].astype(float))
            worst = max(worst, np.abs(seen - over).max())
            assert (heat[..., 3] > 0).sum() == pytest.approx((image[..., 0] > 127).sum(), rel=0.15)
    assert 0 < worst <= 0.5, worst


def test_keys_turn_mirror_and_invert_as_seen_and_the_corner_says_so(page, station):
    image = open_study(page, station, "film")
    look(page, zoom=None)
    corner = page.locator(".bottom-left")
    page.keyboard.press("t")
    expect(corner).to_contain_text("turned 90°")
    page.keyboard.press("m")
    seen = view(page)
    assert (seen["turns"], seen["mirrored"]) == (3, True)
    asked = turned(np.arange(6).reshape(2, 3), 1, mirrored=False)[:, ::-1]
    assert (turned(np.arange(6).reshape(2, 3), 3, mirrored=True) == asked).all()
    expect(corner).to_contain_text("mirrored · turned 270°")
    page.keyboard.press("i")
    expect(corner).to_contain_text("inverted")
    probe_reads(page, image, row=100, column=50)
    page.keyboard.press("r")
    expect(corner).not_to_contain_text("mirrored")


def probe_reads(page, image, row, column):
    """Under the cursor is the stored value of the pixel that is drawn there."""
    x, y = on_screen(page, row, column)
    page.mouse.move(x, y)
    expect(page.locator(".bottom-right")).to_contain_text(f"row {row}, column {column}")
    expect(page.locator(".bottom-right")).to_contain_text(f"stored {image.values[row, column]}")


def on_screen(page, row, column):
    """Where a pixel is on the screen, by the page's own word."""
    return page.evaluate(
        """([row, column]) => {
            const viewport = document.querySelector('cl-viewport'), box = viewport.getBoundingClientRect();
            const { originX, originY, scaleX, scaleY, orientation } = viewport.placement;
            const [x, y] = [(column + .5) * scaleX * (orientation.mirrored ? -1 : 1), (row + .5) * scaleY];
            const [right, down] = [[x, y], [-y, x], [-x, -y], [y, -x]][orientation.turns];
            return [box.left + originX + right, box.top + originY + down];
        }""",
        [row, column],
    )


# ---- lengths, regions, contours ----


def drag_along(page, *places):
    """Press at the first place (row, column), go along the others, release."""
    first, *rest = [on_screen(page, *place) for place in places]
    page.mouse.move(*first)
    page.mouse.down()
    for place in rest:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
    settle(page)


def written(page):
    return page.locator(".vectors .mark-words").all_text_contents()


def test_a_length_is_in_millimetres_as_the_file_says(page, station):
    image = open_study(page, station, "film")
    page.keyboard.press("l")
    drag_along(page, (100, 60), (220, 250))
    (mark,) = view(page)["marks"]
    down, right = np.subtract(*mark["places"])
    millimetres = float(np.hypot(down * image.spacing[0], right * image.spacing[1]))
    assert millimetres == pytest.approx(np.hypot(120 * image.spacing[0], 190 * image.spacing[1]), rel=0.01)
    said = float(written(page)[0].partition("\u2009")[0])
    assert said == pytest.approx(millimetres, rel=1e-3)
    page.keyboard.press("Escape")
    page.keyboard.press("Backspace")
    assert view(page)["marks"] == []


def test_keys_alone_measure_a_length(page, station):
    open_study(page, station, "film")
    page.keyboard.press("l")
    for key in ("Enter", "ArrowRight", "ArrowRight", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    (mark,) = view(page)["marks"]
    assert np.subtract(*mark["places"][::-1]) == pytest.approx([1, 20], abs=1e-6)


def test_a_region_holds_the_evidence_of_the_cells_in_it(page, station):
    open_study(page, station, "film")
    kept = explanation(station, "film")
    choose(page, kept.saliency_map.findings[0])
    page.keyboard.press("g")
    corners = [(60, 40), (60, 260), (330, 260), (330, 40), (70, 40)]
    drag_along(page, *corners)
    values = kept.saliency_map.values[0].astype(np.float64)
    cells = np.argwhere(np.ones(values.shape, bool))
    rows, columns = kept.saliency_map.geometry.cell_to_pixel(cells).T
    inside = ((rows > 60) & (rows < 330) & (columns > 40) & (columns < 260)).reshape(values.shape)
    assert 0 < inside.sum() < inside.size
    text = " ".join(written(page)).replace("−", "-")
    positive = np.where(values > 0, values, 0)
    assert f"for {positive[inside].sum():+.2f} of {positive.sum():+.2f} logits" in text
    assert f"{inside.sum()} of {inside.size} cells" in text
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    settle(page)
    assert all("logits" not in said for said in written(page))


def test_contours_lie_where_the_evidence_reaches_their_levels(page, station):
    open_study(page, station, "film")
    kept = explanation(station, "film")
    strongest = int(np.argmax([values.max() for values in kept.saliency_map.values]))
    choose(page, kept.saliency_map.findings[strongest])
    look(page, zoom=1, opacity=0)
    page.keyboard.press("v")
    settle(page)
    scale = page.evaluate("() => document.querySelector('cl-study').reading.scale(0)")
    evidence = to_pixel_grid(kept.saliency_map.values[strongest], kept.saliency_map.geometry)
    corner = canvas(page).corner
    for share in (0.25, 0.5, 0.75):
        path = page.locator(f".vectors .level-{round(100 * share)}").first.get_attribute("d")
        points = np.array(re.findall(r"(-?[\d.]+) (-?[\d.]+)", path), float)[:, ::-1] - corner - 0.5
        middle = points[(points > 2).all(axis=1) & (points < np.array(evidence.shape) - 3).all(axis=1)]
        row, column = np.round(middle).astype(int).T
        assert len(middle) > 3
        assert np.abs(evidence[row, column] - share * scale).max() < 0.05 * scale
    expect(page.locator(".contour-label").first).to_contain_text("logits")


# ---- pictures and prints ----

WORDS = """() => {
    window.written = [];
    const write = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        window.written.push(text);
        return write.call(this, text, ...rest);
    };
}"""


def saved(page):
    """The picture that is saved, its name, and all that is written in it."""
    page.evaluate("() => { window.written = []; }")
    with page.expect_download() as coming:
        page.keyboard.press("u")
    picture = np.asarray(Picture.open(coming.value.path()).convert("RGB")).astype(int)
    return picture, coming.value.suggested_filename, " ".join(page.evaluate("() => window.written"))


def test_a_picture_holds_what_is_seen_and_its_legend_and_names_nobody(page, station):
    image = open_study(page, station, "film")
    kept = explanation(station, "film")
    finding = kept.saliency_map.findings[0]
    choose(page, finding)
    look(page, zoom=1, details=True)
    page.evaluate(WORDS)
    picture, name, words = saved(page)
    patient = image.source.patient
    for said in (
        finding,
        "logits per cell",
        "films 1.0.0",
        "Grad-CAM",
        "Research software",
        "operating point",
    ):
        assert said in words
    for told in (patient.patient_id, patient.name.partition("^")[0]):
        assert told not in words
        assert told not in name
    compare_with_picture(page, picture, kept, image)
    page.get_by_label("Pictures and prints name the patient").check()
    page.locator("cl-viewport").focus()
    assert patient.patient_id in saved(page)[2]


def compare_with_picture(page, picture, kept, image):
    """The saved pixels are those of numpy, where nothing is written."""
    scale = page.evaluate("() => document.querySelector('cl-study').reading.scale(0)")
    opacity = view(page)["opacity"] / 100
    evidence = to_pixel_grid(kept.saliency_map.values[0], kept.saliency_map.geometry)
    expected = overlay(display(image.values, image), evidence, scale, opacity).astype(int)
    top, left = canvas(page).corner
    rows, columns = expected.shape[:2]
    off = np.abs(picture[top : top + rows, left : left + columns] - expected).max(axis=2)
    assert (off[100:-80] <= 2).mean() > 0.999


def test_a_print_is_a_sheet_of_what_is_seen_with_trust_and_without_a_name(page, station):
    image = open_study(page, station, "film")
    choose(page, explanation(station, "film").saliency_map.findings[0])
    page.keyboard.press("s")
    settle(page)
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    sheet = page.locator(".paper")
    expect(sheet).to_be_visible()
    expect(sheet.locator("figure canvas")).to_have_count(2)
    expect(page.locator("cl-toolbar")).to_be_hidden()
    text = sheet.inner_text()
    assert "The head is" in text or "Linear head" in text
    assert "Research software" in text
    assert image.source.patient.patient_id not in text
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    expect(sheet).to_have_count(0)


# ---- fingers ----


RESTING = """(() => {
    const [begin, end] = [window.setTimeout, window.clearTimeout];
    const pressed = new Map();
    window.setTimeout = (run, ms, ...rest) => {
        if (ms !== 500) return begin(run, ms, ...rest);
        const press = begin(() => undefined);
        pressed.set(press, run);
        return press;
    };
    window.clearTimeout = timer => { pressed.delete(timer); end(timer); };
    window.fingerHasRested = () => [...pressed.values()].some(run => { run(); return true; });
})()"""


@pytest.fixture
def touched(context, station):
    """A page on a screen that is touched, and a way to put fingers on it."""
    own = context.browser.new_context(storage_state=context.storage_state(), has_touch=True)
    page = own.new_page()
    # A finger that rests for 500 ms hides the map; how long that takes is for the test to say.
    page.add_init_script(RESTING)
    page.goto(station.origin)
    fingers = own.new_cdp_session(page)

    def touch(kind, *points):
        places = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    yield page, touch
    own.close()


def test_fingers_change_the_window_zoom_and_hide_the_map(touched, station):
    page, touch = touched
    open_study(page, station, "film")
    choose(page, explanation(station, "film").saliency_map.findings[0])
    touch("touchStart", (700, 400))
    touch("touchMove", (720, 400))
    touch("touchMove", (790, 430))
    touch("touchEnd")
    page.wait_for_function("() => document.querySelector('cl-study').reading.view.window")
    before = view(page)
    assert before["window"]["width"] > 0
    touch("touchStart", (700, 400))
    touch("touchStart", (700, 400), (800, 400))
    touch("touchMove", (650, 400), (850, 400))
    touch("touchEnd")
    settle(page)
    after = view(page)
    assert after["zoom"] == pytest.approx(2, rel=0.02)
    assert after["window"] == before["window"]
    touch("touchStart", (700, 400))
    page.wait_for_function("() => window.fingerHasRested()")
    expect(page.locator("canvas.heat")).to_be_hidden()
    touch("touchEnd")
    expect(page.locator("canvas.heat")).to_be_visible()


def test_a_finger_goes_through_the_slices_and_draws_with_a_tool(touched, station):
    page, touch = touched
    open_study(page, station, "ct")
    now = page.evaluate("() => document.querySelector('cl-study').reading.slice")
    touch("touchStart", (700, 400))
    touch("touchMove", (700, 412))
    touch("touchMove", (700, 445))
    touch("touchEnd")
    settle(page)
    assert page.evaluate("() => document.querySelector('cl-study').reading.slice") > now
    page.get_by_role("button", name="Length").click()
    touch("touchStart", (640, 330))
    touch("touchMove", (670, 350))
    touch("touchEnd")
    page.wait_for_function("() => document.querySelector('cl-study').reading.view.marks.length > 0")
    assert [mark["kind"] for mark in view(page)["marks"]] == ["length"]
