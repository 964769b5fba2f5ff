"""Phantom CT of the chest: a volume in HU with anisotropic voxels, lung nodules and pleural effusions.

Axes are (slice, row, column): slices go from the feet to the head, rows from front to back, columns from the
patient's right to the left, as an axial series of a supine patient is stored. Places are in mm from the
middle.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import InputError
from camlucida.examples.phantom.shapes import soft

CT_FINDINGS = ("Nodule", "Effusion")
FIELD = (288.0, 360.0, 360.0)  # mm along slice, row, column

Solid = NDArray[np.floating[Any]]
Place = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Volume:
    """One phantom CT: `values` in HU (slice, row, column), int16; masks of its findings; spacing in mm."""

    values: NDArray[np.int16]
    masks: Mapping[str, NDArray[np.bool_]]
    spacing: tuple[float, float, float]
    seed: int


@dataclass(frozen=True, eq=False)
class Space:
    """Voxel centres in mm, shaped to broadcast: z (slice, 1, 1), y (1, row, 1), x (1, 1, column)."""

    z: Solid
    y: Solid
    x: Solid
    spacing: tuple[float, float, float]

    @classmethod
    def of(cls, slices: int, rows: int) -> Self:
        """The whole field with this many slices, rows and columns."""
        counts = (slices, rows, rows)
        spacing = [field / count for field, count in zip(FIELD, counts, strict=True)]
        axes = [
            ((np.arange(n, dtype=np.float32) - (n - 1) / 2) * step).astype(np.float32)
            for n, step in zip(counts, spacing, strict=True)
        ]
        z, y, x = axes
        return cls(z[:, None, None], y[None, :, None], x[None, None, :], (spacing[0], spacing[1], spacing[2]))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Slices, rows, columns."""
        return self.z.size, self.y.size, self.x.size

    def box(self, low: Place, high: Place) -> tuple[tuple[slice, slice, slice], "Space"]:
        """The part between two corners (z, y, x) in mm: its slices and its own space."""
        parts = [
            slice(int(np.searchsorted(axis.ravel(), a)), int(np.searchsorted(axis.ravel(), b)))
            for axis, a, b in zip((self.z, self.y, self.x), low, high, strict=True)
        ]
        part = replace(self, z=self.z[parts[0]], y=self.y[:, parts[1]], x=self.x[:, :, parts[2]])
        return (parts[0], parts[1], parts[2]), part


@dataclass(frozen=True)
class _Chest:
    """The numbers of one phantom patient, mm."""

    size: float
    deep: float
    fat: float
    pitch: float
    dome: tuple[float, float]  # height of the right and the left diaphragm
    heart: tuple[float, float, float]


def ct_volume(
    seed: int, findings: Collection[str] = (), *, slices: int = 72, rows: int = 256, visit: int = 0
) -> Volume:
    """The CT of phantom patient `seed` with `findings` out of `CT_FINDINGS`.

    The field is always 288 × 360 × 360 mm; `slices` and `rows` (as many columns) set the resolution.

    Raises
    ------
    InputError
        A finding has another name than those in `CT_FINDINGS`.
    """
    unknown = sorted(set(findings) - set(CT_FINDINGS))
    if unknown:
        raise InputError(
            f"A phantom CT has no finding “{unknown[0]}”; it can have: {', '.join(CT_FINDINGS)}."
        )
    space = Space.of(slices, rows)
    chest = _chest(np.random.default_rng([seed, 11]))
    lungs = {side: _lung(space, chest, side) for side in (-1, 1)}
    values = _tissues(space, chest)
    _fill_lungs(values, space, lungs, seed)
    masks = _findings(values, space, chest, lungs, findings, seed, visit)
    noise = np.random.default_rng([seed, 13, visit]).standard_normal(space.shape, np.float32)
    values += noise * np.float32(22 * np.sqrt(min((1.4 / space.spacing[1]) ** 2 * 4 / space.spacing[0], 4.0)))
    return Volume(np.clip(np.round(values), -1024, 3071).astype(np.int16), masks, space.spacing, seed)


def _chest(rng: np.random.Generator) -> _Chest:
    size = float(rng.normal(1.0, 0.04))
    return _Chest(
        size=size,
        deep=float(rng.normal(1.0, 0.04)),
        fat=float(rng.uniform(6, 24)),
        pitch=float(rng.normal(27, 1)) * size,
        dome=(float(rng.normal(-62, 8)), float(rng.normal(-76, 8))),
        heart=(float(rng.normal(48, 4)), float(rng.normal(43, 3)), float(rng.normal(55, 5))),
    )


def _ball(
    space: Space, centre: tuple[float, float, float], radii: tuple[float, float, float], power: float = 2
) -> Solid:
    """About the distance in mm to a (super)ellipsoid, negative inside; centre and radii are (z, y, x)."""
    level = (
        np.abs((space.z - centre[0]) / radii[0]) ** power + np.abs((space.y - centre[1]) / radii[1]) ** power
    )
    level = level + np.abs((space.x - centre[2]) / radii[2]) ** power
    distance: Solid = ((level ** (1 / power) - 1) * min(radii)).astype(np.float32)
    return distance


def _tube(space: Space, centre: tuple[float, float], radii: tuple[float, float], power: float = 2) -> Solid:
    """About the distance in mm to a tube along z; centre and radii are (y, x)."""
    level = (
        np.abs((space.y - centre[0]) / radii[0]) ** power + np.abs((space.x - centre[1]) / radii[1]) ** power
    )
    distance: Solid = ((level ** (1 / power) - 1) * min(radii)).astype(np.float32)
    return distance


def _lung(space: Space, chest: _Chest, side: int) -> Solid:
    """Distance to a lung: a superellipsoid without the mediastinum, above the dome of its diaphragm."""
    size = chest.size
    hull = _ball(
        space, (-22 * size, 0, side * 66 * size), (148 * size, 86 * size * chest.deep, 60 * size), 2.4
    )
    bulge = np.exp(-(((space.z + 52) / 55) ** 2) - np.clip((space.y + 28) / 48, -1.3, 9) ** 2)
    middle = 19 + (12 if side < 0 else 46) * bulge + 4 * np.exp(-(((space.y - 5) / 40) ** 2))
    inner = (middle - side * space.x).astype(np.float32)
    top = chest.dome[0 if side < 0 else 1]
    dome = top - 62 * (((space.x - side * 62) / 75) ** 2 + ((space.y + 12) / 100) ** 2) - space.z
    distance: Solid = np.maximum(np.maximum(hull, inner), dome.astype(np.float32))
    return distance


def _paint(values: Solid, share: Solid, hu: float | Solid) -> None:
    """Put a tissue of `hu` over what is there, where `share` says."""
    values += share * (hu - values)


def _tissues(space: Space, chest: _Chest) -> Solid:
    """Everything but the lungs: skin to bone, in HU."""
    size = chest.size
    values = np.full(space.shape, -1000, np.float32)
    taper = 1 - 0.55 * np.clip((space.z - 60) / 110, 0, 1) ** 2  # towards the neck
    cavity = (98 * size * chest.deep, 136 * size)
    wall = _tube(replace(space, y=(space.y / taper).astype(np.float32)), (4, 0), cavity, 2.3)
    _paint(values, soft(wall - 22 - chest.fat, 1.5), -95)
    _paint(values, soft(wall - 21, 2.0), 48)
    inside = soft(wall - 3, 2.0)
    _paint(values, inside, 35)
    slope = space.z + 0.45 * space.y + 0.0 * space.x
    band = np.abs(slope / chest.pitch - np.round(slope / chest.pitch)) * chest.pitch
    ring = np.maximum(np.abs(wall - 9) - 4.2, band - 6.0).astype(np.float32)
    _paint(values, soft(ring, 1.2) * (np.abs(space.x) > 26), 330)
    _paint(
        values,
        soft(np.maximum(_tube(space, (-104 * size * chest.deep, 0), (7, 19), 3), -40 - space.z), 1.5),
        230,
    )
    _spine(values, space, chest)
    _mediastinum(values, space, chest)
    return values


def _spine(values: Solid, space: Space, chest: _Chest) -> None:
    y = 78 * chest.size * chest.deep
    within = np.abs(space.z / chest.pitch - np.round(space.z / chest.pitch)) * chest.pitch
    disc = soft(chest.pitch / 2 - 3 - within, 1.0)
    body = _tube(space, (y, 0), (16, 19), 2.5)
    _paint(values, soft(body, 1.2), 190 - 110 * disc)
    _paint(values, soft(np.abs(body + 1) - 1.2, 0.8) * (1 - disc), 420)
    _paint(values, soft(np.abs(_tube(space, (y + 26, 0), (12, 13))) - 2.6, 1.2), 380)
    _paint(values, soft(_tube(space, (y + 26, 0), (9, 10)), 1.2), 25)
    _paint(values, soft(_tube(space, (y + 46, 0), (12, 3.5), 3), 1.2), 320)


def _mediastinum(values: Solid, space: Space, chest: _Chest) -> None:
    size = chest.size
    fat = _tube(space, (-30, 0), (62, 34), 2.2)
    _paint(values, soft(np.maximum(fat, -40 - space.z), 3.0), -60)
    _paint(values, soft(_ball(space, (-52, -28, 14), (*chest.heart[:2], chest.heart[2])), 2.0), 42)
    aorta = np.maximum(_tube(space, (46 * size, 18), (12, 12)), space.z - 52)
    arch = _ball(space, (52, 8, 8), (13, 46, 15), 2.2)
    ascending = np.maximum(_tube(space, (-28, -6), (15, 15)), np.abs(space.z - 12) - 42)
    _paint(values, soft(np.minimum(np.minimum(aorta, arch), ascending), 1.5), 45)
    trunk = _ball(space, (12, -16, 16), (14, 22, 22))
    cava = np.maximum(_tube(space, (-18, -28), (10, 10)), -space.z)
    _paint(values, soft(np.minimum(trunk, cava), 1.5), 42)
    windpipe = np.maximum(_tube(space, (14, 0), (9, 9)), 22 - space.z)
    _paint(values, soft(windpipe, 1.0), -990)
    for side in (-1, 1):
        distance, _ = _segment(space, np.array([24.0, 14, 0]), np.array([-4.0, 18, side * 40]))
        _paint(values, soft(distance - 6.5, 1.0), -980)


def _segment(space: Space, start: Place, end: Place) -> tuple[Solid, Solid]:
    """Distance in mm to the segment, and how far along it the nearest point is; ends are (z, y, x)."""
    way = end - start
    z, y, x = space.z - np.float32(start[0]), space.y - np.float32(start[1]), space.x - np.float32(start[2])
    along = np.clip((z * way[0] + y * way[1] + x * way[2]) / (way @ way + 1e-6), 0, 1)
    distance = np.sqrt((z - along * way[0]) ** 2 + (y - along * way[1]) ** 2 + (x - along * way[2]) ** 2)
    return distance.astype(np.float32), along.astype(np.float32)


def _fill_lungs(values: Solid, space: Space, lungs: Mapping[int, Solid], seed: int) -> None:
    """Air, denser at the back where the blood sinks, and the tree of vessels."""
    gravity = (-850 + 0.45 * space.y).astype(np.float32)
    for side, lung in lungs.items():
        rng = np.random.default_rng([seed, 12, side + 1])
        share = soft(lung, 1.5)
        vessels = np.zeros(space.shape, np.float32)
        hilum = np.array([0.0, 8.0, side * 34.0])
        for turn in np.linspace(-1.4, 1.4, 7):
            for tilt in (-0.5, 0.5):
                way = np.array([np.sin(turn), tilt, side * np.cos(turn)])
                _branch(
                    vessels, space, hilum, way / np.linalg.norm(way), 3.6 * rng.uniform(0.7, 1.1), 42.0, rng
                )
        _paint(values, share, gravity + vessels * (30 - gravity))


def _branch(
    vessels: Solid,
    space: Space,
    start: Place,
    way: Place,
    radius: float,
    length: float,
    rng: np.random.Generator,
) -> None:
    if radius < 0.8:
        return
    end = start + way * length * rng.uniform(0.7, 1.2)
    reach = radius + 4
    part, inner = space.box(np.minimum(start, end) - reach, np.maximum(start, end) + reach)
    if 0 not in inner.shape:
        distance, along = _segment(inner, start, end)
        thick = radius * (1 - 0.3 * along)
        target = vessels[part]
        # A vessel thinner than a voxel fills only a part of it.
        filled = np.minimum(thick / (0.35 * space.spacing[1] + 0.15 * space.spacing[0]), 1).astype(np.float32)
        np.maximum(target, soft(distance - thick, 0.5 * space.spacing[1]) * filled, out=target)
    for _ in range(2):
        onwards = way + rng.normal(0, 0.35, 3)
        onwards /= np.linalg.norm(onwards)
        _branch(vessels, space, end, onwards, radius * rng.uniform(0.6, 0.76), length * 0.76, rng)


def _findings(
    values: Solid,
    space: Space,
    chest: _Chest,
    lungs: Mapping[int, Solid],
    findings: Collection[str],
    seed: int,
    visit: int,
) -> dict[str, NDArray[np.bool_]]:
    masks: dict[str, NDArray[np.bool_]] = {}
    for name in (name for name in CT_FINDINGS if name in findings):
        index = CT_FINDINGS.index(name)
        side = int(np.random.default_rng([seed, 14, index]).choice([-1, 1]))
        rng = np.random.default_rng([seed, 15, index, visit])
        if name == "Nodule":
            masks[name] = _nodule(values, space, lungs[side], side, rng)
        else:
            masks[name] = _effusion(values, space, chest, lungs[side], rng)
    return masks


def _nodule(
    values: Solid, space: Space, lung: Solid, side: int, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """A solid ball of 14 to 30 mm in the lung, a little lobed."""
    radius = float(rng.uniform(7, 15))
    while True:
        place = np.array([rng.uniform(-90, 95), rng.uniform(-70, 70), side * rng.uniform(42, 112)])
        if _inside(space, lung, place) < -radius * 0.6 - 2:
            break
    squeeze = rng.uniform(0.85, 1.15, 3)
    shape = _ball(space, (place[0], place[1], place[2]), tuple(radius * squeeze))
    lobes = (
        np.sin(space.z / 4 + rng.uniform(0, 6))
        + np.sin(space.y / 4)
        + np.sin(space.x / 4 + rng.uniform(0, 6))
    )
    shape = shape + (0.05 * radius * lobes).astype(np.float32)
    _paint(values, soft(shape, 1.2) * soft(lung, 1.5), 38)
    return (shape < 0) & (lung < 0)


def _inside(space: Space, lung: Solid, place: Place) -> float:
    index = tuple(
        int(np.abs(axis.ravel() - p).argmin())
        for axis, p in zip((space.z, space.y, space.x), place, strict=True)
    )
    return float(lung[index])


def _effusion(
    values: Solid, space: Space, chest: _Chest, lung: Solid, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Fluid that lies at the back of the pleural space of a supine patient, deeper towards the diaphragm."""
    depth = rng.uniform(22, 60)
    back = 86 * chest.size * chest.deep
    surface = back - depth * np.exp(-np.clip(space.z + 90, 0, None) / rng.uniform(60, 140))
    surface = surface + 0.0016 * (np.abs(space.x) - 60) ** 2
    wet = (surface - space.y).astype(np.float32)
    _paint(values, soft(wet, 2.0) * soft(lung - 2, 1.5), 12)
    mask: NDArray[np.bool_] = (wet < 0) & (lung < 0)
    return mask
