"""The worklist in a real browser: a long list, searched, sorted, and found again as it was left."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import expect

from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, ImageRow, ModelRow, PredictionRow, State, StudyRow
from chromium import chromium, served

pytestmark = pytest.mark.browser

STUDIES = 1000


def write_studies(home):
    """Studies with an image, explained or waiting; the hundredth of each hundred waits."""
    with home.database.write() as session:
        session.add(ModelRow(digest="m", name="generated", version="1", current=True))
        for number in range(1, STUDIES + 1):
            session.add(study(number))
            session.flush()
            session.add_all(predictions(number))


def study(number):
    words = dict.fromkeys(("birth_date", "sex", "study_time", "accession_number"), "")
    digests = dict.fromkeys(("identity", "files_digest", "pixel_digest"), str(number))
    unsaid = dict.fromkeys(("series_instance_uid", "series_description", "view_position"), "")
    state = State.DONE if number % 100 else State.WANTED
    explanation = ExplanationRow(key=f"{number:032x}", model_digest="m", method="grad-cam", state=state)
    header = {"space": [8, 8], "notes": []}
    image = ImageRow(
        key=f"{number:032x}",
        modality="DX",
        header=header,
        source={},
        explanations=[explanation],
        **digests,
        **unsaid,
    )
    return StudyRow(
        **words,
        key=f"{number:032x}",
        study_instance_uid=f"2.25.{number}",
        patient_name=f"{'Müller' if number % 10 == 0 else 'Okafor'}^No{number}",
        patient_id=f"P{number:04}",
        study_date="20260101",
        description="Chest PA",
        phantom=True,
        images=[image],
    )


def predictions(number):
    for position, name in enumerate(("Effusion", "Nodule") if number % 100 else ()):
        probability = (number % 97) / 97 if name == "Effusion" else 0.1
        yield PredictionRow(
            image_id=number,
            model_digest="m",
            position=position,
            name=name,
            operating_point=0.5,
            logit=0.0,
            probability=probability,
        )


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """The link to a station with many studies."""
    folder = tmp_path_factory.mktemp("worklist") / "home"
    with closing(Home.open(folder)) as home:
        write_studies(home)
    with served(folder, "--no-work", "--no-dicom") as link:
        yield link


@pytest.fixture(scope="module")
def context(station):
    with chromium() as browser:
        signed_in = browser.new_context(viewport={"width": 1100, "height": 720})
        first = signed_in.new_page()
        first.goto(station)
        first.close()
        yield signed_in


@pytest.fixture
def page(context, station):
    """The worklist, which must write no error of its own; the studies' images are not there to be read."""
    opened = context.new_page()
    errors = []
    opened.on(
        "console",
        lambda message: (
            message.type == "error"
            and not message.text.startswith("Failed to load resource")
            and errors.append(message.text)
        ),
    )
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.goto(station.partition("/sign-in")[0])
    expect(opened.locator("tbody tr a").first).to_be_visible()
    yield opened
    opened.close()
    assert errors == []


def first_patient(page):
    return page.locator("tbody tr").first


def test_only_rows_in_sight_exist_and_any_place_is_reached_at_once(page):
    expect(page.get_by_text("1,000 studies")).to_be_visible()
    assert page.locator("tbody tr").count() < 40
    page.evaluate("document.querySelector('cl-study-table').scrollTop = 1e9")
    expect(page.get_by_text("P0001", exact=True)).to_be_visible()
    assert page.locator("tbody tr").count() < 40
    assert page.locator("table").get_attribute("aria-rowcount") == str(STUDIES + 1)


def test_what_is_being_typed_survives_what_happens_meanwhile(page):
    page.get_by_label("Search", exact=True).focus()
    page.evaluate(
        """() => {
          const filters = document.querySelector("cl-worklist-filters");
          const field = filters.querySelector("input[type=search]");
          field.value = "muller no5";
          field.dispatchEvent(new Event("input"));
          filters.choices = { findings: ["Effusion", "Nodule"], modalities: ["DX"] };
          const finding = filters.querySelector("select");
          finding.value = "Nodule";
          finding.dispatchEvent(new Event("change"));
        }"""
    )
    expect(page.get_by_label("Search", exact=True)).to_have_value("muller no5")
    expect(page.locator("tbody tr li").first).to_contain_text("Nodule")
    expect(page.locator("tbody tr").first).to_contain_text("Müller")
    page.get_by_role("button", name="Clear").click()


def test_a_search_by_text_stays_out_of_the_address_and_filters_are_in_it(page):
    page.get_by_label("Search", exact=True).fill("muller no5")
    expect(page.get_by_text("11 studies")).to_be_visible()
    page.get_by_label("Finding", exact=True).select_option("Effusion")
    page.get_by_label("Probability at least").fill("50")
    page.get_by_label("Probability at least").press("Enter")
    expect(page).to_have_url(re.compile(r"#/\?finding=Effusion&probability=0.5$"))
    expect(page.locator("tbody tr").first.locator("li").first).to_contain_text("Effusion")
    page.reload()
    expect(page.get_by_label("Finding", exact=True)).to_have_value("Effusion")
    expect(page.get_by_label("Search", exact=True)).to_have_value("")
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("1,000 studies")).to_be_visible()
    expect(page).to_have_url(re.compile(r"#/$"))


def test_a_column_sorts_one_way_then_the_other_then_as_they_arrived(page):
    head = page.get_by_role("columnheader", name="Patient")
    expect(first_patient(page)).to_contain_text("P1000")
    for patient, order in (("P0010", "ascending"), ("P0999", "descending"), ("P1000", "none")):
        head.get_by_role("button").click()
        expect(first_patient(page)).to_contain_text(patient)
        expect(head).to_have_attribute("aria-sort", order)


def test_the_keyboard_walks_opens_and_comes_back_to_where_it_was(page):
    page.keyboard.press("/")
    page.keyboard.insert_text("okafor")  # one search: one for "ok" finds as many, and would be left too early
    expect(page.get_by_text("900 studies")).to_be_visible()
    page.keyboard.press("Escape")
    before = 0
    for key in ("PageDown", "PageDown", "PageDown"):
        page.keyboard.press(key)
        page.wait_for_function(f"() => document.querySelector('cl-study-table').scrollTop > {before}")
        before = page.evaluate("document.querySelector('cl-study-table').scrollTop")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.activeElement.textContent.startsWith('Okafor')")
    place = page.evaluate("document.querySelector('cl-study-table').scrollTop")
    stood = page.evaluate("document.activeElement.textContent")
    assert place > 0
    assert stood.startswith("Okafor")
    page.keyboard.press("Enter")
    expect(page.get_by_role("toolbar")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_text("900 studies")).to_be_visible()
    expect(page.get_by_label("Search", exact=True)).to_have_value("okafor")
    expect(page.get_by_role("link", name=f"of {stood}")).to_be_visible()
    assert page.evaluate("document.querySelector('cl-study-table').scrollTop") == place


def test_a_state_is_looked_for_and_what_is_not_there_is_said_in_words(page):
    page.get_by_label("State", exact=True).select_option("waiting")
    expect(page.get_by_text("10 studies")).to_be_visible()
    expect(first_patient(page)).to_contain_text("not explained yet")
    page.get_by_role("button", name="Flagged").click()
    expect(page.get_by_text("No study is like that")).to_be_visible()
    page.locator(".instead").get_by_role("button", name="Clear").click()
    expect(page.get_by_text("1,000 studies")).to_be_visible()


def test_a_station_that_fails_says_so_and_recovers(page):
    page.route("**/api/studies/search", lambda route: route.fulfill(status=500, json={"detail": "No room."}))
    page.get_by_role("button", name="Flagged").click()
    expect(page.get_by_text("No room.")).to_be_visible()
    page.unroute("**/api/studies/search")
    page.get_by_role("button", name="Flagged").click()
    expect(page.get_by_text("1,000 studies")).to_be_visible()


def test_the_overlay_says_every_key_of_the_list(page):
    page.keyboard.press("?")
    overlay = page.get_by_role("dialog", name="Keys and mouse")
    expect(overlay).to_contain_text("To the search")
    shown = set(overlay.locator("kbd").all_inner_texts())
    assert shown == {"/", "Esc", "↑", "↓", "Page ↑", "Page ↓", "Home", "End", "Enter", "?"}
    page.keyboard.press("/")  # nothing behind the overlay hears it
    page.keyboard.press("Escape")
    expect(overlay).to_have_count(0)
    assert page.evaluate("() => document.activeElement.matches('input')") is False
    page.get_by_role("button", name="Keys").click()
    expect(overlay).to_be_visible()
