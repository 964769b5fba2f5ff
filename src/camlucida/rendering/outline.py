"""Regions that readers outlined when they flagged a map, on the pixel grid of their image."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InputError
from camlucida.records import Flag, FlagReason, Region

NOT_HERE = frozenset(
    {FlagReason.WRONG_PLACE, FlagReason.SHORTCUT, FlagReason.WRONG_SIDE, FlagReason.ARTEFACT}
)
"""Reasons that say of the outlined region that the evidence in it is none."""


def flag_mask(
    flags: Iterable[Flag],
    finding: str,
    space: Sequence[int],
    *,
    reasons: Iterable[FlagReason] = NOT_HERE,
) -> NDArray[np.bool_] | None:
    """All regions that were outlined on one image's maps of a finding: bool (*space) on its pixel grid.

    None where no flag of these reasons has an outline: nothing is known then, which is not an empty region.

    Raises
    ------
    InputError
        An outline lies on a slice, or along an axis, that the image does not have.
    """
    wanted = set(reasons)
    regions = [
        flag.region for flag in flags if flag.region and flag.finding == finding and flag.reason in wanted
    ]
    if not regions:
        return None
    inside: NDArray[np.bool_] = np.logical_or.reduce([outlined(region, space) for region in regions])
    return inside


def lies_in(region: Region, space: Sequence[int]) -> bool:
    """Whether an image of this shape has the plane that the region is outlined on."""
    volume = _volume(space)
    return 0 <= region.axis < len(volume) and 0 <= region.at < volume[region.axis]


def _volume(space: Sequence[int]) -> tuple[int, ...]:
    """A single image is the one slice of axis 0."""
    return (1,) * (3 - len(space)) + tuple(space)


def outlined(region: Region, space: Sequence[int]) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside an outline (even-odd rule): bool (*space).

    A single image is the one slice of axis 0. An outline that no pixel's centre is in has the pixels of its
    corners.

    Raises
    ------
    InputError
        As `flag_mask`.
    """
    if not lies_in(region, space):
        raise InputError(
            f"An outline lies at {region.at} along axis {region.axis}, and the image has "
            f"{' × '.join(map(str, space))} pixels; is it of another image?"
        )
    inside = np.zeros(_volume(space), np.bool_)
    plane = np.moveaxis(inside, region.axis, 0)[region.at]
    corners = np.array(region.places, np.float64)
    _fill(plane, corners)
    if not plane.any():
        row, column = np.clip(np.rint(corners).astype(int), 0, np.array(plane.shape) - 1).T
        plane[row, column] = True
    return inside.reshape(space)


def _fill(plane: NDArray[np.bool_], corners: NDArray[np.float64]) -> None:
    """Row by row: between each crossing of the outline and the next, every other time."""
    following = np.roll(corners, -1, axis=0)
    first = max(0, int(np.ceil(corners[:, 0].min())))
    last = min(len(plane) - 1, int(np.floor(corners[:, 0].max())))
    for row in range(first, last + 1):
        crossing = (corners[:, 0] <= row) != (following[:, 0] <= row)
        (top, left), (bottom, right) = corners[crossing].T, following[crossing].T
        at = np.sort(left + (row - top) / (bottom - top) * (right - left))
        for start, end in zip(at[::2], at[1::2], strict=True):
            plane[row, max(0, int(np.ceil(start))) : max(0, int(np.floor(end)) + 1)] = True
