"""A page of the station in Chromium: what tests of the viewer drive and read, and a small station for it."""

import base64
import io
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pydicom
import torch
from PIL import Image as Picture
from playwright.sync_api import BrowserContext, Page, expect

from camlucida import pipeline
from camlucida.images.read import read_image
from camlucida.models.architectures import SmallResNet
from camlucida.models.registry import Registry
from camlucida.store.explanations import load
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, State
from chromium import chromium, served
from example_models import CARD, write_model
from waiting import until

# ---- a station ----


class Shown(NamedTuple):
    """A running station and the files that are in it."""

    link: str
    files: dict
    home: Home

    @property
    def origin(self):
        return self.link.partition("/sign-in")[0]


def network(space, findings):
    """A network with random weights whose evidence is strong enough to be seen."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(space)
        made = SmallResNet(space=space, channels=1, findings=findings, width=4, stages=2, blocks=1).eval()
    with torch.no_grad():
        made.head.weight.mul_(600)
    return made


def write_models(folder):
    names = ["Pneumothorax", "Pleural effusion", "Nodule"]
    findings = [
        {"name": name, "operating_point": point} for name, point in zip(names, (0.1, 0.9, 0.5), strict=True)
    ]
    flat = {**CARD["architecture_arguments"], "findings": 3}
    yield write_model(
        folder / "films", network(2, 3), name="films", architecture_arguments=flat, findings=findings
    )
    yield write_model(
        folder / "volumes",
        network(3, 2),
        name="volumes",
        architecture_arguments={**flat, "space": 3, "findings": 2},
        input={"modality": ["CT"], "size": [16, 24, 24], "mean": [0.5], "std": [0.25]},
        findings=findings[:2],
    )


@contextmanager
def explained_station(folder: Path, files: dict[str, Path]) -> Iterator[Shown]:
    """A home made by the pipeline of these files, and the server over it in a process of its own."""
    with closing(Home.open(folder / "home")) as home:
        for model in write_models(folder / "models"):
            Registry(home.folder).add(model)
        for intake in pipeline.take_in(home, pipeline.find(list(files.values()))):
            assert not intake.error
        models = pipeline.current_models(home)
        pipeline.want(home, models)
        assert {outcome.state for outcome in pipeline.explain_wanted(home, models)} == {State.DONE}
        with served(folder / "home") as link:
            yield Shown(link, files, home)


@contextmanager
def signed_in(station: Shown) -> Iterator[BrowserContext]:
    """A signed-in browser, small: every pixel is drawn by the processor."""
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1100, "height": 720})
        first = context.new_page()
        first.goto(station.link)
        first.close()
        yield context


@contextmanager
def watched_page(context: BrowserContext, station: Shown) -> Iterator[Page]:
    """A page that must write no error and ask nobody but the station."""
    opened = context.new_page()
    errors, foreign = [], []
    opened.on("console", lambda message: message.type == "error" and errors.append(message.text))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            request.url.startswith((station.origin, "data:", "blob:")) or foreign.append(request.url)
        ),
    )
    opened.goto(station.origin)
    yield opened
    opened.unroute_all(behavior="ignoreErrors")  # one may still be answering
    opened.close()
    assert errors == []
    assert foreign == []


def rewrite(path, **changes):
    data = pydicom.dcmread(path)
    for keyword, value in changes.items():
        if value is None:
            del data[keyword]
        else:
            setattr(data, keyword, value)
    data.save_as(path)


# ---- what is on the screen ----

DRAWN = "() => (document.querySelectorAll('cl-viewport')[%d]?.readPixels() ?? null) !== null"
READ = """index => {
  const read = document.querySelectorAll('cl-viewport')[index].readPixels();
  const text = bytes => { let all = ''; for (let i = 0; i < bytes.length; i += 32768)
    all += String.fromCharCode(...bytes.subarray(i, i + 32768)); return btoa(all); };
  return {...read, image: text(read.image), heat: text(read.heat)};
}"""


class Canvas(NamedTuple):
    """What a viewport's image canvas holds at 1:1, and where the image lies on it (row, column)."""

    image: np.ndarray
    corner: tuple

    def shows(self, expected):
        """The largest difference from an image, in grey levels, and the brightest pixel beside it."""
        rows, columns = (
            slice(start, start + size) for start, size in zip(self.corner, expected.shape[:2], strict=True)
        )
        inside = self.image[rows, columns, :3].astype(int)
        beside = self.image[..., :3].astype(int)
        beside[rows, columns] = 0
        return np.abs(inside - np.atleast_3d(expected)).max(), beside.max()


def canvas(page, index=0):
    page.wait_for_function(DRAWN % index)
    settle(page)
    read = page.evaluate(READ, index)
    image = np.frombuffer(base64.b64decode(read["image"]), np.uint8).reshape(read["height"], read["width"], 4)
    return Canvas(image, (read["placement"]["originY"], read["placement"]["originX"]))


HERE = """() => {
  const { image, imageRow, slice } = document.querySelector('cl-desk')?.reading ?? {};
  return image && image.row.key === imageRow.key && image.pixels.ready(slice) !== undefined;
}"""


def settle(page):
    """Wait until what was asked for is drawn: of frames, the last one stays until the next is here."""
    page.wait_for_function(HERE)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def open_study(page, station, name):
    """Open the study that a file belongs to, from the worklist, at 1:1."""
    image = read_image(station.files[name])
    row = page.locator("tbody tr").filter(has_text=image.source.patient.patient_id)
    row.locator("a").click()
    expect(page.locator("cl-findings button").first).to_be_visible()
    settle(page)
    page.keyboard.press("o")
    settle(page)
    return image


def explanation(station, name):
    """What is kept of a file's image."""
    digest = read_image(station.files[name]).digest
    with station.home.database.read() as session:
        kept = [load(station.home, row.digest) for row in session.query(ExplanationRow)]
    return next(one for one in kept if one.provenance.pixel_digest == digest)


def choose(page, finding):
    page.locator("cl-findings button").filter(has_text=finding).click()
    settle(page)


def screenshot(page):
    return np.asarray(Picture.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)


def clear_of_words(page, shape):
    """Where nothing is written or drawn over the image: bool, as large as the page."""
    clear = np.ones(shape, bool)
    boxes = page.evaluate(
        """() => [...document.querySelectorAll('.corner, .words, cl-legend, .flag-outline, .flag-label')]
            .map(e => e.getBoundingClientRect()).map(b => [b.top, b.bottom, b.left, b.right])"""
    )
    for top, bottom, left, right in boxes:
        clear[max(0, int(top) - 1) : int(bottom) + 2, max(0, int(left) - 1) : int(right) + 2] = False
    return clear


def compare_with_screen(page, expected, where=True):
    """A picture at 1:1 against what the compositor shows, but for what is written over it."""
    placed = canvas(page)
    page.mouse.move(5, 450)  # no probe under the cursor
    rows, columns = expected.shape[:2]

    def off() -> int:
        """The largest difference, as long as the compositor may still show the frame before."""
        shot = screenshot(page)
        stage = page.locator("cl-viewport").bounding_box()
        top, left = int(stage["y"]) + placed.corner[0], int(stage["x"]) + placed.corner[1]
        clear = clear_of_words(page, shot.shape[:2])[top : top + rows, left : left + columns] & where
        assert clear.mean() > 0.7
        return int(np.abs(shot[top : top + rows, left : left + columns] - expected)[clear].max())

    until(lambda: off() <= 2, said=lambda: f"It is {off()} greys off in {page.url}")


def drag(page, dx, dy):
    page.mouse.move(800, 450)
    page.mouse.down()
    page.mouse.move(800 + dx, 450 + dy, steps=6)
    page.mouse.up()
    settle(page)
