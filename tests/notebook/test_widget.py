"""The viewer in a cell of a real JupyterLab, with a real kernel."""

import json
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.notebook.contents import Contents
from camlucida.notebook.files import VIEWER
from camlucida.notebook.widget import Widget
from chromium import chromium
from jupyterlab_page import TOKEN, jupyterlab, write_notebook
from viewer_page import write_models

WAIT = 300_000  # ms: a kernel loads torch


def test_a_cell_gets_the_parts_that_it_asks_for_and_words_where_there_is_none(
    make_image, make_explanation, monkeypatch
):
    contents = Contents(make_image(), [make_explanation()])
    widget = Widget(contents, height=400, finding=None)
    sent = []
    monkeypatch.setattr(Widget, "send", lambda _self, content, buffers=None: sent.append((content, buffers)))
    for name in ("values/0", "viewer", "pixels/9"):
        widget._answer(widget, {"id": name, "name": name}, [])
    assert sent == [
        ({"to": "values/0"}, [contents.part("values/0")]),
        ({"to": "viewer"}, [VIEWER.read_bytes()]),
        ({"to": "pixels/9", "error": "There is no part “pixels/9” of an explanation."}, None),
    ]


def test_what_a_notebook_may_keep_of_a_widget_holds_nothing_of_the_image(make_image, make_explanation):
    widget = Widget(Contents(make_image(), [make_explanation()], "a title"), height=400, finding=1)
    kept = json.dumps(widget.get_state(), default=str)
    assert len(kept) < 5000
    for secret in ("Doe", "ID-4711", "a title", "Finding 1"):
        assert secret not in kept


def test_without_the_extra_a_sentence_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['anywidget'] = None; import torch, camlucida\n"
        "from camlucida.models.architectures import SmallResNet\n"
        "result = camlucida.explain(SmallResNet(space=2, channels=1, findings=1), torch.rand(1, 64, 64))\n"
        "try: result.view()\n"
        "except camlucida.errors.MissingExtra as error: print(error)\n"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "pip install 'camlucida[notebook]'" in done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Films, a volume, models for them, and a notebook that explains and shows them."""
    made = tmp_path_factory.mktemp("notebooks")
    write_radiograph(radiograph(7901, ("Effusion",), rows=420), made / "film.dcm")
    write_ct(ct_volume(7905, ("Nodule",), slices=6, rows=64), made / "ct")
    assert len([*write_models(made / "models")]) == 2
    write_notebook(
        made / "maps.ipynb",
        "import camlucida\n"
        "films, volumes = (camlucida.load_model(f'models/{name}') for name in ('films', 'volumes'))\n"
        "film = camlucida.explain(films, camlucida.read_image('film.dcm'))\n"
        "ct = camlucida.explain(volumes, camlucida.read_image('ct'))",
        "film.view(camlucida.explain(films, film.image, method='hirescam'), finding=0, title='A film')",
        "ct.view(title='A volume', height=500)",
    )
    return made


@pytest.fixture(scope="module")
def lab(folder):
    """The notebook, run: a page that asks nobody but the lab."""
    with jupyterlab(folder) as address, chromium() as browser:
        page = browser.new_context(viewport={"width": 1200, "height": 1400}).new_page()
        page.set_default_timeout(60_000)  # JupyterLab loads megabytes of scripts before it does anything
        errors, foreign = [], []
        page.on("pageerror", lambda error: errors.append(str(error)))
        known = (address, address.replace("http", "ws"), "data:", "blob:")
        page.on("request", lambda request: request.url.startswith(known) or foreign.append(request.url))
        page.goto(f"{address}/lab/tree/maps.ipynb?token={TOKEN}")
        expect(page.get_by_text("| Idle")).to_be_visible(timeout=WAIT)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        expect(page.locator("cl-viewport .bottom-left")).to_contain_text(["zoom", "slice"], timeout=WAIT)
        yield page
        assert errors == []
        assert foreign == []


@pytest.mark.browser
def test_two_cells_share_one_viewer_and_show_their_own(lab):
    film, ct = lab.locator("cl-desk").all()
    expect(film.get_by_role("heading", level=1)).to_have_text("A film")
    expect(film.locator("cl-viewport .top-left")).to_contain_text("Image with map")
    expect(ct.get_by_role("heading", level=1)).to_have_text("A volume")
    expect(ct.locator("cl-viewport .top-left")).to_contain_text("map off")
    assert ct.locator("xpath=..").evaluate("desk => desk.parentNode.getBoundingClientRect().height") == 500


@pytest.mark.browser
def test_keys_act_on_the_viewer_that_was_clicked_into_and_on_no_cell(lab):
    film, ct = lab.locator("cl-desk").all()
    cells = lab.locator(".jp-CodeCell").count()
    ct.locator("cl-viewport").click()
    for key in ("End", "d", "d", "a", "b", "x"):  # JupyterLab's own would delete, add and cut cells
        lab.keyboard.press(key)
    expect(ct.locator("cl-viewport .bottom-left")).to_contain_text("slice 6 / 6")
    assert lab.locator(".jp-CodeCell").count() == cells
    expect(film.locator("cl-viewport .bottom-left")).not_to_contain_text("slice")
    lab.keyboard.press("h")
    expect(ct.locator("cl-viewport .top-left")).to_contain_text("Image with map")
    expect(film.locator("cl-viewport .top-left")).to_contain_text("Image with map")


@pytest.mark.browser
def test_the_other_method_is_one_choice_away(lab):
    film = lab.locator("cl-desk").first
    film.get_by_label("Method").select_option(label="HiResCAM")
    expect(film.locator(".finding")).to_have_count(3)
    film.locator(".finding").nth(1).click()
    expect(film.locator("cl-viewport .top-left")).to_contain_text("Image with map")


@pytest.mark.browser
def test_no_style_gets_out_and_none_gets_in(lab):
    body = "getComputedStyle(document.body).backgroundColor"
    assert lab.evaluate(body) != lab.locator(".frame").first.evaluate(
        "e => getComputedStyle(e).backgroundColor"
    )
    family = lab.locator("cl-desk h1").first.evaluate("e => getComputedStyle(e).fontSize")
    assert family == "15px"
    assert lab.locator("style").filter(has_text="cl-desk").count() == 0


@pytest.mark.browser
def test_a_saved_notebook_keeps_no_pixel_and_no_value(lab, folder):
    with lab.expect_response(lambda one: one.request.method == "PUT" and "/contents/maps.ipynb" in one.url):
        lab.locator("[data-jp-item-name=save]").first.click()
    saved = (folder / "maps.ipynb").read_text("utf-8")
    assert "widget-view+json" in saved
    assert len(saved) < 20_000
