"""A lost server, a 500, a corrupt map, a slow link: each is said in words and goes with its cause."""

from contextlib import closing

import numpy as np
import pytest
from playwright.sync_api import expect

from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.store.tables import StudyRow
from viewer_page import canvas, explained_station, settle

pytestmark = pytest.mark.browser

VALUES = "**/api/explanations/*/values"
LOST = "Connection lost"
AGAIN = "Try again"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("station")
    write_radiograph(radiograph(7901, ("Effusion",), rows=300), folder / "film.dcm")
    write_ct(ct_volume(7905, ("Nodule",), slices=8, rows=64), folder / "ct")
    with explained_station(folder, {"film": folder / "film.dcm", "ct": folder / "ct"}) as running:
        yield running


@pytest.fixture
def page(context):
    """A page with a cache of its own: what was fetched before would hide the fault."""
    own = context.browser.new_context(storage_state=context.storage_state())
    with closing(own):
        opened = own.new_page()
        yield opened
        opened.unroute_all(behavior="ignoreErrors")


def address(station, modality="DX"):
    with station.home.database.read() as session:
        found = next(row for row in session.query(StudyRow) if row.images[0].modality == modality)
        return f"{station.origin}/#/study/{found.key}"


def corrupt(change):
    """Answers with the map's bytes changed."""

    def answer(route):
        values = np.frombuffer(route.fetch().body(), "<f4").copy()
        route.fulfill(body=change(values), content_type="application/octet-stream")

    return answer


def with_nan(values):
    values[5] = np.nan
    return values.tobytes()


def seen(page):
    """Whether an image is on the canvas."""
    expect(page.locator("cl-viewport")).to_be_visible()
    return canvas(page).image[..., :3].any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda values: values[:-3].tobytes(), "evidence values where the map has"),
        (lambda values: values.tobytes()[:-2], "cut off"),
        (lambda _: b"", "evidence values where the map has"),
        (with_nan, "not a number"),
    ],
    ids=["short", "truncated", "empty", "nan"],
)
def test_a_corrupt_map_is_said_never_drawn_and_fetched_again(page, station, change, said):
    page.route(VALUES, corrupt(change))
    page.goto(address(station))
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.locator("cl-viewport")).to_be_visible()  # the image is there all the same
    expect(page.locator("canvas.heat")).to_be_hidden()
    page.unroute(VALUES)
    page.get_by_role("button", name=AGAIN).click()
    expect(page.locator("cl-findings button[aria-pressed]").first).to_be_visible()
    expect(page.get_by_text(said)).to_have_count(0)


@pytest.mark.parametrize("part", ["**/api/studies/*", "**/api/images/*", "**/pixels*", VALUES])
def test_a_station_that_fails_is_said_in_its_words_and_asked_again(page, station, part):
    page.route(part, lambda route: route.fulfill(status=500, json={"detail": "The disk is full."}))
    page.goto(address(station))
    expect(page.get_by_text("The disk is full.")).to_be_visible()
    page.unroute(part)
    page.get_by_role("button", name=AGAIN).click()
    expect(page.locator("cl-findings button").first).to_be_visible()
    assert seen(page)


@pytest.mark.parametrize("part", ["**/api/images/*", "**/pixels*", VALUES])
def test_a_station_that_goes_while_a_study_opens_is_said_and_it_goes_on_when_it_is_back(page, station, part):
    page.route(part, lambda route: route.abort())
    page.goto(address(station))
    expect(page.get_by_text(LOST)).to_be_visible()
    page.unroute(part)
    expect(page.locator("cl-findings button").first).to_be_visible()
    assert seen(page)
    expect(page.get_by_text(LOST)).to_have_count(0)


def test_a_slice_that_does_not_come_is_said_and_comes_when_it_can(page, station):
    page.route(
        "**/pixels*", lambda route: route.abort() if "slice=0" in route.request.url else route.continue_()
    )
    page.goto(address(station, "CT"))
    expect(page.locator("cl-findings button").first).to_be_visible()
    settle(page)
    page.keyboard.press("Home")
    expect(page.get_by_text(LOST)).to_be_visible()
    page.unroute("**/pixels*")
    page.wait_for_function("() => document.querySelector('cl-study').reading.image?.pixels.ready(0)")
    expect(page.locator("cl-viewport")).to_be_visible()


SLOW_PIXELS = """
    const real = window.fetch;
    let pixelsAskedFor;
    const asked = new Promise(done => { pixelsAskedFor = done; });
    const link = new Promise(done => { window.pixelsMayCome = done; });
    window.fetch = async (address, ...rest) => {
      if (/pixels/.test(address)) { pixelsAskedFor(); await link; }
      if (/values$/.test(address)) await asked;
      return real(address, ...rest);
    };
"""


def test_pixels_that_come_after_the_map_are_waited_for_in_words_and_move_nothing(page, station):
    page.add_init_script(SLOW_PIXELS)
    page.goto(address(station))
    expect(page.locator("cl-findings button").first).to_be_visible()
    expect(page.locator("cl-desk").get_by_text("Loading")).to_be_visible()
    before = page.locator("cl-findings").bounding_box()
    page.evaluate("() => window.pixelsMayCome()")
    assert seen(page)
    expect(page.get_by_text("Loading")).to_have_count(0)
    assert page.locator("cl-findings").bounding_box() == before


def test_who_is_signed_out_is_told_so_wherever_they_go(page, station):
    page.goto(address(station))
    expect(page.locator("cl-findings button").first).to_be_visible()
    page.route("**/api/**", lambda route: route.fulfill(status=401, json={"detail": "Sign in."}))
    for place in ("#/", "#/jobs", "#/models"):
        page.evaluate("place => { location.hash = place }", place)
        expect(page.get_by_text("Signed out", exact=True)).to_be_visible()
        expect(page.get_by_text("Loading")).to_have_count(0)


def test_a_browser_without_webgl_shows_the_image_and_says_that_the_map_cannot_be_drawn(page, station):
    page.add_init_script(
        """const real = HTMLCanvasElement.prototype.getContext;
        HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
          return kind === "webgl2" ? null : real.call(this, kind, ...rest);
        };"""
    )
    page.goto(address(station))
    expect(page.locator("cl-findings button").first).to_be_visible()
    assert seen(page)
    page.keyboard.press("h")
    expect(page.get_by_text("needs WebGL 2")).to_be_visible()
    assert seen(page)
