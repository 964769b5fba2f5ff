"""A thing on images that no disease puts there: pasted in, taken out, and where it is.

What a network makes of an artefact is asked of the network itself: the same image with it and without it,
through the whole preparation, as if the film had been taken so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.typing import NDArray

from camlucida.errors import InputError, MissingGeometry
from camlucida.images.picture import read_picture
from camlucida.records import Image, Photometric
from camlucida.records.geometry import resizing, scaling
from camlucida.rendering.upsample import EDGE, resample
from camlucida.rendering.window import is_padding

COVERED = 0.02
"""Of a pixel, from which on it belongs to the artefact's region."""

MOST = 0.9
"""Of the image that a drawn artefact may cover: one that covers more is a whole picture, not an artefact."""

_PHANTOM_ROWS = 860  # half a millimetre


@dataclass(frozen=True, eq=False)
class Artefact:
    """A patch with a place.

    `alpha` (row, column), 0..1, is how much of each pixel the patch covers; `brightness` the same shape, 0 as
    dark as the image's darkest pixel as it is shown, 1 as its brightest, or None where only the place is
    known: such an artefact can be taken out, not pasted. `box` is where the patch lies: (top, left, bottom,
    right), as shares of the image's rows and columns, or with `in_mm` in mm from its upper left corner. In a
    volume it lies on every slice.

    Raises
    ------
    InputError
        The patch covers nothing, or its arrays do not fit each other.
    """

    name: str
    alpha: NDArray[np.float32]
    brightness: NDArray[np.float32] | None = None
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    in_mm: bool = False

    def __post_init__(self) -> None:
        """Refuse a patch that is none."""
        top, left, bottom, right = self.box
        if self.alpha.ndim != 2 or not (self.alpha > 0).any():
            raise InputError(f"The artefact “{self.name}” covers nothing; its mask is empty.")
        if self.brightness is not None and self.brightness.shape != self.alpha.shape:
            raise InputError(
                f"The artefact “{self.name}” has a patch of {self.brightness.shape} and a mask of "
                f"{self.alpha.shape}; they are of one shape."
            )
        if not (top < bottom and left < right):
            raise InputError(f"The artefact “{self.name}” lies in the box {self.box}, which is empty.")

    def planes(
        self, space: Sequence[int], spacing: Sequence[float] | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """What is painted (brightness times alpha) and alpha on a grid (row, column) over the whole image.

        An image of levels 0..1 becomes `level * (1 - alpha) + painted`. Where only the place is known, the
        paint is black. `spacing` in mm is needed where the box is in mm.

        Raises
        ------
        MissingGeometry
            The box is in mm and there is no spacing.
        """
        rows, columns = space[-2:]
        return _planes(self, (rows, columns), None if spacing is None else (spacing[-2], spacing[-1]))

    def region(self, space: Sequence[int], spacing: Sequence[float] | None = None) -> NDArray[np.bool_]:
        """Which pixels it touches: bool (row, column). Raises as `planes`."""
        return self.planes(space, spacing)[1] > COVERED

    def paste(self, image: Image) -> Image:
        """The image with the artefact; where it already has it, much as it was.

        Raises
        ------
        InputError
            Only the artefact's place is known.
        MissingGeometry
            As `planes`.
        """
        if self.brightness is None:
            raise InputError(
                f"Of the artefact “{self.name}” only the place is known, so that it cannot be pasted; give a "
                "picture of it with transparency."
            )
        painted, alpha = self.planes(image.space, image.spacing)
        low, high = _shown_range(image)
        stored = low * alpha + (high - low) * painted
        return _changed(image, lambda values: values * (1 - alpha) + stored, alpha > 0)

    def remove(self, image: Image) -> Image:
        """The image with the region filled in smoothly from what surrounds it. Raises as `planes`.

        Filled by push and pull (Gortler et al., The Lumigraph, SIGGRAPH 1996, section 3.4). What was behind
        the artefact is not known; where it lay on the body, what is there now is a guess.
        """
        region = self.region(image.space, image.spacing)
        known = ~region
        return _changed(image, lambda values: filled_in(values, known), region)

    def moved(self, down: float, right: float) -> "Artefact":
        """The same, elsewhere: by shares of the image, or by mm where its box is in mm."""
        top, left, bottom, further = self.box
        return replace(self, box=(top + down, left + right, bottom + down, further + right))


def read_artefact(path: Path, name: str = "") -> Artefact:
    """An artefact from a PNG that is laid over the whole image, whatever its size.

    With transparency: what is drawn on it is the artefact, with its brightness. Without: where it is not
    black, the artefact lies; it can then be taken out of images, not pasted.

    Raises
    ------
    UnreadableFile, FileTooLarge
        As `camlucida.images.picture.read_picture`.
    InputError
        Nothing is drawn on it, it covers nearly everything, or it is a JPEG.
    """
    levels = read_picture(path)  # checks size, kind and damage
    with PIL.Image.open(path, formats=("PNG", "JPEG")) as picture:
        if picture.format != "PNG":
            raise InputError(
                f"The artefact {path.name} is a JPEG, which blurs what is black; save it as PNG, best with "
                "transparency."
            )
        transparent = "A" in picture.getbands() or "transparency" in picture.info
        rgba = np.asarray(PIL.ImageOps.exif_transpose(picture).convert("RGBA"), np.float32) / np.float32(255)
    # Not the levels of `read_picture`: those are laid over black, darker where the patch is half transparent.
    grey = rgba[..., :3].mean(axis=-1) if transparent else None
    alpha = rgba[..., 3] if transparent else (_grey(levels) > 0).astype(np.float32)
    artefact, covered = _cropped(name or path.stem, alpha, grey), float(alpha.mean())
    if covered > MOST:
        raise InputError(
            f"The artefact {path.name} covers {covered:.0%} of the image; it is laid over the whole image: "
            "make what is no artefact transparent."
        )
    return artefact


def write_artefact(artefact: Artefact, path: Path, space: Sequence[int]) -> None:
    """The artefact as a PNG with transparency of `space` (row, column) pixels, as `read_artefact` takes it.

    Raises
    ------
    MissingGeometry
        Its box is in mm.
    """
    painted, alpha = artefact.planes(space)
    grey = np.divide(painted, alpha, out=np.zeros_like(painted), where=alpha > 0)
    levels = [alpha] if artefact.brightness is None else [grey, alpha]
    eight = np.stack([np.rint(255 * plane.clip(0, 1)).astype(np.uint8) for plane in levels], axis=-1)
    PIL.Image.fromarray(eight[..., 0] if len(levels) == 1 else eight).save(path, "PNG")


def cut_out(image: Image, box: tuple[int, int, int, int], name: str) -> Artefact:
    """The artefact as one image has it: the pixels (top, left, bottom, right; ends left out), as they are.

    Raises
    ------
    InputError
        The box is empty or reaches beyond the image.
    """
    top, left, bottom, right = box
    rows, columns = image.space[-2:]
    if image.colour or len(image.space) != 2:
        raise InputError("An artefact is cut out of a single grey image.")
    if not (0 <= top < bottom <= rows and 0 <= left < right <= columns):
        raise InputError(f"The box {box} is not inside the image of {rows} × {columns} pixels.")
    low, high = _shown_range(image)
    patch = np.asarray(image.values[top:bottom, left:right], np.float32)
    brightness = np.clip((patch - low) / ((high - low) or 1), 0, 1).astype(np.float32)
    shares = (top / rows, left / columns, bottom / rows, right / columns)
    return Artefact(name, np.ones_like(brightness), brightness, shares)


def phantom_artefact(name: str) -> Artefact:
    """One of the artefacts of phantom films, as `camlucida.examples.phantom.artefacts` draws it.

    Raises
    ------
    InputError
        There is none of this name.
    """
    from camlucida.examples.phantom.artefacts import DRAWINGS, film_grid  # noqa: PLC0415 - only phantoms need it

    if name not in DRAWINGS:
        raise InputError(f"Phantoms have no artefact “{name}”; they can have: {', '.join(DRAWINGS)}.")
    drawing = DRAWINGS[name]
    alpha = np.asarray(drawing.alpha(film_grid(_PHANTOM_ROWS)), np.float32)
    return _cropped(name, alpha, np.full_like(alpha, drawing.brightness))


def filled_in(values: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values (row, column) with those that are not known filled in smoothly from the others."""
    around = _around(~known)
    weight = known[around].astype(np.float32)
    filled = values.astype(np.float32)
    filled[around] = np.where(known[around], values[around], _pull(values[around] * weight, weight))
    return filled


def _around(region: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The region with as much beside it as it is long: what lies farther away does not matter to it."""
    ends = [np.flatnonzero(region.any(axis)) for axis in (1, 0)]
    if not ends[0].size:
        return slice(0, 0), slice(0, 0)
    reach = max(int(along[-1] - along[0]) for along in ends) + 2
    rows, columns = (slice(max(0, int(along[0]) - reach), int(along[-1]) + 1 + reach) for along in ends)
    return rows, columns


def _pull(weighted: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values times weight, and weight, to values everywhere."""
    here = (weighted / np.maximum(weight, np.float32(1e-12))).astype(np.float32)
    if max(weight.shape) == 1:
        return here
    coarser = _pull(_halved(weighted), _halved(weight))
    grown = resample(coarser, resizing(coarser.shape, weight.shape), weight.shape)
    return (weight * here + (1 - weight) * grown).astype(np.float32)


def _halved(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of 2 × 2; an odd last row or column counts twice."""
    rows, columns = plane.shape
    even = np.pad(plane, ((0, rows % 2), (0, columns % 2)), mode="edge")
    halved: NDArray[np.float32] = even.reshape(-(-rows // 2), 2, -(-columns // 2), 2).mean((1, 3))
    return halved


@lru_cache(maxsize=4)  # films of one kind are of one size, and come one after the other
def _planes(
    artefact: Artefact, space: tuple[int, int], spacing: tuple[float, float] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    new_to_old = _to_patch(artefact, space, spacing)
    # Around the patch is nothing, as far as shrinking reaches; beyond the image's edge it goes on.
    reach = [int(np.ceil(abs(step))) + 1 for step in np.diag(new_to_old)[:2]]
    paint = artefact.alpha * (0 if artefact.brightness is None else artefact.brightness)
    both = np.stack([paint, artefact.alpha])
    for axis, size, patch, margin in zip((0, 1), space, artefact.alpha.shape, reach, strict=True):
        first, last = new_to_old[axis, [axis, axis]] * [-0.5, size - 0.5] + new_to_old[axis, 2]
        before, after = (margin, 0), (0, margin)
        for width, cut in ((before, first > -0.5 - EDGE), (after, last < patch - 0.5 + EDGE)):
            around = [(0, 0), (0, 0), (0, 0)]
            around[axis + 1] = width
            both = np.pad(both, around, mode="edge" if cut else "constant")
        new_to_old[axis, 2] += margin
    painted, alpha = resample(both, new_to_old, space, antialias=True)
    painted.flags.writeable = alpha.flags.writeable = False
    return painted, alpha


def _to_patch(
    artefact: Artefact, space: tuple[int, int], spacing: tuple[float, float] | None
) -> NDArray[np.float64]:
    """From indices of the image to those of the patch."""
    top, left, bottom, right = artefact.box
    if artefact.in_mm:
        if spacing is None:
            raise MissingGeometry(
                f"The place of the artefact “{artefact.name}” is in mm, and the image has no spacing; give "
                "its box as shares of the image."
            )
        height, width = (size * step for size, step in zip(space, spacing, strict=True))
        top, bottom, left, right = top / height, bottom / height, left / width, right / width
    patch = artefact.alpha.shape
    covered = (bottom - top, right - left)
    steps = [cells / (share * size) for cells, share, size in zip(patch, covered, space, strict=True)]
    starts = [
        0.5 * step - 0.5 - start * size * step
        for step, start, size in zip(steps, (top, left), space, strict=True)
    ]
    return scaling(steps, starts)


def _cropped(name: str, alpha: NDArray[np.float32], brightness: NDArray[np.float32] | None) -> Artefact:
    """A patch that is as large as the whole image, without what is empty around it."""
    if not (alpha > 1 / 255).any():
        raise InputError(f"Nothing is drawn on the artefact “{name}”.")
    rows, columns = (np.flatnonzero((alpha > 1 / 255).any(axis)) for axis in (1, 0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    height, width = alpha.shape
    box = (rows[0] / height, columns[0] / width, (rows[-1] + 1) / height, (columns[-1] + 1) / width)
    look = None if brightness is None else brightness[part]
    return Artefact(name, alpha[part], look, tuple(float(edge) for edge in box))  # type: ignore[arg-type]  # four


def _grey(image: Image) -> NDArray[np.float32]:
    values = np.asarray(image.values, np.float32) / (2.0**image.bits_stored - 1)
    return values.mean(axis=-1, dtype=np.float32) if image.colour else values


def _shown_range(image: Image) -> tuple[float, float]:
    """The stored values of the darkest and of the brightest pixel as they are shown; no padding."""
    pixels = image.values[~is_padding(image.values, image.padding)]
    if not pixels.size:
        return 0.0, 0.0
    low, high = float(pixels.min()), float(pixels.max())
    return (high, low) if image.photometric is Photometric.MONOCHROME1 else (low, high)


def _changed(image: Image, change: Any, where: NDArray[np.bool_]) -> Image:
    """The image with `change` of each plane (row, column), only where `where` says so."""
    values = np.moveaxis(image.values, -1, 0) if image.colour else image.values
    new = values.copy()
    for place in np.ndindex(*values.shape[:-2]):
        plane = change(values[place].astype(np.float32))[where]
        new[place][where] = _as_stored(plane, values.dtype)
    return replace(image, values=np.moveaxis(new, 0, -1) if image.colour else new)


def _as_stored(values: NDArray[np.float32], kind: np.dtype[Any]) -> NDArray[Any]:
    if kind.kind not in "iu":
        return values.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(values), limits.min, limits.max).astype(kind)
