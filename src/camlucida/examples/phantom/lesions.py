"""The findings of a phantom film: what each adds to the density of the film, and its mask, the truth.

A lesion is drawn for one phantom patient, one side and one visit.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from camlucida.examples.phantom.anatomy import Anatomy, Lung
from camlucida.examples.phantom.shapes import Grid, Mask, Plane, capsule, clouds, ellipse, soft, turned

FINDINGS = ("Pneumothorax", "Effusion", "Consolidation", "Nodule", "Cardiomegaly")


@dataclass(frozen=True, eq=False)
class Lesion:
    """What a finding does to the film."""

    mask: Mask
    density: Plane
    air: Plane | None = None  # 1 where the lung has gone and its markings with it
    fluid: Plane | None = None  # 1 where fluid has taken the lung's place


@dataclass(frozen=True, eq=False)
class LungField:
    """A lung on a grid: inside is negative distance in mm."""

    lung: Lung
    outline: Plane  # distance to the superellipse, not yet cut by the diaphragm
    floor: Plane  # distance to the dome: negative above it

    @property
    def distance(self) -> Plane:
        """Distance to the lung's outline on the film."""
        return np.maximum(self.outline, self.floor)


def lung_field(grid: Grid, lung: Lung) -> LungField:
    """The lung of an anatomy on a grid."""
    outline = ellipse(grid, lung.centre, lung.radii, -lung.side * lung.lean, lung.power)
    return LungField(lung, outline, grid.y - dome_height(lung, grid.x))


def dome_height(lung: Lung, x: Plane) -> Plane:
    """Where the diaphragm is at `x`, mm: a dome that falls steeply to the costophrenic angle."""
    middle, top, width, depth = lung.dome
    offset = np.abs(x - np.float32(middle)) / np.float32(width)
    height: Plane = np.float32(top) + np.float32(depth) * (offset**2.2).astype(np.float32)
    return height


def pneumothorax(grid: Grid, field: LungField, _anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """Air around a lung that has shrunk towards its hilum, with the pleura as a thin white line."""
    lung, depth = field.lung, float(rng.uniform(15, 42))
    x, y = lung.centre
    radii = (lung.radii[0] - depth * 0.5, lung.radii[1] - depth * 0.8)
    centre = (x - lung.side * depth * 0.42, y + depth * 0.72)
    shrunk = ellipse(grid, centre, radii, -lung.side * lung.lean, lung.power)
    shrunk = shrunk + np.float32(1.5) * clouds(grid, int(rng.integers(1 << 30)), 40, 20)
    root = np.maximum(lung.side * grid.x - 40, centre[1] - 0.8 * radii[1] - grid.y)
    shrunk = np.minimum(shrunk, root)  # at its root the lung stays where it was
    inside = soft(field.distance, 1.5)
    air = inside * soft(-shrunk, 0.7)
    pleura = np.exp(-((shrunk / np.float32(1.1)) ** 2)) * soft(field.distance + 1.5, 0.8)
    collapsed = inside * soft(shrunk, 2.0)
    density = np.float32(0.16) * pleura - np.float32(0.13) * air + np.float32(0.04 + depth / 900) * collapsed
    mask = (shrunk > 0) & (field.distance < 0) & (lung.side * grid.x > 24)
    return Lesion(mask, density, air=air)


def effusion(grid: Grid, field: LungField, _anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """Fluid that fills the costophrenic angle up to a meniscus, which rises towards the wall."""
    lung, height = field.lung, float(rng.uniform(24, 115))
    wall = abs(lung.centre[0]) + lung.radii[0]
    share = np.clip((np.abs(grid.x) - 20) / np.float32(wall - 20), 0, 1.1)
    bottom = lung.dome[1] + lung.dome[3] * 0.75
    surface = (
        bottom - height * (0.6 + 0.5 * share**2.5) + 3 * clouds(grid, int(rng.integers(1 << 30)), 60, 30)
    )
    wet = (surface - grid.y).astype(np.float32)
    deep = grid.y - np.float32(bottom + 25)
    cavity = np.maximum(field.outline, deep)
    level = soft(wet, float(rng.uniform(3, 6))) * soft(cavity - 5, 1.5)
    density = np.float32(rng.uniform(0.0, 0.06)) * level * soft(field.distance, 2.5)
    return Lesion((wet < 0) & (cavity < 0) & (field.floor < 12), density, fluid=level)


def consolidation(grid: Grid, field: LungField, _anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """A cloud of airless lung with blurred edges and air-filled bronchi in it."""
    lung = field.lung
    centre = lung.side * rng.uniform(42, 92), rng.uniform(-85, lung.dome[1] - 25)
    radii = rng.uniform(26, 42), rng.uniform(24, 40)
    shape = ellipse(grid, centre, radii, rng.uniform(-1, 1)) + 5 * clouds(
        grid, int(rng.integers(1 << 30)), 26, 6
    )
    cloud = soft(shape + 1, 8.0) * soft(field.distance, 2.5)
    texture = 1 + np.float32(0.09) * clouds(grid, int(rng.integers(1 << 30)), 12, 3)
    bronchi = _bronchi(grid, lung, centre, rng)
    strength = np.float32(rng.uniform(0.24, 0.38))
    return Lesion(cloud > 0.4, strength * cloud * texture * (1 - np.float32(0.3) * bronchi))


def _bronchi(grid: Grid, lung: Lung, centre: tuple[float, float], rng: np.random.Generator) -> Plane:
    hilum = np.array(lung.hilum)
    outwards = np.array(centre) - hilum
    air = grid.empty()
    for _ in range(4):
        turn = rng.uniform(-0.35, 0.35)
        cos, sin = np.cos(turn), np.sin(turn)
        way = np.array([outwards[0] * cos - outwards[1] * sin, outwards[0] * sin + outwards[1] * cos])
        start, end = hilum + way * 0.55, hilum + way * rng.uniform(1.1, 1.35)
        distance, along = capsule(grid, (start[0], start[1]), (end[0], end[1]))
        air = np.maximum(air, soft(distance - (1.6 - 0.8 * along), 0.8))
    return air


def nodule(grid: Grid, field: LungField, _anatomy: Anatomy, rng: np.random.Generator) -> Lesion:
    """A round shadow of 16 to 34 mm: a ball, whose density falls towards its edge."""
    lung, radius = field.lung, float(rng.uniform(8, 17))
    while True:
        x, y = lung.side * rng.uniform(38, 110), rng.uniform(-120, lung.dome[1] - 12)
        u, v = _in_lung(lung, x, y)
        if abs(u) ** lung.power + abs(v) ** lung.power < 0.68:
            break
    flat = rng.uniform(0.85, 1.0)
    shape = ellipse(grid, (x, y), (radius, radius * flat), rng.uniform(0, 3))
    shape = shape + np.float32(0.07 * radius) * clouds(grid, int(rng.integers(1 << 30)), 12, 4)
    depth = np.sqrt(np.clip(-shape / np.float32(radius), 0, 1))
    strength = rng.uniform(0.20, 0.29) * (0.8 + radius / 60)
    return Lesion(shape < 0, np.float32(strength) * np.minimum(depth * 1.25, 1) * soft(shape, 1.2))


def _in_lung(lung: Lung, x: float, y: float) -> tuple[float, float]:
    place = Grid(np.full((1, 1), x, np.float32), np.full((1, 1), y, np.float32), 1.0)
    u, v = turned(place, lung.centre, -lung.side * lung.lean)
    return u.item() / lung.radii[0], v.item() / lung.radii[1]


Draw = Callable[[Grid, LungField, Anatomy, np.random.Generator], Lesion]
# Cardiomegaly is a property of the anatomy; its mask is the heart.
DRAW: dict[str, Draw] = {
    "Pneumothorax": pneumothorax,
    "Effusion": effusion,
    "Consolidation": consolidation,
    "Nodule": nodule,
}
