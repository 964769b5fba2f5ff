"""A station whose phantoms are explained and whose results are written, with the real OHIF beside it.

Making it takes most of the time of OHIF's tests, so it is made once, whoever of the test workers comes first.
"""

import fcntl
import io
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture
from playwright.sync_api import Browser, BrowserContext, Page

from camlucida import pipeline
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.pacs.results import write_results
from camlucida.store.home import Home
from camlucida.store.people.visits import new_token
from camlucida.store.tables import ExplanationRow, State
from chromium import served

REAL = Path(__file__).resolve().parent.parent / ".ohif" / "3.13.2" / "package" / "dist"
SQUARES = {
    10: (0.36, 0.42),
    16: (0.62, 0.40),
    24: (0.50, 0.58),
}  # side in pixels: centre (row, column), shares
SLICES = 12

Found = TypeVar("Found")


class Shown(NamedTuple):
    """A running station with OHIF, and what is in it."""

    origin: str
    home: Home
    film: Path
    ct: Path
    plain_ct: Path  # without squares, which the model takes for nodules
    healthy: Path  # a film on which nothing reaches its operating point
    masks: dict[str, NDArray[np.bool_]]


def planted(values: NDArray[Any], white: int) -> NDArray[Any]:
    """The image with everything darker than white, and three white squares of different size."""
    values = np.minimum(values, int(0.85 * white))
    for side, share in SQUARES.items():
        corner = [round(at * size - side / 2) for at, size in zip(share, values.shape[-2:], strict=True)]
        values[..., corner[0] : corner[0] + side, corner[1] : corner[1] + side] = white
    return values


def centres(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Where the squares' centres lie, in order of size: (3, 2), pixel centres at integers."""
    return np.array(
        [
            [round(at * size - side / 2) + (side - 1) / 2 for at, size in zip(share, shape, strict=True)]
            for side, share in sorted(SQUARES.items())
        ]
    )


@contextmanager
def ohif_station(own: Path, shared: Path) -> Iterator[Shown]:
    """The station on a copy in the folder `own` of what is made once in the folder `shared`."""
    if not (REAL / "index.html").is_file():
        pytest.fail(f"The real OHIF is not in {REAL}: `./run test tests/web` fetches it from npm.")
    with (shared / "ohif.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "ohif").exists():
            shutil.rmtree(shared / "ohif-part", ignore_errors=True)
            _make(shared / "ohif-part")
            (shared / "ohif-part").rename(shared / "ohif")
    shutil.copytree(shared / "ohif", own, dirs_exist_ok=True)
    masks = dict(np.load(own / "masks.npz"))
    with (
        closing(Home.open(own / "home")) as home,
        served(own / "home", "--ohif", str(REAL), "--no-dicom", "--no-work") as link,
    ):
        yield Shown(
            link.partition("/sign-in")[0],
            home,
            own / "film.dcm",
            own / "ct",
            own / "plain-ct",
            own / "healthy.dcm",
            masks,
        )


def _make(folder: Path) -> None:
    """Films with a pneumothorax and with nothing, and a CT with a nodule, explained by the shipped models."""
    folder.mkdir()
    film = radiograph(7102, ("Pneumothorax",), rows=480)
    plain = ct_volume(7201, ("Nodule",), slices=SLICES, rows=128)
    volume = ct_volume(7202, ("Nodule",), slices=SLICES, rows=128)
    write_radiograph(replace(film, values=planted(film.values, 4095)), folder / "film.dcm")
    write_radiograph(radiograph(7110, (), rows=256), folder / "healthy.dcm")
    write_ct(plain, folder / "plain-ct")
    write_ct(replace(volume, values=planted(volume.values, 3000)), folder / "ct")
    np.savez(folder / "masks.npz", Pneumothorax=film.masks["Pneumothorax"], Nodule=plain.masks["Nodule"])
    with closing(Home.open(folder / "home")) as home:
        list(pipeline.register_shipped(home))
        for intake in pipeline.take_in(home, pipeline.find([folder])):
            assert not intake.error
        models = pipeline.current_models(home)
        pipeline.want(home, models)
        assert {outcome.state for outcome in pipeline.explain_wanted(home, models)} == {State.DONE}
        with home.database.read() as session:
            explained = [row.id for row in session.query(ExplanationRow)]
        for explanation in explained:
            for profile in ("clinical", "ohif"):
                assert write_results(home, explanation, profile).left_out == ()


def shared_folder(base: Path) -> Path:
    """Where all workers of a test run find the same things; `base` is pytest's base folder of this worker."""
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def signed_in_context(browser: Browser, shown: Shown) -> BrowserContext:
    """A browser window, signed in, without OHIF's tour for newcomers, which lies over the image."""
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(60_000)  # OHIF loads megabytes of scripts before it does anything
    first = made.new_page()
    first.goto(f"{shown.origin}/sign-in?token={new_token(shown.home)}")
    first.evaluate("() => localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))")
    first.close()
    return made


@contextmanager
def watched(context: BrowserContext, shown: Shown) -> Iterator[Page]:
    """A page that must write no error and ask nobody but the station."""
    opened = context.new_page()
    errors: list[str] = []
    foreign: list[str] = []
    opened.on("console", lambda message: message.type == "error" and errors.append(message.text))
    opened.on("pageerror", lambda error: errors.append(str(error)))
    ours = (shown.origin, "data:", "blob:")
    opened.on("request", lambda request: request.url.startswith(ours) or foreign.append(request.url))
    yield opened
    opened.close()
    assert errors == []
    assert foreign == []


def once_drawn(page: Page, look: Callable[[], Found], seconds: float = 60) -> Found:
    """What `look` finds, once nothing in it fails: OHIF draws when it comes to it, and does not say so."""
    end = time.monotonic() + seconds
    while True:
        settle(page)
        try:
            return look()
        except AssertionError:
            if time.monotonic() > end:
                raise


def settle(page: Page) -> None:
    """Long enough for OHIF to draw, and our canvas with it, where the machine is not busy."""
    page.evaluate("() => new Promise(done => setTimeout(() => requestAnimationFrame(() => done()), 350))")


def screenshot(page: Page) -> NDArray[np.int64]:
    """What is seen, (row, column, 3), 0 to 255."""
    return np.asarray(Picture.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
