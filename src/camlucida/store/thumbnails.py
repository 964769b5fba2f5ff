"""Small pictures of images, made when they are first asked for and kept beside the image's other files."""

from contextlib import suppress
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from camlucida.errors import DamagedBlob
from camlucida.records import Image, Patient, Window
from camlucida.records.geometry import resizing
from camlucida.rendering.upsample import resample
from camlucida.rendering.window import display
from camlucida.store import pixels, studies
from camlucida.store.dialects import insert
from camlucida.store.home import Home
from camlucida.store.tables import FileKind, FileRow, ImageRow

SIDE = 240  # pixels of the longer edge
QUALITY = 90


def get(home: Home, row: ImageRow, position: int) -> bytes:
    """A slice of an image (2D: 0) as a small JPEG, at the window that the image opens with.

    Raises
    ------
    DamagedBlob
        The image's pixels are missing or damaged, and cannot be made of the originals.
    """
    kept = _digest(row, FileKind.THUMBNAIL, position)
    if kept is not None:
        with suppress(DamagedBlob):  # then it is drawn again
            return home.blobs.get(kept)
    content = _encoded(_drawn(home, row, position))
    file = {"digest": home.blobs.put(content), "bytes": len(content)}
    with home.database.write() as session:
        session.execute(
            insert(FileRow)
            .values(image_id=row.id, kind=FileKind.THUMBNAIL, position=position, **file)
            .on_conflict_do_update(index_elements=["image_id", "kind", "position"], set_=file)
        )
    return content


def _digest(row: ImageRow, kind: FileKind, position: int) -> str | None:
    return next((file.digest for file in row.files if file.kind == kind and file.position == position), None)


def _drawn(home: Home, row: ImageRow, position: int) -> NDArray[np.uint8]:
    """Averaged first and then windowed, as the viewer draws an image that is small on its screen."""
    plane = studies.kept_slices(home, row, position)[position]
    header = {**row.header, "space": row.header["space"][-2:]}
    image = pixels.rebuild(header, row.source, Patient(), [plane])
    old = header["space"]
    new = [max(1, round(size * min(1.0, SIDE / max(old)))) for size in old]
    channels = np.moveaxis(image.values, -1, 0) if image.colour else image.values
    small = resample(channels, resizing(old, new), new, antialias=True)
    return display(np.moveaxis(small, 0, -1) if image.colour else small, image, _window(image, header))


def _window(image: Image, header: dict[str, Any]) -> Window | None:
    """What the image opens with; one that was proposed for a volume is that of all its slices."""
    if image.windows or image.voi_luts:
        return None
    return pixels.window(header["default_window"])


def _encoded(picture: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    PIL.Image.fromarray(picture).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
