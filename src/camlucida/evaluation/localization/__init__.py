"""Does a map lie where the finding is? Measured against a reader's marks, beside chance and beside rivals.

Only the support counts: what argues against a finding is cut off. Two and three axes of space are one code.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from camlucida.evaluation.data.seen import Seen
from camlucida.evaluation.localization import measures
from camlucida.evaluation.localization.chance import (
    expected_distance,
    expected_overlap,
    expected_precision,
    expected_reach,
)
from camlucida.evaluation.localization.marked import (
    MOST_PIXELS,
    MOST_RANKED,
    Grid,
    Marked,
    Support,
    grid,
    marked,
    support_on,
)
from camlucida.evaluation.localization.measures import MEASURES
from camlucida.evaluation.localization.overlap import grey_levels, otsu, overlaps
from camlucida.evaluation.localization.pointing import REACHED, distance, hit, marks_reached, peak, widened
from camlucida.evaluation.localization.ranking import ranking
from camlucida.evaluation.localization.rivals import CENTRE_GAUSSIAN, RIVALS, SOBEL, centre_gaussian, sobel
from camlucida.records import Geometry, Measurement
from camlucida.records.method_name import OPPOSING
from camlucida.saliency.trust.prior import centre

__all__ = ["MEASURES", "RIVALS", "chance_of", "localization", "measure_localization"]

MOST_SHIFTED = 2**14
"""Cells of the grid on which maps are shifted to every place, to see what chance gives: 128 × 128."""

Values = Mapping[str, float | None]
"""What was measured, by the key of its measure."""


def chance_of(method: str) -> str:
    """The pseudo-method under which what a method would reach by chance stands in measurements."""
    return f"chance of {method}"


def measure_localization(seen: Seen) -> Iterator[Measurement]:
    """Every marked finding of a case and every map of it, what chance gives each, and the rivals.

    Findings without a mark are left out: an image without a finding says nothing about where its evidence
    ought to be, and one with it may not have been marked. So are methods whose maps show what argues against
    a finding.
    """
    for finding in dict.fromkeys(one.finding for one in seen.annotations):
        found = marked(seen.annotations, finding)
        methods = [
            method for method, one in seen.maps.items() if finding in one.findings and method not in OPPOSING
        ]
        if found is None or not methods:
            continue
        held = Held(found, seen.image.space, seen.image.spacing)
        for method in methods:
            values, geometry = seen.values(method, finding), seen.maps[method].geometry
            yield from _rows(seen.name, finding, method, held.measured(values, geometry))
            yield from _rows(seen.name, finding, chance_of(method), held.by_chance(values, geometry))
        for rival, values in _rivals(seen, methods[0]).items():
            measured = held.measured(values, seen.maps[methods[0]].geometry)
            yield from _rows(seen.name, finding, rival, measured)


def localization(values: NDArray[np.float32], geometry: Geometry, found: Marked) -> Values:
    """All measures of one map (*native) against the marks of its finding, by their keys.

    None is a measure that is not defined: overlap with a point, a share of no support at all.
    """
    return Held(found, geometry.pixel_shape, geometry.spacing).measured(values, geometry)


@dataclass(frozen=True, eq=False)
class Held:
    """The marks of one finding, against which maps are held: what is the same for all maps is made once."""

    found: Marked
    pixels: tuple[int, ...]
    spacing: tuple[float, ...] | None

    @cached_property
    def fine(self) -> Grid:
        """The pixel grid, but for volumes and films of more than MOST_PIXELS."""
        return grid(self.pixels, MOST_PIXELS, self.spacing)

    @cached_property
    def area(self) -> NDArray[np.bool_]:
        """What is marked, on the fine grid."""
        return self.fine.of(self.found.area)

    @cached_property
    def marks(self) -> list[NDArray[np.bool_]]:
        """Each mark on the fine grid."""
        return [self.fine.of(mark) for mark in self.found.marks]

    @cached_property
    def shifted(self) -> Grid:
        """The grid on which maps are shifted."""
        return grid(self.pixels, MOST_SHIFTED, self.spacing)

    @cached_property
    def shifted_marks(self) -> list[NDArray[np.bool_]]:
        """All that is marked, and then each mark, on the grid on which maps are shifted."""
        return [self.shifted.of(area) for area in (self.found.area, *self.found.marks)]

    @cached_property
    def ranked(self) -> tuple[Grid, NDArray[np.bool_]]:
        """The grid on which pixels are sorted, and what is marked on it."""
        on = grid(self.pixels, MOST_RANKED, self.spacing)
        return on, on.of(self.found.area)

    @cached_property
    def _widened(self) -> dict[tuple[int, ...], NDArray[np.bool_]]:
        return {}

    @cached_property
    def distances_by_chance(self) -> tuple[float, float]:
        """From anywhere on the image to the marks' centre, and to the nearest marked pixel."""
        places = self.found.centre[np.newaxis], self.found.places
        to_centre, to_nearest = (expected_distance(one, self.pixels, self.spacing) for one in places)
        return to_centre, to_nearest

    def measured(self, values: NDArray[np.float32], geometry: Geometry) -> dict[str, float | None]:
        """All measures of a map (*native)."""
        support = support_on(values, geometry, self.fine)
        result: dict[str, float | None] = {
            measures.SUPPORTED: float(support.highest > 0),
            measures.HIT_WITHIN_CELL: hit(support, self.within_a_cell(geometry)),
            measures.MARKS_REACHED: marks_reached(support, self.marks),
            **self._distances(values, geometry, support),
        }
        if self.found.extended:
            result[measures.HIT] = hit(support, self.area)
            inside = float(support.image[self.area].sum(dtype=np.float64))
            result[measures.SHARE] = inside / support.total if support.total > 0 else None
            result |= _overlaps(support.image, self.area) | self._ranking(values, geometry)
        return result

    def by_chance(self, values: NDArray[np.float32], geometry: Geometry) -> dict[str, float | None]:
        """What the same map would reach on average if it were shifted to every place of the image."""
        support = support_on(values, geometry, self.shifted).image
        area, *marks = self.shifted_marks
        supported = bool(support.max() > 0)
        to_centre, to_nearest = self.distances_by_chance
        shown = support >= REACHED * support.max()
        result: dict[str, float | None] = {
            measures.HIT_WITHIN_CELL: float(self.within_a_cell(geometry).mean()) if supported else 0.0,
            measures.MARKS_REACHED: expected_reach(shown, marks) if supported else 0.0,
            self._centre_key: to_centre if supported else None,
            self._peak_key: to_nearest if supported else None,
        }
        if self.found.extended:
            share = float(self.area.mean())
            result |= {measures.AUPRC: expected_precision(support, area), measures.RANK_ACCURACY: share}
            result |= {measures.AUROC: 0.5, measures.HIT: share if supported else 0.0}
            result |= {measures.SHARE: share if supported else None}
            result |= _overlaps_by_chance(support, area)
        return result

    @property
    def _centre_key(self) -> str:
        return measures.CENTRE_DISTANCE if self.spacing else measures.CENTRE_DISTANCE_PIXELS

    @property
    def _peak_key(self) -> str:
        return measures.PEAK_DISTANCE if self.spacing else measures.PEAK_DISTANCE_PIXELS

    def within_a_cell(self, geometry: Geometry) -> NDArray[np.bool_]:
        """All that is within one native cell of the marks, along each axis."""
        cells = zip(geometry.cell_size_pixels(), self.fine.steps, strict=True)
        reach = tuple(int(size / step + 1e-6) for size, step in cells)
        if reach not in self._widened:
            self._widened[reach] = widened(self.area, reach)
        return self._widened[reach]

    def _distances(
        self, values: NDArray[np.float32], geometry: Geometry, support: Support
    ) -> dict[str, float | None]:
        middle = centre(values)
        if middle is None or not support.highest > 0:
            return {self._centre_key: None, self._peak_key: None}
        at, marks_centre = geometry.cell_to_pixel(middle)[0], self.found.centre[np.newaxis]
        return {
            self._centre_key: distance(at, marks_centre, self.spacing),
            self._peak_key: distance(peak(values, geometry), self.found.places, self.spacing),
        }

    def _ranking(self, values: NDArray[np.float32], geometry: Geometry) -> dict[str, float | None]:
        on, area = self.ranked
        ranked = ranking(support_on(values, geometry, on).image, area)
        keys = (measures.AUPRC, measures.AUROC, measures.RANK_ACCURACY)
        return dict(zip(keys, ranked or (None, None, None), strict=True))


LEVELS = [255 * level / 100 for level in measures.LEVELS]
OVERLAPS = (measures.IOU_OTSU, *(measures.iou_at(level) for level in measures.LEVELS))


def _overlaps(support: NDArray[np.float32], area: NDArray[np.bool_]) -> dict[str, float | None]:
    grey = grey_levels(support)
    if grey is None:
        return dict.fromkeys(OVERLAPS)
    return dict(zip(OVERLAPS, overlaps(grey, area, _levels(grey)), strict=True))


def _overlaps_by_chance(support: NDArray[np.float32], area: NDArray[np.bool_]) -> dict[str, float | None]:
    grey = grey_levels(support)
    if grey is None:
        return dict.fromkeys(OVERLAPS)
    by_level = (expected_overlap(grey > level, area) for level in _levels(grey))
    return dict(zip(OVERLAPS, by_level, strict=True))


def _levels(grey: NDArray[np.uint8]) -> list[int]:
    return [otsu(np.bincount(grey.ravel(), minlength=256)), *(int(level) for level in LEVELS)]


def _rivals(seen: Seen, method: str) -> dict[str, NDArray[np.float32]]:
    """The rivals on the grid of a method's map."""
    geometry = seen.maps[method].geometry
    steep = sobel(np.asarray(seen.prepared.values), geometry.native_shape)
    return {CENTRE_GAUSSIAN: centre_gaussian(geometry), SOBEL: steep}


def _rows(case: str, finding: str, method: str, values: Values) -> Iterator[Measurement]:
    for key, value in values.items():
        yield Measurement(case, finding, method, key, value)
