"""Every page and dialog as axe judges it, in Chromium: no serious violation of WCAG 2.2 A and AA."""

import pytest
from playwright.sync_api import expect

from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.records import Flag, FlagReason
from camlucida.store.remarks import flags
from camlucida.store.tables import ExplanationRow, StudyRow
from conftest import ROOT
from viewer_page import choose, explained_station, open_study, settle

pytestmark = pytest.mark.browser

AXE = ROOT / "viewer" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}
JUDGE = """async () => {
  const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
  const { violations } = await axe.run(document, { runOnly: { type: "tag", values: tags } });
  return violations.map(({ id, impact, nodes }) =>
    ({ id, impact, where: nodes.map(node => `${node.html.slice(0, 160)} ${node.failureSummary}`) }));
}"""


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    folder = tmp_path_factory.mktemp("station")
    write_radiograph(radiograph(7901, ("Effusion",), rows=300), folder / "film.dcm")
    write_ct(ct_volume(7905, ("Nodule",), slices=8, rows=64), folder / "ct")
    files = {"film": folder / "film.dcm", "ct": folder / "ct"}
    with explained_station(folder, files) as running:
        yield running


def judge(page):
    """The serious violations on the page as it is now, in words."""
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(JUDGE)
    return [one for one in found if one["impact"] in SERIOUS]


def test_the_studies(page):
    expect(page.get_by_text("phantom").first).to_be_visible()
    assert judge(page) == []


@pytest.mark.parametrize(("address", "title"), [("models", "Models"), ("jobs", "Jobs"), ("sheet", "Maps")])
def test_the_pages_around_them(page, address, title):
    page.evaluate("address => { location.hash = `#/${address}`; }", address)
    expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    assert judge(page) == []


def test_the_flags_with_a_form_open(page, station):
    with station.home.database.read() as session:
        explanation = session.query(ExplanationRow).first().id
    flags.keep(station.home, explanation, Flag("Pneumothorax", FlagReason.SHORTCUT, "A tube.", who="ada"))
    page.evaluate("() => { location.hash = '#/flags'; }")
    page.get_by_role("button", name="Resolve").click()
    page.get_by_label("Outcome").select_option("repaired")
    expect(page.get_by_label("Repaired by")).to_be_visible()
    assert judge(page) == []


@pytest.mark.parametrize("name", ["film", "ct"])
def test_a_study_with_its_map_and_its_details(page, station, name):
    open_study(page, station, name)
    assert judge(page) == []
    choose(page, "Pneumothorax")
    page.keyboard.press("d")
    settle(page)
    assert judge(page) == []


@pytest.mark.parametrize(("name", "key"), [("film", "s"), ("film", "x"), ("ct", "p")])
def test_a_study_in_other_layouts(page, station, name, key):
    open_study(page, station, name)
    choose(page, "Pneumothorax")
    page.keyboard.press(key)
    settle(page)
    assert judge(page) == []


@pytest.mark.parametrize(("key", "role", "name"), [("?", "dialog", "Keys"), ("y", "group", "What is wrong")])
def test_the_dialogs(page, station, key, role, name):
    open_study(page, station, "film")
    choose(page, "Pneumothorax")
    page.keyboard.press(key)
    expect(page.get_by_role(role, name=name)).to_be_visible()
    assert judge(page) == []
    page.keyboard.press("Escape")


@pytest.mark.parametrize("refused", ["**/api/studies/*", "**/pixels*"])
def test_what_is_said_when_something_fails(context, station, refused):
    failing = context.new_page()
    failing.route(refused, lambda route: route.fulfill(status=500, json={"detail": "The disk is full."}))
    failing.goto(f"{station.origin}/#/study/{study_key(station)}")
    expect(failing.get_by_text("The disk is full.")).to_be_visible()
    assert judge(failing) == []
    failing.close()


def study_key(station):
    """Of any study."""
    with station.home.database.read() as session:
        return session.query(StudyRow).first().key
