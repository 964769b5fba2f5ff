"""Where the evidence for a finding is, as polygons: the contour at half the maximum of the evidence.

The level is half of the largest value that the map has where it is laid over the image by linear
interpolation. What reaches it and hangs together is one region; of a volume each region is drawn on the one
slice on which it has most evidence.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlucida.dicom.writing.material import Material
from camlucida.dicom.writing.source_grid import SHARE
from camlucida.records import Image
from camlucida.records.geometry import scaling
from camlucida.records.method_name import CLASS_AGNOSTIC
from camlucida.rendering.contour import contours
from camlucida.rendering.upsample import on_grid

MOST = 8
"""Regions of one finding that are told, those with most evidence first."""

SAMPLES = {2: 512, 3: 160}
"""Along the longest edge of the rows and columns, for images and for volumes; not more than pixels."""
SLICES = 256


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A place with evidence for a finding.

    `polygons` are closed lines (point, 2) in (row, column) of the slice's pixels, pixel centres at integers;
    `slice_index` is 0 for a 2D image. `share` of all supporting evidence is in the region, 0..1.
    """

    slice_index: int
    polygons: tuple[NDArray[np.float64], ...]
    share: float


def regions(material: Material, index: int) -> tuple[Region, ...]:
    """The regions of a finding of the map, at most `MOST`, those with most of the evidence first.

    None where there is no supporting evidence, and where the method's map is the same for all findings.
    """
    saliency_map = material.explanation.saliency_map
    if not saliency_map.supported(index) or saliency_map.method in CLASS_AGNOSTIC:
        return ()
    steps = _steps(material.image)
    to_pixel = scaling(steps, [step / 2 - 0.5 for step in steps])
    shape = tuple(round(size / step) for size, step in zip(material.image.space, steps, strict=True))
    supporting = np.maximum(saliency_map.values[index], 0)
    sampled = on_grid(supporting, saliency_map.geometry, to_pixel, shape).reshape((-1, *shape[-2:]))
    if not sampled.any():  # all of it lies beyond the image, where the network saw padding
        return ()
    return _found(sampled, steps)


def _steps(image: Image) -> tuple[float, ...]:
    """Pixels from sample to sample along each axis."""
    most = SAMPLES[len(image.space)]
    along = max(1.0, max(image.space[-2:]) / most)
    rows, columns = (size / math.ceil(size / along) for size in image.space[-2:])
    if len(image.space) == 2:
        return rows, columns
    slices = image.space[0]
    return slices / min(slices, SLICES), rows, columns


def _found(sampled: NDArray[np.float32], steps: tuple[float, ...]) -> tuple[Region, ...]:
    """The regions on a grid (slice, row, column) of supporting evidence."""
    from scipy import ndimage  # noqa: PLC0415 - a tenth of a second that other objects spare

    level = SHARE * float(sampled.max())
    labels, count = ndimage.label(sampled >= level)
    sums = np.bincount(labels.ravel(), sampled.ravel(), count + 1)
    share = sums / sums.sum()
    strongest = 1 + np.argsort(-sums[1:], kind="stable")[:MOST]
    boxes = ndimage.find_objects(labels)
    found = []
    for label in strongest.tolist():
        slices = boxes[label - 1][0]
        inside = np.where(labels[slices] == label, sampled[slices], 0)
        place = slices.start + int(inside.sum(axis=(1, 2)).argmax())
        polygons = _polygons(sampled[place], labels[place], label, level, steps[-2:])
        along = steps[0] if len(steps) == 3 else 1.0
        found.append(Region(math.floor((place + 0.5) * along), polygons, float(share[label])))
    return tuple(found)


def _polygons(
    sampled: NDArray[np.float32],
    labels: NDArray[np.int32],
    label: int,
    level: float,
    steps: tuple[float, ...],
) -> tuple[NDArray[np.float64], ...]:
    """The lines around one region on a slice of the grid, in pixels, without those of its holes."""
    lines = contours(np.where((labels == 0) | (labels == label), sampled, 0), level)
    step = np.array(steps)
    return tuple(line * step + step / 2 - 0.5 for line in lines if not _is_hole(line))


def _is_hole(line: NDArray[np.float64]) -> bool:
    """Whether a closed line goes around what is not in the region: clockwise as seen on the screen."""
    rows, columns = line.T
    return float((rows[1:] * columns[:-1] - rows[:-1] * columns[1:]).sum()) > 0
