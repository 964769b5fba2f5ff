"""Real images in Chromium, as the pipeline reads them: every grey is that of numpy.

A radiograph of 15 bits, one of 8, a CT series, a T1 series, an OCT picture.
"""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from camlucida import pipeline
from camlucida.images.read import read_image
from camlucida.rendering.window import display
from camlucida.store.home import Home
from camlucida.store.tables import ImageRow
from chromium import served
from viewer_page import Shown, canvas, settle, watched_page

pytestmark = pytest.mark.browser

NAMES = ("rg1", "nih", "ct", "mr", "oct")
MR_SLICES = 24


def write_files(folder, real_data):
    """Paths of what is opened, by name; parts of archives are unpacked into the folder."""
    store = pytest.importorskip("data_store")
    rg1 = Path(next(iter(store.__path__))) / "data" / "RG1_UNCR.dcm"
    return {
        "rg1": rg1,
        "nih": next(iter(sorted((real_data / "nih" / "full_1024").glob("*.png")))),
        "ct": real_data / "dicom" / "ct_lung_dx_a0002",
        "mr": unpacked(real_data / "dicom" / "studyforrest_t1_96slices.zip", folder / "mr", MR_SLICES),
        "oct": unpacked(real_data / "kermany224" / "test.zip", folder / "oct", 1),
    }


def unpacked(archive, folder, files):
    """The folder with the first pictures of an archive, by name; of one, the picture."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(archive) as opened:
        names = sorted(name for name in opened.namelist() if name.endswith((".dcm", ".jpeg")))[:files]
        paths = [Path(opened.extract(name, folder)) for name in names]
    return folder if files > 1 else paths[0]


@pytest.fixture(scope="module")
def station(tmp_path_factory, real_data):
    """A station that has no model: what is shown does not need one."""
    folder = tmp_path_factory.mktemp("real")
    files = write_files(folder / "files", real_data)
    home = Home.open(folder / "home")
    for intake in pipeline.take_in(home, pipeline.find(list(files.values()))):
        assert not intake.error
    with served(folder / "home") as link:
        yield Shown(link, files, home)
    home.close()


@pytest.mark.parametrize("name", NAMES)
def test_every_grey_is_that_of_numpy(context, station, name, tmp_path):
    image = read_image(station.files[name])
    with watched_page(context, station) as page:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.evaluate("address => { location.hash = address; }", f"#/study/{study_key(station, image)}")
        expect(page.locator("cl-viewport")).to_be_visible()
        settle(page)
        page.screenshot(path=tmp_path / f"{name}.png")
        # As if its pixels were square: those of the T1 series are not, and are interpolated at every zoom.
        page.evaluate("() => { document.querySelector('cl-study').reading.image.header.spacing = null; }")
        page.keyboard.press("o")
        for index in {0, slices(image) // 2, slices(image) - 1}:
            page.evaluate("slice => document.querySelector('cl-study').reading.toSlice(slice)", index)
            shown = display(image.values[index] if len(image.space) == 3 else image.values, image)
            assert seen_off(canvas(page), shown) <= 1


def slices(image):
    return image.space[0] if len(image.space) == 3 else 1


def study_key(station, image):
    with station.home.database.read() as session:
        found = next(row for row in session.query(ImageRow) if row.pixel_digest == image.digest)
        return found.study.key


def seen_off(placed, expected):
    """The largest difference in grey levels over the part of the image that the canvas has room for."""
    rows, columns = expected.shape[:2]
    top, left = placed.corner
    high, wide = placed.image.shape[:2]
    first, start = max(0, -top), max(0, -left)
    last, end = min(rows, high - top), min(columns, wide - left)
    seen = placed.image[top + first : top + last, left + start : left + end, :3].astype(int)
    assert seen.size > 0
    return np.abs(seen - np.atleast_3d(expected[first:last, start:end].astype(int))).max()
