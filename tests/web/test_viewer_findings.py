"""Findings, trust, flags, opinions and the trail of events, in a real browser over what the pipeline kept."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.records import CausalCheck, Flag, FlagReason, StabilityCheck
from camlucida.store import explanations
from camlucida.store.audit.replay import replay, seen_at
from camlucida.store.remarks import flags
from camlucida.store.tables import EventRow, ExplanationRow, FlagRow, OpinionRow
from viewer_page import (
    choose,
    compare_with_screen,
    drag,
    explained_station,
    explanation,
    open_study,
    settle,
)

pytestmark = pytest.mark.browser

READING = "document.querySelector('cl-study').reading"


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("findings")
    files = {"film": folder / "film.dcm", "ct": folder / "ct"}
    write_radiograph(radiograph(8301, ("Effusion",), rows=420), files["film"])
    write_ct(ct_volume(8302, ("Nodule",), slices=6, rows=64), files["ct"])
    with explained_station(folder, files) as running:
        check_the_film(running)
        yield running


def check_the_film(station):
    """Gives the kept film the dear checks, as `checks="all"` would: passed, failed, and a shortcut."""
    kept = explanation(station, "film")
    passed = CausalCheck(2.1, 0.1, 0.4, 5.0, 24, 0, 0.1)
    failed = replace(passed, effect=0.2, z=0.5)
    stable = StabilityCheck(0.8, 0.9, 0.1, ())
    cheap = {"residual_share": 0.01, "corner_share": 0.01, "outside_share": 0.03}
    trust = [
        replace(kept.trust.findings[0], **cheap, causal=passed, stability=stable),
        replace(kept.trust.findings[1], **cheap, causal=failed, stability=stable),
        replace(kept.trust.findings[2], **{**cheap, "outside_share": 0.41}),
    ]
    with station.home.database.read() as session:
        done = {row.id: explanations.load(station.home, row.digest) for row in session.query(ExplanationRow)}
    film = kept.provenance.pixel_digest
    identifier = next(number for number, one in done.items() if one.provenance.pixel_digest == film)
    explanations.keep(
        station.home, identifier, replace(kept, trust=replace(kept.trust, findings=tuple(trust)))
    )


def rows(station, table):
    with station.home.database.read() as session:
        return session.query(table).order_by(table.id).all()


def test_a_map_has_a_badge_with_plain_words(page, station, tmp_path):
    open_study(page, station, "film")
    names = [finding.name for finding in explanation(station, "film").prediction.findings]
    badges = {
        name: page.locator("cl-findings li").filter(has_text=name).locator(".trust-badge") for name in names
    }
    for name, weight, words in zip(
        names,
        ["holds", "caution", "caution"],
        ["all checks hold", "Do not rely on the place", "41 % of the evidence lies outside the body"],
        strict=True,
    ):
        if badges[name].count() == 0:  # next to no evidence: nothing whose place could be trusted
            continue
        assert weight in badges[name].get_attribute("class")
        assert words in badges[name].get_attribute("aria-label").replace("\u2009", " ")
        assert "Stab" in badges[name].get_attribute("title")
    page.keyboard.press("d")
    choose(page, names[1])
    expect(page.locator(".trust-list")).to_contain_text("Causal check failed")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.keyboard.press("f")
    settle(page)
    page.screenshot(path=tmp_path / "trust-1440.png")


def let_messages_stay(page):
    """That a flag is kept is said for 4 s: whoever looks late would find nothing."""
    page.evaluate(
        """() => {
            const real = window.setTimeout;
            window.setTimeout = (run, ms, ...rest) => ms === 4000 ? 0 : real(run, ms, ...rest);
        }"""
    )


def test_a_flag_takes_one_click_and_everybody_sees_it(page, station, tmp_path):
    before = len(rows(station, FlagRow))
    let_messages_stay(page)
    open_study(page, station, "film")
    choose(page, "Nodule")
    page.keyboard.press("y")
    expect(page.get_by_role("group", name="What is wrong with the map of Nodule?")).to_be_visible()
    page.set_viewport_size({"width": 1024, "height": 768})
    page.screenshot(path=tmp_path / "form-1024.png")
    page.get_by_role("button", name="Shortcut or device").click()
    expect(page.get_by_text("Flag kept: shortcut or device.")).to_be_visible()
    row = page.locator("cl-findings li").filter(has_text="Nodule")
    expect(row.locator(".flag-mark")).to_have_attribute("aria-label", "1 flag")
    page.keyboard.press("d")
    expect(page.locator("cl-flags li")).to_contain_text("Shortcut or device")
    (flag,) = rows(station, FlagRow)[before:]
    assert (flag.finding, flag.reason, flag.region) == ("Nodule", "shortcut or device", None)
    assert flag.view["viewer"] == "camlucida"
    assert flag.view["map"] == "1"


def test_a_flag_holds_a_region_words_and_the_view_and_shows_them_again(page, station, tmp_path):
    let_messages_stay(page)
    open_study(page, station, "film")
    choose(page, "Pneumothorax")
    corners = [[100, 100], [100, 180], [160, 180], [160.5, 100]]
    mark = {"kind": "region", "axis": 0, "at": 0, "places": corners}
    page.evaluate(f"mark => {READING}.change({{marks: [mark], opacity: 35}})", mark)
    page.keyboard.press("y")
    page.get_by_role("textbox").fill("Beside the heart")
    page.keyboard.press("1")  # in the text it is a letter
    page.locator(".flag-form").focus()
    page.keyboard.press("1")
    expect(page.get_by_text("Flag kept: wrong place.")).to_be_visible()
    flag = rows(station, FlagRow)[-1]
    assert (flag.reason, flag.text) == ("wrong place", "Beside the heart1")
    assert flag.region == {"axis": 0, "at": 0, "places": corners}
    assert flag.view["marks"] == "1"
    page.evaluate(f"() => {READING}.change({{opacity: 90, marks: []}})")
    expect(page.locator(".flag-outline")).to_have_count(1)
    page.keyboard.press("d")
    page.get_by_role("button", name="As it was seen").last.click()
    page.wait_for_function(f"() => {READING}.view.opacity === 35")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.keyboard.press("f")
    settle(page)
    page.screenshot(path=tmp_path / "flag-1440.png")


def test_a_region_is_drawn_from_the_form_and_numbers_stay_reasons(page, station, tmp_path):
    let_messages_stay(page)
    open_study(page, station, "film")
    choose(page, "Pleural effusion")
    page.keyboard.press("y")
    page.get_by_role("button", name="Draw a region").click()
    box = page.locator("cl-viewport").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for dx, dy in ((60, 0), (60, 50), (0, 50), (0, 5)):
        page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()
    expect(page.get_by_label("With the region drawn last")).to_be_checked()
    page.set_viewport_size({"width": 1024, "height": 768})
    page.screenshot(path=tmp_path / "region-1024.png")
    page.keyboard.press("2")
    expect(page.get_by_text("Flag kept: incoherent.")).to_be_visible()
    flag = rows(station, FlagRow)[-1]
    assert (flag.finding, flag.reason) == ("Pleural effusion", "incoherent")
    extent = [max(place[axis] for place in flag.region["places"]) for axis in (0, 1)]
    least = [min(place[axis] for place in flag.region["places"]) for axis in (0, 1)]
    assert [round(most - less) for most, less in zip(extent, least, strict=True)] == pytest.approx(
        [50, 60], abs=3
    )


def test_other_needs_words_and_escape_closes_the_form_only(page, station):
    open_study(page, station, "ct")
    choose(page, "Pneumothorax")
    page.keyboard.press("y")
    page.get_by_role("button", name="Other", exact=True).click()
    expect(page.get_by_text("Say in a few words what is wrong.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".flag-form")).to_be_hidden()
    expect(page.locator("cl-study")).to_be_visible()


def test_space_hides_the_map_while_the_form_is_open(page, station):
    open_study(page, station, "ct")
    choose(page, "Pneumothorax")
    before = len(rows(station, FlagRow))
    page.keyboard.press("y")
    page.keyboard.down("Space")
    expect(page.locator("canvas.heat")).to_be_hidden()
    page.keyboard.up("Space")
    assert len(rows(station, FlagRow)) == before


def test_a_reader_agrees_changes_his_mind_and_withdraws(page, station):
    open_study(page, station, "film")
    choose(page, "Nodule")
    agree, disagree = (page.get_by_role("button", name=name, exact=True) for name in ("Agree", "Disagree"))
    agree.click()
    expect(agree).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("1 reader agrees")).to_be_visible()
    disagree.click()
    expect(agree).to_have_attribute("aria-pressed", "false")
    mark = page.locator("cl-findings li").filter(has_text="Nodule").locator(".stance-mark")
    expect(mark).to_have_attribute("aria-label", "You disagree")
    disagree.click()
    expect(disagree).to_have_attribute("aria-pressed", "false")
    assert [row.stance for row in rows(station, OpinionRow)] == ["agree", "disagree", "withdrawn"]


def told(station, tab=None):
    """What the trail holds of the page that was opened last."""
    events = rows(station, EventRow)
    tab = tab or [one.tab for one in events if one.kind == "opened"][-1]
    return [(one.kind, one.view) for one in events if one.tab == tab]


def wait_for_events(page):
    """Wait until all that was done is told, and kept by the station."""
    # What is dragged is drawn with the next frame, and told 250 ms later, by the page's own clock.
    page.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => "
        "setTimeout(done, 300))))"
    )
    page.wait_for_function(
        "() => !Object.keys(localStorage).some(name => name.startsWith('camlucida.event.'))"
    )


def test_every_view_and_toggle_is_in_the_trail(page, station):
    open_study(page, station, "ct")
    choose(page, "Pneumothorax")
    page.keyboard.press("s")
    page.keyboard.press("ArrowDown")
    with page.expect_request(lambda sent: "/api/events" in sent.url and "opacity" in (sent.post_data or "")):
        page.keyboard.press("]")
    page.keyboard.press("h")
    page.keyboard.press("Escape")
    expect(page.locator("cl-worklist")).to_be_visible()
    wait_for_events(page)
    trail = told(station)
    assert trail[0] == ("opened", {"digest": ""})  # its map comes later
    assert trail[-1] == ("left", {})
    changes = [view for kind, view in trail if kind == "changed"]
    names = [name for view in changes for name in view]
    for name in ("finding", "map", "layout", "slice", "opacity"):
        assert name in names, name
    assert changes[-1]["map"] is None
    events = rows(station, EventRow)
    assert {one.study_key for one in events if one.kind == "left"} <= {one.study_key for one in events}
    text = str([(one.view, one.study_key, one.who) for one in events])
    assert "Phantom" not in text
    assert "1.2." not in text


def seen_last(page, station):
    """The picture of the last event, drawn again from what is kept."""
    wait_for_events(page)
    last = [one for one in rows(station, EventRow) if one.kind in {"opened", "changed"}][-1]
    return replay(station.home, seen_at(station.home, str(last.id)))


def test_what_was_seen_is_drawn_again_from_the_trail(page, station):
    open_study(page, station, "film")
    plain = seen_last(page, station)
    assert plain.origin.get("Explanation SHA-256") is None
    compare_with_screen(page, plain.rgb)
    choose(page, "Pneumothorax")
    drag(page, 90.5, 41.25)
    page.locator("#opacity").fill("45")
    page.keyboard.press("i")
    settle(page)
    seen = seen_last(page, station)
    assert seen.origin["Explanation SHA-256"]
    assert (plain.rgb != seen.rgb).mean() > 0.5
    compare_with_screen(page, seen.rgb)


def test_a_slice_is_drawn_again_too(page, station):
    open_study(page, station, "ct")
    choose(page, "Pneumothorax")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("w")
    settle(page)
    seen = seen_last(page, station)
    assert seen.rgb.std() > 1
    compare_with_screen(page, seen.rgb)


def test_events_outlast_a_lost_connection_and_a_reload(context, station):
    page = context.new_page()
    page.goto(station.origin)
    open_study(page, station, "film")
    wait_for_events(page)
    tab = rows(station, EventRow)[-1].tab
    before = told(station, tab)
    page.route("**/api/events", lambda route: route.abort())
    page.keyboard.press("s")
    page.keyboard.press("h")
    page.reload()
    kept = page.evaluate(
        "() => Object.keys(localStorage).filter(name => name.startsWith('camlucida.event.')).length"
    )
    assert kept >= 3  # side by side, the map, left
    page.unroute("**/api/events")
    page.reload()
    expect(page.locator("cl-findings button").first).to_be_visible()
    wait_for_events(page)
    after = told(station, tab)
    assert after[: len(before)] == before
    rest = [view for _, view in after[len(before) :]]
    assert {"layout": "side"} in rest
    keys = [one.key for one in rows(station, EventRow)]
    assert len(keys) == len(set(keys))
    page.close()


def test_flags_are_walked_opened_as_seen_and_resolved_by_keys(page, station):
    with station.home.database.read() as session:
        film = next(row.id for row in session.query(ExplanationRow) if row.image.modality != "CT")
        before = session.query(FlagRow).count()
        told = session.query(EventRow).count()
    view = {"viewer": "camlucida", "map": "1", "finding": "1", "opacity": "35", "colours": "viridis"}
    for text in ("first", "second"):
        kept = Flag("Pleural effusion", FlagReason.SHORTCUT, f"The {text} tube.", view, "ada")
        flags.keep(station.home, film, kept)
    page.get_by_role("navigation").get_by_role("link", name="Flags").click()
    items = page.locator("cl-flag-queue li")
    expect(items).to_have_count(before + 2)
    expect(items.nth(0)).to_contain_text("The second tube.")
    page.wait_for_function("() => document.querySelector('cl-flag-queue li img').naturalWidth > 100")
    items.nth(0).locator("a").focus()
    page.keyboard.press("ArrowDown")
    expect(items.nth(1).locator("a")).to_be_focused()
    page.keyboard.press("r")
    form = items.nth(1).locator("form")
    form.get_by_label("Outcome").select_option("not a fault")
    form.get_by_label("Why").fill("A skin fold.")
    form.get_by_label("Why").press("Tab")
    page.keyboard.press("Enter")
    expect(items).to_have_count(before + 1)
    expect(page.get_by_label("State")).to_have_value("open")
    page.get_by_label("State").select_option("not a fault")
    expect(items).to_have_count(1)
    expect(items.nth(0)).to_contain_text("The first tube.")
    expect(items.nth(0)).to_contain_text("A skin fold.")
    items.nth(0).locator("a").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('cl-study')?.reading?.explanation")
    seen = page.evaluate(f"() => {READING}.view")
    assert (seen["map"], seen["finding"], seen["opacity"], seen["colourMap"]) == (True, 1, 35, "viridis")
    assert [one.kind for one in rows(station, EventRow)[told:]].count("resolved") == 1


def test_what_the_station_refuses_of_a_resolution_is_said_in_the_form(context, station):
    with station.home.database.read() as session:
        film = next(row.id for row in session.query(ExplanationRow) if row.image.modality != "CT")
    number = flags.keep(station.home, film, Flag("Pleural effusion", FlagReason.SHORTCUT, "", {}, "ada"))
    page = context.new_page()  # whose console may tell of what was refused
    page.goto(f"{station.origin}/#/flags")
    item = page.locator(f"cl-flag-queue li[data-flag='{number}']")
    item.get_by_role("button", name="Resolve").click()
    item.get_by_label("Outcome").select_option("duplicate")
    item.get_by_label("Duplicate of").fill(str(number))
    item.get_by_label("Why").fill("The same.")
    with page.expect_response("**/resolutions") as answer:
        item.get_by_role("button", name="Keep").click()
    assert answer.value.status == 422
    expect(item).to_contain_text("cannot be a duplicate of itself")
    page.keyboard.press("Escape")
    expect(item.locator("form")).to_have_count(0)
    page.close()
