"""An explanation as one file, opened from the disk by a browser that is cut off from every network."""

import re

import pytest
import torch
from playwright.sync_api import expect

import camlucida
from camlucida.errors import InputError
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.images.read import read_image
from camlucida.models.architectures import SmallResNet
from camlucida.models.load import load_model
from camlucida.rendering.window import display
from chromium import chromium
from viewer_page import canvas, write_models

pytestmark = pytest.mark.browser

ROWS = 420


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """A film by two methods, and a volume, by networks with random weights."""
    folder = tmp_path_factory.mktemp("explained")
    write_radiograph(radiograph(7901, ("Effusion",), rows=ROWS), folder / "Doe^Jane.dcm")
    write_ct(ct_volume(7905, ("Nodule",), slices=6, rows=64), folder / "ct")
    films, volumes = (load_model(model) for model in write_models(folder / "models"))
    film = read_image(folder / "Doe^Jane.dcm")
    return {
        "film": camlucida.explain(films, film),
        "hirescam": camlucida.explain(films, film, method="hirescam"),
        "ct": camlucida.explain(volumes, read_image(folder / "ct")),
    }


@pytest.fixture(scope="module")
def browser():
    with chromium() as running:
        yield running


@pytest.fixture
def page(browser):
    """A page that must write no error and ask for nothing but itself."""
    context = browser.new_context(viewport={"width": 1100, "height": 720}, offline=True)
    opened = context.new_page()
    errors, asked = [], []
    opened.on("console", lambda message: message.type == "error" and errors.append(message.text))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))
    yield opened
    context.close()
    assert errors == []
    assert all(url.startswith("file:") for url in asked)
    assert len(asked) == 1


def opened(page, path):
    page.goto(path.as_uri())
    canvas(page)


def test_the_film_is_shown_to_the_last_grey_level(explained, page, tmp_path):
    opened(page, explained["film"].to_html(tmp_path / "film.html"))
    page.keyboard.press("o")
    image = explained["film"].image
    difference, _ = canvas(page).shows(display(image.values, image))
    assert difference <= 1


def test_findings_methods_and_keys_are_those_of_the_station(explained, page, tmp_path):
    film = explained["film"]
    opened(page, film.to_html(tmp_path / "film.html", explained["hirescam"], finding=1, title="Case <12>"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Case <12>")
    expect(page.locator("cl-viewport .top-left")).to_contain_text(film.findings[1])
    expect(page.locator(".finding")).to_have_count(3)
    page.keyboard.press("h")
    expect(page.locator("cl-viewport .top-left")).to_contain_text("map off")
    page.get_by_label("Method").select_option(label="HiResCAM")
    page.locator(".finding").first.click()
    expect(page.locator("cl-legend")).to_contain_text("logits per cell")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Hide the map while held")


def test_a_volume_is_paged_through(explained, page, tmp_path):
    opened(page, explained["ct"].to_html(tmp_path / "ct.html"))
    page.keyboard.press("End")
    expect(page.locator("cl-viewport .bottom-left")).to_contain_text("slice 6 / 6")
    expect(page.locator("cl-viewport .bottom-left")).not_to_contain_text("Loading")


def test_a_file_that_was_cut_short_says_so(explained, page, tmp_path):
    path = explained["film"].to_html(tmp_path / "film.html")
    pixels = re.compile(r'<script type="application/gzip" id="pixels/0">.*?</script>')
    path.write_text(pixels.sub("", path.read_text("utf-8")), "utf-8")
    page.goto(path.as_uri())
    expect(page.locator(".message")).to_contain_text("it lacks “pixels/0”")


def test_without_javascript_there_is_a_picture(explained, browser, tmp_path):
    with browser.new_context(java_script_enabled=False) as context:
        still = context.new_page()
        still.goto(explained["film"].to_html(tmp_path / "film.html", title="A film").as_uri())
        assert still.get_by_alt_text("A film").evaluate("image => image.naturalWidth") > 500
        expect(still.locator("noscript p")).to_contain_text("not a medical device")


def test_the_file_names_nobody_and_is_the_same_each_time(explained, tmp_path):
    first, again = (explained["film"].to_html(tmp_path / name).read_bytes() for name in ("one", "two"))
    assert first == again
    patient = explained["film"].image.source.patient
    for secret in ("Doe^Jane", patient.name, patient.patient_id):
        assert secret.encode() not in first


def test_a_file_is_whole_or_not_there(explained, tmp_path):
    network = SmallResNet(space=2, channels=1, findings=3)
    other = camlucida.explain(network, torch.rand(1, 64, 64))
    with pytest.raises(InputError, match="of several"):
        explained["film"].to_html(tmp_path / "film.html", other)
    assert [*tmp_path.iterdir()] == []
