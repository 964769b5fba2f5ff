"""The pages of many studies in Chromium: maps, models and jobs, over what the real pipeline kept."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.models.registry import Registry
from camlucida.store import claims, explanations
from camlucida.store.claims import Claim
from camlucida.store.tables import ExplanationRow, State
from viewer_page import explained_station
from waiting import until

pytestmark = pytest.mark.browser

ARRIVED = """() => !document.querySelector('[aria-busy=true]')
  && document.querySelectorAll('.tile:not(.average) .arrived').length === %d"""


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("station")
    (folder / "files").mkdir()
    files = {f"film {n}": folder / "files" / f"{n}.dcm" for n in range(3)}
    for seed, path in enumerate(files.values(), start=7921):
        write_radiograph(radiograph(seed, ("Effusion",), rows=300), path)
    write_ct(ct_volume(7925, ("Nodule",), slices=12, rows=64), folder / "files" / "ct")
    with explained_station(folder, {**files, "ct": folder / "files" / "ct"}) as running:
        yield running


def go(page, name):
    page.get_by_role("navigation").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def choose(page, label, option):
    page.get_by_label(label, exact=True).select_option(option)


def films(page):
    """The sheet of the three films, with all their pictures."""
    go(page, "Maps")
    choose(page, "Model, method", "films@1.0.0, Grad-CAM")
    expect(page.locator(".tile:not(.average)")).to_have_count(3)
    page.wait_for_function(ARRIVED % 3)


# ---- maps ----


def test_a_finding_s_maps_are_seen_at_once_with_their_average(page):
    films(page)
    expect(page.locator(".average")).to_contain_text("Average of 3 maps")
    expect(page.locator(".sheet-legend")).to_contain_text("the same scale for all of these maps")
    shown = page.locator(".tile:not(.average) .tile-figures > span:first-child").all_inner_texts()
    assert all("%" in text for text in shown)


def test_a_map_s_strongest_place_is_where_the_kept_map_has_it(page, station):
    films(page)
    (tile,) = page.locator(".tile:not(.average)").all()[:1]
    key = re.search(r"explanation=(\w+)", tile.locator("a").get_attribute("href"))[1]
    with station.home.database.read() as session:
        digest = session.query(ExplanationRow).filter_by(key=key).one().digest
    saliency_map = explanations.load(station.home, digest).saliency_map
    strongest = np.unravel_index(saliency_map.values[0].argmax(), saliency_map.geometry.native_shape)
    (expected,) = saliency_map.geometry.cell_to_pixel([strongest])
    drawn = tile.locator("canvas").evaluate(
        """canvas => { const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        const alphas = data.filter((_, i) => i % 4 === 3); const most = Math.max(...alphas);
        const at = [...alphas.keys()].filter(i => alphas[i] >= 0.98 * most);
        return {places: at.map(i => [Math.floor(i / canvas.width), i % canvas.width]),
        size: [canvas.height, canvas.width]}; }"""
    )
    share = np.array(saliency_map.geometry.pixel_shape) / drawn["size"]
    places = (np.array(drawn["places"]) + 0.5) * share - 0.5
    cell = np.array(saliency_map.geometry.cell_size_pixels())
    assert (np.abs(places - expected) <= cell).all(axis=1).any()


def test_order_finding_and_choice_are_in_the_address_and_come_back(page):
    films(page)
    choose(page, "Finding", "Nodule")
    choose(page, "Order", "probability")
    choose(page, "Taken", "the most probable")
    page.wait_for_function(ARRIVED % 3)
    before = page.locator(".tile:not(.average) a").all_inner_texts()
    expect(page).to_have_url(re.compile("finding=Nodule"))
    page.reload()
    page.wait_for_function(ARRIVED % 3)
    assert page.get_by_label("Finding", exact=True).input_value() == "Nodule"
    assert page.locator(".tile:not(.average) a").all_inner_texts() == before


def test_maps_are_hidden_by_h_and_a_tile_opens_its_study_with_the_map(page):
    films(page)
    heat = page.locator(".tile:not(.average) canvas").first
    expect(heat).to_be_visible()
    page.keyboard.press("h")
    expect(heat).to_be_hidden()
    page.keyboard.press("h")
    page.locator(".tile:not(.average) a").first.click()
    expect(page.locator("canvas.heat").first).to_be_visible()
    assert page.evaluate("() => document.querySelector('cl-study').reading.view.map") is True


def test_a_choice_that_is_made_before_the_first_sheet_has_come_holds(page):
    held = []
    page.route(
        "**/api/sheet",
        lambda route: route.continue_() if held or route.request.method == "GET" else held.append(route),
    )
    page.evaluate("location.hash = '#/sheet?model=films%401.0.0&method=grad-cam'")
    choose(page, "Model, method", "volumes@1.0.0, Grad-CAM")
    page.wait_for_function(ARRIVED % 1)
    with page.expect_response(lambda answer: answer.request == held[0].request) as late:
        held[0].continue_()
    late.value.finished()
    page.evaluate(
        "() => new Promise(done => setTimeout(done, 200))"
    )  # time enough to be drawn, were it taken
    expect(page.locator(".tile:not(.average)")).to_have_count(1)
    page.unroute_all()


def test_of_a_volume_the_slice_with_most_evidence_is_shown_and_opened(page):
    go(page, "Maps")
    choose(page, "Model, method", "volumes@1.0.0, Grad-CAM")
    page.wait_for_function(ARRIVED % 1)
    slice_shown = re.search(r"slice=(\d+)", page.locator(".tile:not(.average) a").get_attribute("href"))
    page.locator(".tile:not(.average) a").click()
    page.wait_for_function("() => document.querySelector('cl-study')?.reading?.image")
    assert page.evaluate("() => document.querySelector('cl-study').reading.slice") == int(slice_shown[1])


# ---- models ----


def test_models_lead_to_their_card_and_a_card_to_its_maps(page, station):
    go(page, "Models")
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="films").click()
    kept = Registry(station.home.folder).get("films")
    for told in (kept.digest, kept.head["target_layer"], "faithful by theorem", "10\u2009%", "in use"):
        expect(page.locator("cl-models")).to_contain_text(told)
    page.get_by_role("link", name="Maps of Pleural effusion").click()
    expect(page.get_by_label("Finding", exact=True)).to_have_value("Pleural effusion")


def test_a_model_that_is_not_there_is_said_so(page, station):
    page.goto(f"{station.origin}/#/models/films@9.9")
    expect(page.get_by_text("no model of this name")).to_be_visible()


# ---- jobs ----


def test_what_failed_is_told_and_tried_again_by_a_button(page, station):
    with station.home.database.read() as session:
        row = session.query(ExplanationRow).order_by(ExplanationRow.id).first()
    explanations.fail(station.home, row.id, "There is not enough memory.")
    go(page, "Jobs")
    failed = page.locator("tr").filter(has_text="There is not enough memory.")
    expect(failed).to_contain_text("films@1.0.0")
    failed.get_by_role("button", name="Try again").click()
    expect(failed).to_have_count(0)
    until(lambda: state(station, row.id) == State.DONE, seconds=300)


def test_a_button_that_is_pressed_while_the_page_has_news_is_clicked_all_the_same(page, station):
    told = []

    def news(route):  # each look says something else: the page is built anew
        told.append(route.request)
        route.fulfill(json={**route.fetch().json(), "restarts": len(told)})

    with station.home.database.read() as session:
        row = session.query(ExplanationRow).order_by(ExplanationRow.id).first()
    explanations.fail(station.home, row.id, "There is not enough memory.")
    page.route("**/api/status", news)
    go(page, "Jobs")
    failed = page.locator("tr").filter(has_text="There is not enough memory.")
    failed.get_by_role("button", name="Try again").hover()
    page.mouse.down()
    for _ in range(2):
        with page.expect_response("**/api/status"):
            pass
    page.mouse.up()
    expect(failed).to_have_count(0)
    page.unroute_all(behavior="wait")
    until(lambda: state(station, row.id) == State.DONE, seconds=300)


def state(station, explanation):
    with station.home.database.read() as session:
        return session.get(ExplanationRow, explanation).state


def test_what_is_computed_now_says_how_far_it_is_and_is_cancelled(page, station):
    with station.home.database.write() as session:
        done = session.query(ExplanationRow).order_by(ExplanationRow.id).first()
        explanations.want(session, done.image_id, done.model_digest, "occlusion", asked=True)
        wanted = explanations.find(session, done.image_id, done.model_digest, "occlusion")
        assert claims._begin(session, wanted, "a worker")  # before the station's own sees it
        claim = Claim(wanted.id, wanted.model_digest, wanted.method, "a worker")
    assert claims.renew(station.home, claim, 3, 12)
    go(page, "Jobs")
    running = page.locator("tr").filter(has=page.get_by_role("progressbar"))
    expect(running).to_contain_text("3 of 12")
    expect(running).to_contain_text("Occlusion")
    running.get_by_role("button", name="Cancel").click()
    expect(running).to_have_count(0)
    assert not claims.renew(station.home, claim)  # its worker is told so, and ends it


def test_who_may_not_is_not_offered_to_try_again(page, station):
    with station.home.database.read() as session:
        row = session.query(ExplanationRow).order_by(ExplanationRow.id).first()
    explanations.fail(station.home, row.id, "There is not enough memory.")
    page.route("**/api/me", lambda route: route.fulfill(json={**route.fetch().json(), "rights": ["enter"]}))
    go(page, "Jobs")
    expect(page.get_by_text("There is not enough memory.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("again"))).to_have_count(0)
    page.unroute_all(behavior="wait")


def test_how_the_station_stands_is_told_below_and_what_is_wrong_above(page):
    def with_a_full_disk(route):
        told = route.fetch().json()
        disk = next(check for check in told["checks"] if check["name"] == "disk")
        disk |= {"ok": False, "told": "Only 0.1 GB are free."}
        route.fulfill(json=told)

    go(page, "Jobs")
    stands = page.locator("section").filter(has=page.get_by_role("heading", name="Station"))
    expect(stands.get_by_role("listitem")).to_have_count(4)
    for told in ("free of", "Evidence", "SQLite"):
        expect(stands).to_contain_text(told)
    page.route("**/api/status", with_a_full_disk)
    expect(page.get_by_role("alert")).to_have_text("Disk: Only 0.1 GB are free.")
    page.unroute_all(behavior="wait")


def test_every_page_has_its_title_and_its_place_in_the_row(page):
    for name in ("Maps", "Models", "Jobs", "Studies"):
        go(page, name)
        expect(page).to_have_title(f"{name} · camlucida")
        expect(page.locator("[aria-current=page]")).to_have_text(name)
    page.locator("tbody a").first.click()
    expect(page.get_by_role("navigation")).to_be_hidden()
