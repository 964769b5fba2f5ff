"""Volumes in a real browser: three linked planes, slabs of evidence, where along the slices it is."""

import base64
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.images.read import read_image
from camlucida.records import Window
from camlucida.rendering.upsample import on_grid
from camlucida.rendering.window import display
from viewer_page import (
    DRAWN,
    READ,
    canvas,
    choose,
    explained_station,
    explanation,
    open_study,
    rewrite,
    settle,
)

pytestmark = pytest.mark.browser

SLICES, ROWS = 48, 60  # cubes of 6 mm
READING = "document.querySelector('cl-study').reading"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("volumes")
    write_ct(ct_volume(8105, ("Nodule",), slices=SLICES, rows=ROWS), folder / "ct")
    write_radiograph(radiograph(8106, (), rows=64), folder / "film.dcm")
    write_frames(folder / "frames.dcm")
    files = {"ct": folder / "ct", "film": folder / "film.dcm", "frames": folder / "frames.dcm"}
    with explained_station(folder, files) as shown:
        yield shown


def write_frames(path):
    """Four films in one object."""
    films = [radiograph(seed, (), rows=64) for seed in range(8107, 8111)]
    write_radiograph(films[0], path)
    rows, columns = films[0].values.shape
    pixels = b"".join(np.resize(film.values, (rows, columns)).astype("<u2").tobytes() for film in films)
    rewrite(path, NumberOfFrames=len(films), PixelData=pixels)


@pytest.fixture
def planes(page, station):
    """The CT with its three planes, and its image."""
    image = open_study(page, station, "ct")
    page.keyboard.press("f")
    page.keyboard.press("p")
    expect(page.locator("cl-viewport")).to_have_count(3)
    page.wait_for_function(f"() => {READING}.image.pixels.here === {SLICES}")
    settle(page)
    return image


def evaluate(page, expression):
    return page.evaluate(f"() => {expression}")


def crossing(page):
    """Slice, row and column where the planes meet."""
    return tuple(evaluate(page, f"[{READING}.slice, {READING}.row, {READING}.column]"))


def greys(page, index, shape, scale=3):
    """What a plane across the slices shows, one value for each of its pixels, upper row first."""
    evaluate(page, f"document.querySelectorAll('cl-viewport')[{index}].look({{zoom: {scale}, centre: null}})")
    page.wait_for_function(DRAWN % index)
    settle(page)
    read = page.evaluate(READ, index)
    image = np.frombuffer(base64.b64decode(read["image"]), np.uint8).reshape(read["height"], read["width"], 4)
    # The slices go up, from the feet to the head.
    top, left = read["placement"]["originY"] - shape[0] * scale, read["placement"]["originX"]
    middles = [
        start + scale // 2 + scale * np.arange(size) for start, size in zip((top, left), shape, strict=True)
    ]
    return image[np.ix_(*middles)][..., 0].astype(int)


def test_planes_across_the_slices_show_the_greys_of_numpy(page, planes):
    _, row, column = crossing(page)
    shape = (SLICES, ROWS)
    coronal = display(planes.values[::-1, row, :], planes)
    sagittal = display(planes.values[::-1, :, column], planes)
    assert np.abs(greys(page, 1, shape) - coronal).max() <= 1
    assert np.abs(greys(page, 2, shape) - sagittal).max() <= 1
    assert coronal.std() > 20


@pytest.mark.usefixtures("planes")
def test_planes_are_named_and_their_edges_say_where_the_patient_is(page):
    titles = page.locator("cl-viewport .top-left").all_inner_texts()
    assert [title.split(" · ")[0] for title in titles] == ["Axial", "Coronal", "Sagittal"]
    letters = [
        viewport.locator(".direction").all_text_contents() for viewport in page.locator("cl-viewport").all()
    ]
    # right, left, below, above
    assert letters == [["L", "R", "P", "A"], ["L", "R", "F", "H"], ["P", "A", "F", "H"]]


def click_at(page, index, row, column, **options):
    """Click on (row, column) of a plane."""
    x, y = page.evaluate(
        """([index, row, column]) => {
            const viewport = document.querySelectorAll('cl-viewport')[index];
            const {scaleX, scaleY, originX, originY, orientation} = viewport.placement;
            const up = orientation.turns === 2 ? -1 : 1; // turned and mirrored: upside down
            const box = viewport.getBoundingClientRect();
            return [box.left + originX + (column + 0.5) * scaleX,
                box.top + originY + up * (row + 0.5) * scaleY];
        }""",
        [index, row, column],
    )
    page.mouse.click(x, y, **options)
    settle(page)


@pytest.mark.usefixtures("planes")
def test_a_click_sets_where_the_planes_meet_and_a_drag_moves_it(page):
    slice_before = crossing(page)[0]
    click_at(page, 0, 20, 41)
    assert crossing(page) == (slice_before, 20, 41)
    click_at(page, 1, 30, 17)
    assert crossing(page) == (30, 20, 17)
    page.mouse.down()
    page.mouse.move(*middle_of(page, 1), steps=3)
    page.mouse.up()
    settle(page)
    assert crossing(page) != (30, 20, 17)
    assert crossing(page)[1] == 20
    expect(page.locator("cl-viewport").nth(0).locator(".bottom-left")).to_contain_text(
        f"slice {crossing(page)[0] + 1} / {SLICES}"
    )


@pytest.mark.usefixtures("planes")
def test_the_wheel_and_the_keys_step_through_the_plane_that_is_pointed_at(page):
    click_at(page, 2, 20, 30)
    before = crossing(page)
    page.keyboard.press("ArrowDown")
    assert crossing(page) == (before[0], before[1], before[2] + 1)
    page.mouse.wheel(0, 120)
    page.wait_for_function(f"() => {READING}.column !== {before[2] + 1}")
    assert crossing(page)[2] == before[2] + 4


@pytest.mark.usefixtures("planes")
def test_a_double_click_shows_one_plane_alone_and_back(page):
    page.locator("cl-viewport").nth(1).dblclick()
    expect(page.locator("cl-viewport")).to_have_count(1)
    expect(page.locator("cl-viewport .top-left")).to_contain_text("Coronal")
    page.wait_for_function("() => location.hash.includes('alone=1')")
    page.locator("cl-viewport").dblclick()
    expect(page.locator("cl-viewport")).to_have_count(3)


def test_the_window_is_linked_and_dragged_by_the_right_button(page, planes):
    before = evaluate(page, f"{READING}.voi.window.width")
    box = page.locator("cl-viewport").nth(2).bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 160, box["y"] + 60, steps=4)
    page.mouse.up(button="right")
    settle(page)
    assert evaluate(page, f"{READING}.voi.window.width") > before
    row = crossing(page)[1]
    window = evaluate(page, f"{READING}.voi.window")
    expected = np.clip(
        (planes.values[::-1, row, :] - 1024.0 - window["center"]) / window["width"] + 0.5, 0, 1
    )
    assert np.abs(greys(page, 1, (SLICES, ROWS)) - 255 * expected).max() <= 2


def test_the_probe_says_where_in_the_patient(page, planes):
    click_at(page, 1, 30, 17)
    said = page.locator("cl-viewport").nth(1).locator(".bottom-right")
    slice_, row, column = crossing(page)
    place = planes.pixel_to_patient @ [slice_, row, column, 1]
    names = [("R", "L"), ("A", "P"), ("F", "H")]
    words = " ".join(f"{name[int(mm >= 0)]} {abs(mm):.1f}" for name, mm in zip(names, place, strict=False))
    expect(said).to_contain_text(f"slice {slice_ + 1}, row {row}, column {column}")
    expect(said).to_contain_text(f"{words} mm")
    expect(said).to_contain_text(f"stored {planes.values[slice_, row, column]}")


@pytest.mark.usefixtures("planes")
def test_planes_zoom_and_move_together(page):
    page.mouse.move(*middle_of(page, 1))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    page.wait_for_function(f"() => {READING}.view.zoom !== null")
    settle(page)
    zooms = page.evaluate("() => [...document.querySelectorAll('cl-viewport')].map(v => v.placement.scaleX)")
    page.keyboard.press("f")
    settle(page)
    fitted = page.evaluate("() => [...document.querySelectorAll('cl-viewport')].map(v => v.placement.scaleX)")
    factors = np.divide(zooms, fitted)
    assert factors == pytest.approx([factors[0]] * 3, rel=1e-3)
    assert factors[0] > 1.1


def middle_of(page, index):
    box = page.locator("cl-viewport").nth(index).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def heat(page, index, shape, scale=3):
    """How opaque the heat is over each pixel of a plane as it lies on the screen; 1 is full colour."""
    evaluate(page, f"document.querySelectorAll('cl-viewport')[{index}].look({{zoom: {scale}, centre: null}})")
    settle(page)
    read = page.evaluate(READ, index)
    drawn = np.frombuffer(base64.b64decode(read["heat"]), np.uint8).reshape(read["height"], read["width"], 4)
    placed = read["placement"]
    upward = shape[0] * scale if placed["orientation"]["turns"] == 2 else 0
    corner = (placed["originY"] - upward, placed["originX"])
    middles = [
        start + scale // 2 + scale * np.arange(size) for start, size in zip(corner, shape, strict=True)
    ]
    return drawn[np.ix_(*middles)][..., 3] / 255


def in_slab(kept, finding, axis, at, mm, cells=False):
    """The strongest evidence within a slab, by very many planes: (row, column) of the plane."""
    geometry = kept.saliency_map.geometry
    half = mm / 2 / geometry.spacing[axis]
    shape = list(geometry.pixel_shape)
    shape[axis] = 401
    to_pixel = np.eye(4)
    to_pixel[axis, axis], to_pixel[axis, 3] = 2 * half / 400, at - half
    values = kept.saliency_map.values[finding]
    if not cells:
        return on_grid(values, geometry, to_pixel, shape).max(axis=axis)
    places = np.moveaxis(np.indices(shape), 0, -1) @ to_pixel[:3, :3].T + to_pixel[:3, 3]
    found = np.floor(geometry.pixel_to_cell(places.reshape(-1, 3)) + 0.5).astype(int)
    inside = np.clip(found, 0, np.array(geometry.native_shape) - 1)
    return values[tuple(inside.T)].reshape(shape).max(axis=axis)


@pytest.mark.parametrize("cells", [False, True])
def test_a_slab_shows_the_strongest_evidence_within_its_thickness(page, station, planes, cells):
    kept = explanation(station, "ct")
    choose(page, kept.saliency_map.findings[0])
    evaluate(page, f"{READING}.change({{cells: {str(cells).lower()}, opacity: 100}})")
    for _ in range(3):
        page.keyboard.press("b")
    expect(page.locator("cl-viewport .bottom-left").first).to_contain_text("strongest evidence within 40 mm")
    scale = evaluate(page, f"{READING}.scale(0)")
    slice_, row, _ = crossing(page)
    for index, axis, at, shape in ((0, 0, slice_, (ROWS, ROWS)), (1, 1, row, (SLICES, ROWS))):
        expected = np.clip(in_slab(kept, 0, axis, at, 40, cells) / scale, 0, 1)
        seen = heat(page, index, shape)
        seen = seen[::-1] if axis == 1 else seen
        # Pixel centres on the edge of two cells may belong to either.
        assert np.quantile(np.abs(seen - expected), 0.9 if cells else 1) <= 0.02
        assert expected.max() > 0.3
    page.keyboard.press("Shift+B")
    assert evaluate(page, f"{READING}.view.slab") == 20
    assert planes.spacing == pytest.approx((6, 6, 6))


@pytest.mark.usefixtures("planes")
def test_the_strongest_cell_is_where_the_planes_meet_on_request(page, station):
    kept = explanation(station, "ct")
    choose(page, kept.saliency_map.findings[0])
    page.keyboard.press("e")
    settle(page)
    values = kept.saliency_map.values[0]
    strongest = np.unravel_index(values.argmax(), values.shape)
    place = kept.saliency_map.geometry.cell_to_pixel([strongest])[0]
    assert np.abs(np.subtract(crossing(page), place)).max() <= 0.5 + 1e-6


def test_a_slice_says_where_its_evidence_was_computed(page, station):
    open_study(page, station, "ct")
    kept = explanation(station, "ct")
    choose(page, kept.saliency_map.findings[0])
    corner = page.locator("cl-viewport .bottom-left")
    page.keyboard.press("Home")
    geometry = kept.saliency_map.geometry
    centres = geometry.cell_to_pixel([[cell, 0, 0] for cell in range(geometry.native_shape[0])])[:, 0]
    expect(corner).to_contain_text(f"evidence interpolated from slice {centres[0] + 1:g}")
    evaluate(page, f"{READING}.toSlice({int(centres[1])})")
    settle(page)
    expect(corner).not_to_contain_text("evidence")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(corner).to_contain_text(f"interpolated from slice {centres[1] + 1:g}, {centres[2] + 1:g}")
    page.keyboard.press("c")
    expect(corner).to_contain_text(f"evidence of cells centred on slice {centres[1] + 1:g}")
    page.keyboard.press("s")
    expect(corner).to_contain_text(["slice", "evidence of cells"])
    expect(corner.first).not_to_contain_text("evidence")  # the image alone


def test_a_radiograph_has_no_planes(page, station):
    open_study(page, station, "film")
    expect(page.get_by_role("button", name="Three planes")).to_be_disabled()
    page.keyboard.press("p")
    expect(page.locator("cl-viewport")).to_have_count(1)


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
@pytest.mark.usefixtures("planes")
def test_nothing_is_cut_off(page, tmp_path, width, height):
    page.set_viewport_size({"width": width, "height": height})
    choose(page, "Pneumothorax")
    root = "document.documentElement"
    page.wait_for_function(f"() => {root}.clientWidth === {width} && {root}.clientHeight === {height}")
    settle(page)
    assert evaluate(page, f"[{root}.scrollWidth, {root}.scrollHeight]") == [width, height]
    page.screenshot(path=tmp_path / f"planes-{width}.png")
    for corner in page.locator("cl-viewport .corner").all():
        if not corner.inner_text():
            continue
        box, around = corner.bounding_box(), corner.locator("..").bounding_box()
        assert box["x"] + box["width"] <= around["x"] + around["width"] + 1
    assert re.search("Axial", page.locator("cl-viewport .top-left").first.inner_text())


def open_frames(page, station):
    """The first of four frames, with a map on."""
    frames = read_image(station.files["frames"], frame=1)
    page.locator("tbody tr").filter(has_text=frames.source.patient.patient_id).locator("a").click()
    expect(page.locator("cl-findings button").first).to_be_visible()
    settle(page)
    choose(page, "Nodule")


PIXELS_WAIT = """() => {
  const real = window.fetch;
  const gate = new Promise(done => { window.pixelsMayCome = done; });
  window.fetch = async (address, ...rest) => {
    if (/pixels/.test(address)) await gate;
    return real(address, ...rest);
  };
}"""


def test_the_map_of_the_next_frame_waits_for_its_pixels(page, station):
    open_frames(page, station)
    expect(page.locator("canvas.heat")).to_be_visible()
    page.evaluate(PIXELS_WAIT)
    page.keyboard.press("ArrowDown")
    of_seen = f"{READING}.image.row.explanations[0].key"
    page.wait_for_function(f"() => ![undefined, {of_seen}].includes({READING}.explanation?.row.key)")
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(page.locator("canvas.heat")).to_be_hidden()  # the frame before is still seen
    page.evaluate("() => window.pixelsMayCome()")
    settle(page)
    expect(page.locator("canvas.heat")).to_be_visible()
    assert page.evaluate(f"() => {READING}.image.row.frame_number") == 2


def test_frames_of_one_object_are_gone_through_like_slices_and_keep_the_view(page, station):
    open_frames(page, station)
    number = page.locator("cl-slice-bar output")
    expect(number).to_have_text("1 / 4")
    evaluate(page, f"{READING}.dragWindow(60, 30)")
    window = evaluate(page, f"{READING}.voi.window")
    page.keyboard.press("o")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    expect(number).to_have_text("3 / 4")
    page.wait_for_function(f"() => {READING}.mapShown && {READING}.view.finding !== null")
    settle(page)
    assert evaluate(page, f"{READING}.imageRow.frame_number") == 3
    assert evaluate(page, f"{READING}.voi.window") == window
    third = read_image(station.files["frames"], frame=3)
    dragged = Window(window["center"], window["width"], window["function"])
    assert canvas(page).shows(display(third.values, third, dragged)) <= (1, 0)
    expect(page.locator("cl-findings button[aria-pressed=true]")).to_contain_text("Nodule")
    page.keyboard.press("End")
    expect(number).to_have_text("4 / 4")
