"""Comparing in a real browser: swipe, the prior, methods on demand, and what is told of their states."""

import re
from contextlib import contextmanager

import numpy as np
import pytest
from playwright.sync_api import expect

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.records.geometry import resizing
from camlucida.rendering.overlay import overlay
from camlucida.rendering.upsample import resample, to_pixel_grid
from camlucida.rendering.window import display
from camlucida.store.tables import StudyRow
from viewer_page import (
    compare_with_screen,
    explained_station,
    explanation,
    read_image,
    screenshot,
    settle,
)
from waiting import until

pytestmark = pytest.mark.browser

READING = "document.querySelector('cl-study').reading"
FINDING = "Pneumothorax"
ONE_STUDY = re.compile(r"/api/studies/[0-9a-f]{32}$")  # and not the worklist's search
LONG = 120_000  # ms: a worker of its own loads the engine and explains


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """Two films of one phantom, half a year and some pixels apart."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "files").mkdir()
    files = {name: folder / "files" / f"{name}.dcm" for name in ("prior", "now")}
    for visit, (rows, path) in enumerate(zip((360, 420), files.values(), strict=True)):
        write_radiograph(radiograph(7911, ("Effusion",), rows=rows, visit=visit), path)
    with explained_station(folder, files) as running:
        yield running


def address(station, name, query=""):
    with station.home.database.read() as session:
        date = read_image(station.files[name]).source.study_date
        key = session.query(StudyRow).filter_by(study_date=date).one().key
    return f"{station.origin}/#/study/{key}{query}"


def read(page, station, name, query=""):
    """Open a study at 1:1 with the map of a finding on."""
    page.goto(address(station, name, query))
    expect(page.locator("cl-findings button").first).to_be_visible()
    expect(page.locator("cl-other-studies a")).to_be_visible()
    page.locator("cl-findings button").filter(has_text=FINDING).click()
    page.keyboard.press("o")
    settle(page)
    return read_image(station.files[name])


def wait_for(page, what):
    page.wait_for_function(f"() => {READING}.{what}", timeout=LONG)
    settle(page)


def values(station, name):
    kept = explanation(station, name).saliency_map
    return kept, kept.values[kept.findings.index(FINDING)]


# ---- the difference to the prior ----


def test_the_difference_to_the_prior_is_that_of_numpy(page, station):
    image = read(page, station, "now")
    page.keyboard.press("n")
    wait_for(page, "comparison.difference")
    (kept, own), (before, prior) = values(station, "now"), values(station, "prior")
    shapes = before.geometry.native_shape, kept.geometry.native_shape
    laid = resample(prior, resizing(*shapes), shapes[1], True)
    seen = page.evaluate(f"() => [...{READING}.comparison.difference]")
    assert np.abs(np.array(seen).reshape(own.shape) - (own - laid)).max() < 1e-6
    scale = page.evaluate(f"() => {READING}.shown.scale")
    evidence = to_pixel_grid(own - laid, kept.geometry)
    compare_with_screen(page, overlay(display(image.values, image), evidence, scale, 0.6, "coolwarm"))


def test_a_difference_says_what_it_is_of_and_how_it_was_laid(page, station):
    read(page, station, "now")
    page.keyboard.press("n")
    wait_for(page, "comparison.difference")
    date = read_image(station.files["prior"]).source.study_date
    day = f"{date[:4]}-{date[4:6]}-{date[6:]}"
    expect(page.locator("cl-viewport .top-left")).to_contain_text(f"Difference to the prior of {day}")
    expect(page.locator("cl-viewport .words")).to_contain_text("not by anatomy")
    expect(page.locator("cl-legend")).to_contain_text("difference in logits per cell")
    page.keyboard.press("n")
    expect(page.locator("cl-viewport .top-left")).not_to_contain_text("Difference")
    expect(page.locator("cl-legend")).to_contain_text("logits per cell")


def test_a_link_leads_back_to_the_difference(page, station, context):
    read(page, station, "now")
    page.keyboard.press("n")
    wait_for(page, "comparison.difference")
    page.wait_for_function("() => location.hash.includes('difference=1') && location.hash.includes('other=')")
    again = context.new_page()
    again.goto(page.evaluate("() => location.href"))  # page.url is told of it later
    again.wait_for_function("() => document.querySelector('cl-study')?.reading?.comparison.difference")
    expect(again.locator("cl-viewport .words")).to_contain_text("the prior of")
    again.close()


def test_without_an_earlier_study_it_says_so_and_shows_the_map(page, station):
    read(page, station, "prior")
    page.keyboard.press("n")
    expect(page.locator("cl-viewport .words")).to_contain_text("there is no earlier study")
    assert page.evaluate(f"() => {READING}.shown.difference") is False


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"hindrance": "other version", "model_version": "0.9"}, "by version 0.9 of the model"),
        ({"hindrance": "other view"}, "another view, side or part"),
        ({"hindrance": "not explained", "explanation": None}, "has no map by this model and method"),
    ],
)
def test_what_cannot_be_compared_says_why(page, station, changed, said):
    def hinder(route):
        found = route.fetch().json()
        for prior in found["priors"]:
            prior.update(changed)
        route.fulfill(json=found)

    page.route("**/priors", hinder)
    read(page, station, "now")
    page.keyboard.press("n")
    expect(page.locator("cl-viewport .words")).to_contain_text(said)
    page.keyboard.press("d")
    if changed["hindrance"] == "not explained":
        expect(page.get_by_role("button", name="Explain the prior, too")).to_be_visible()
    else:
        expect(page.locator("#compare-with option[disabled]")).to_have_count(1)


def test_a_map_on_another_scale_is_not_subtracted(page, station):
    def rescale(route):
        record = route.fetch().json()
        record["scales"] = [2 * scale for scale in record["scales"]]
        route.fulfill(json=record)

    read(page, station, "now")
    page.route("**/api/explanations/*", rescale)
    page.keyboard.press("n")
    expect(page.locator("cl-viewport .words")).to_contain_text("on different scales")
    assert page.evaluate(f"() => {READING}.shown.difference") is False


def test_other_studies_that_come_late_move_no_finding(page, station):
    late = []

    def hold(route):
        late.append(route)

    page.route("**/same-patient", hold)
    with page.expect_request("**/same-patient"):
        page.goto(address(station, "now"))
    first = page.locator("cl-findings button").first
    expect(first).to_be_visible()
    settle(page)
    before = first.bounding_box()
    late.pop().continue_()
    expect(page.locator("cl-other-studies a")).to_be_visible()
    assert first.bounding_box() == before


# ---- swipe ----


def test_left_of_the_divider_is_the_image_alone(page, station):
    image = read(page, station, "now", "?layout=swipe&opacity=100")
    expect(page.locator("cl-divider")).to_have_attribute("aria-valuenow", "50")
    box = page.locator("cl-viewport").bounding_box()
    origin = page.evaluate("() => document.querySelector('cl-viewport').placement")
    left = int(box["x"] + origin["originX"])
    top = int(box["y"] + origin["originY"])
    middle = int(box["width"] / 2) - int(origin["originX"])

    def grey():
        seen = screenshot(page)[top + 60 : top + 300, left : left + image.space[1], :]
        return np.ptp(seen, axis=2) == 0

    until(lambda: not grey()[:, middle + 12 :].all())  # the compositor may still show the frame before
    assert grey()[:, 5 : middle - 12].all()


def test_the_divider_is_dragged_and_moved_by_keys_and_the_window_stays(page, station):
    read(page, station, "now")
    page.keyboard.press("x")
    divider = page.locator("cl-divider")
    box = divider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, 500)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, 500, steps=4)
    page.mouse.up()
    settle(page)
    assert page.evaluate(f"() => {READING}.view.swipe") > 55
    assert page.evaluate(f"() => {READING}.view.window") is None
    divider.focus()
    page.keyboard.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    page.keyboard.press("ArrowRight")
    expect(divider).to_have_attribute("aria-valuenow", "2")
    page.keyboard.press("x")
    expect(divider).to_have_count(0)


# ---- scale ----


def test_the_own_scale_says_that_it_is_not_comparable(page, station):
    read(page, station, "now")
    _, own = values(station, "now")
    fixed = page.evaluate(f"() => {READING}.shown.scale")
    page.keyboard.press("a")
    assert page.evaluate(f"() => {READING}.shown.scale") == pytest.approx(float(own.max()))
    expect(page.locator("cl-legend")).to_contain_text("not comparable")
    page.keyboard.press("a")
    assert page.evaluate(f"() => {READING}.shown.scale") == fixed
    expect(page.locator("cl-legend")).to_contain_text("same scale for all findings and studies")


# ---- methods on demand, and their disagreement ----


@contextmanager
def unanswered(page, what):
    """What is asked meanwhile is answered afterwards."""
    waiting = []

    def keep(route):
        waiting.append(route)

    page.route(what, keep)
    yield
    page.unroute(what)
    for route in waiting:
        route.continue_()


def ask(page, method):
    page.get_by_role("button", name="Another method…").click()
    page.locator(".method-choice").filter(has_text=method).first.click()


def test_a_method_on_demand_waits_is_computed_and_disagrees_where_hatched(page, station):
    read(page, station, "now")
    page.keyboard.press("q")
    expect(page.locator("cl-viewport .words")).to_contain_text("No other method has explained this image")
    page.keyboard.press("q")
    with unanswered(page, ONE_STUDY):  # it may be computed sooner than it is looked
        ask(page, "Input x Gradient")
        expect(page.locator("cl-explained-by")).to_contain_text("Asked for at")
    wait_for(page, "explanation?.record.provenance.method === 'input x gradient'")
    # The finding and its map are taken up again.
    expect(page.locator("cl-findings button[aria-pressed=true]")).to_contain_text(FINDING)
    expect(page.locator("canvas.heat")).to_be_visible()
    page.keyboard.press("q")
    wait_for(page, "comparison.agreement")
    expect(page.locator("cl-viewport .words")).to_contain_text("another sign than Grad-CAM")
    expect(page.locator(".vectors .hatched")).to_have_css("fill", 'url("#cl-hatching")')
    found = page.evaluate(f"() => ({{...{READING}.comparison.agreement, differing: null, geometry: null}})")
    assert 0 < found["differ"] <= found["counted"]
    page.keyboard.down("Space")
    settle(page)
    expect(page.locator(".vectors .hatched")).to_have_count(0)
    page.keyboard.up("Space")


def test_a_method_that_the_network_does_not_take_is_refused_with_the_reason(page, station):
    read(page, station, "now")
    ask(page, "Attention Rollout")
    expect(page.locator("cl-explained-by")).to_contain_text("needs a transformer", timeout=LONG)
    expect(page.locator("cl-explained-by").get_by_role("button", name="Try again")).to_have_count(0)
    page.get_by_role("button", name="Another method…").click()
    expect(page.locator(".method-choice").filter(has_text="Attention Rollout")).to_contain_text(
        "refused before"
    )
    page.keyboard.press("Escape")


# ---- states ----


def told(page, station, change):
    """Open the study as it would be told after a change to its images."""

    def fulfil(route):
        study = route.fetch().json()
        for image in study["images"]:
            change(image)
        route.fulfill(json=study)

    page.route(ONE_STUDY, fulfil)
    page.goto(address(station, "now"))
    return page.locator("cl-explained-by")


def test_what_is_waiting_says_since_when_and_where_in_the_queue(page, station):
    state = {"state": "waiting", "since": "2026-01-05T10:12:00+00:00", "place": 3, "begun": False}
    words = told(page, station, lambda image: [row.update(state) for row in image["explanations"]])
    expect(words).to_contain_text("Asked for at 2026-01-05 10:12 UTC. It is number 3 in the queue.")


def test_what_is_being_computed_says_so(page, station):
    state = {"state": "waiting", "since": "2026-01-05T10:12:00+00:00", "place": 1, "begun": True}
    words = told(page, station, lambda image: [row.update(state) for row in image["explanations"]])
    expect(words).to_contain_text("It is being computed.")


def test_what_has_failed_says_why_and_can_be_tried_again(page, station):
    state = {"state": "refused", "failed": True, "reason": "There is not enough memory for it."}
    words = told(page, station, lambda image: [row.update(state) for row in image["explanations"]])
    expect(words).to_contain_text("There is not enough memory for it.")
    asked = []
    waiting = {"state": "waiting", "since": "2026-01-05T10:12:00+00:00", "place": 1, "begun": False}

    def again(route):
        asked.append(route.request.method)
        page.unroute(ONE_STUDY)
        key = route.request.url.split("/")[-2]
        row = {"key": key, "model": "films", "model_version": "1.0.0", "method": "grad-cam", "reason": None}
        route.fulfill(status=202, json={**row, **waiting})

    page.route("**/again", again)
    words.get_by_role("button", name="Try again").click()
    expect(page.locator("cl-findings button").first).to_be_visible(timeout=LONG)
    assert asked == ["POST"]


@pytest.mark.parametrize(
    ("successor", "said"), [("2.0", "was replaced by version 2.0"), (None, "was retired")]
)
def test_a_map_of_a_model_that_is_gone_is_shown_as_such_only(page, station, successor, said):
    def replace(image):
        image["past"] = [{**row, "replaced_by": successor} for row in image.pop("explanations")]
        image["explanations"] = []

    words = told(page, station, replace)
    expect(words).to_contain_text("No current map")
    expect(page.locator("cl-findings button")).to_have_count(0)
    words.get_by_role("button", name="Show it as what it is").click()
    expect(words).to_contain_text(said)
    page.locator("cl-findings button").filter(has_text=FINDING).click()
    expect(page.locator("cl-viewport .top-left")).to_contain_text("films 1.0.0, not current")
