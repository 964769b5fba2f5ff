import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Picture
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from camlucida.records import Photometric, Window
from camlucida.rendering.window import display
from camlucida.store import studies, thumbnails
from camlucida.store.tables import FileKind, FileRow, ImageRow
from camlucida.store.upkeep import sizes


@pytest.fixture
def keep(home, original):
    """Keeps an image; gives its row."""

    def kept(image):
        studies.keep(home, [image], [original])
        return row(home)

    return kept


def row(home):
    with home.database.read() as session:
        return session.scalars(select(ImageRow).options(selectinload(ImageRow.files))).one()


def picture(content):
    return np.asarray(Picture.open(io.BytesIO(content))).astype(int)


def smooth(*space):
    rows, columns = np.indices(space[-2:])
    plane = 2000 + 1500 * np.sin(rows / space[-2] * 3) * np.cos(columns / space[-1] * 2)
    return np.broadcast_to(plane, space).astype(np.uint16).copy()


@pytest.mark.parametrize("photometric", [Photometric.MONOCHROME1, Photometric.MONOCHROME2])
def test_a_small_image_is_drawn_as_it_opens(home, keep, make_image, photometric):
    image = replace(
        make_image(), values=smooth(61, 47), photometric=photometric, windows=(Window(2000, 3000),)
    )
    seen = picture(thumbnails.get(home, keep(image), 0))
    assert seen.shape == (61, 47)
    assert np.abs(seen - display(image.values, image).astype(int)).mean() < 2


def test_a_large_one_is_averaged_to_its_longer_edge(home, keep, make_image):
    image = replace(make_image(), values=smooth(900, 600), windows=())
    seen = picture(thumbnails.get(home, keep(image), 0))
    assert seen.shape == (240, 160)
    whole = display(image.values, image)[: 15 * 60, : 15 * 40].reshape(60, 15, 40, 15).mean((1, 3))
    assert np.abs(seen.reshape(60, 4, 40, 4).mean((1, 3)) - whole).mean() < 2


def test_a_volume_has_one_for_each_slice_at_the_window_of_all(home, keep, make_image):
    values = smooth(3, 40, 50)
    values[2] //= 2
    image = replace(make_image(), values=values, windows=())
    keep(image)
    for at in (0, 2):
        expected = display(values[at], image)
        assert np.abs(picture(thumbnails.get(home, row(home), at)) - expected.astype(int)).mean() < 2


def test_it_is_made_once_and_counted_with_the_pixels(home, keep, make_image, monkeypatch):
    before = sizes.of_home(home).pixels
    kept = keep(make_image())
    first = thumbnails.get(home, kept, 0)
    monkeypatch.setattr(thumbnails, "_drawn", None)
    assert thumbnails.get(home, row(home), 0) == first
    after = sizes.of_home(home)
    assert after.unused == 0
    assert after.pixels - before > len(first)
    (study,) = sizes.of_studies(home)
    assert study.pixels == after.pixels


def test_a_damaged_one_is_made_again_and_its_image_can_be_kept_again(home, keep, make_image, original):
    kept = keep(make_image())
    first = thumbnails.get(home, kept, 0)
    with home.database.write() as session:
        file = session.scalars(select(FileRow).where(FileRow.kind == FileKind.THUMBNAIL)).one()
        file.digest = "0" * 64
    assert thumbnails.get(home, row(home), 0) == first
    assert thumbnails.get(home, row(home), 0) == first
    assert studies.keep(home, [make_image()], [original]).known == 1
