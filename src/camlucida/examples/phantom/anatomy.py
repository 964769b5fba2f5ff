"""The numbers of one phantom patient, in mm: x to the right of the film (the patient's left), y downwards."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class Lung:
    """One lung: a leaning superellipse that the diaphragm's dome cuts; `side` is -1 (right) or 1 (left)."""

    side: int
    centre: tuple[float, float]
    radii: tuple[float, float]
    lean: float  # radians, positive leans outwards at the base
    power: float
    dome: tuple[float, float, float, float]  # x and y of its top, half-width and depth

    @property
    def hilum(self) -> tuple[float, float]:
        """Where vessels and bronchi enter."""
        return self.side * 36.0, -24.0


@dataclass(frozen=True)
class Heart:
    """Two ellipses: the left ventricle, which makes the apex, and the right atrium."""

    centre: tuple[float, float]
    radii: tuple[float, float]
    lean: float
    atrium_centre: tuple[float, float]
    atrium_radii: tuple[float, float]


@dataclass(frozen=True)
class Anatomy:
    """Everything about one phantom patient that does not change from visit to visit."""

    seed: int
    size: float  # 1 is an average adult
    width: float  # of the thorax, 1 is average
    sex: str  # "F" or "M"
    age: int
    softness: float  # thickness of soft tissue, 1 is average
    bone: float  # brightness of bone, 1 is average
    rib_pitch: float  # mm from rib to rib
    rib_slope: float
    clavicle: float  # height of the clavicles, mm
    lungs: tuple[Lung, Lung]
    heart: Heart


def draw_anatomy(seed: int, *, cardiomegaly: bool = False) -> Anatomy:
    """The phantom patient with this number; the same number is always the same patient.

    With `cardiomegaly` the heart is wider than half of the thorax (cardiothoracic ratio 0.57 to 0.68 instead
    of 0.40 to 0.49); nothing else differs.
    """
    rng = np.random.default_rng([seed, 1])
    size, width = rng.normal(1.0, 0.045), rng.normal(1.0, 0.045)
    lungs = (_lung(rng, -1, size, width), _lung(rng, 1, size, width))
    ratios = rng.uniform(0.40, 0.49), rng.uniform(0.57, 0.68)
    sex = "F" if rng.random() < 0.5 else "M"
    anatomy = Anatomy(
        seed=seed,
        size=size,
        width=width,
        sex=sex,
        age=int(rng.integers(22, 88)),
        softness=float(np.clip(rng.normal(1.0, 0.15), 0.65, 1.4)),
        bone=float(np.clip(rng.normal(1.0, 0.15), 0.7, 1.35)),
        rib_pitch=float(rng.normal(24.5, 1.0)) * size,
        rib_slope=float(rng.normal(1.0, 0.15)),
        clavicle=float(rng.normal(-122, 5)) * size,
        lungs=lungs,
        heart=_heart(rng, lungs, ratios[cardiomegaly]),
    )
    return replace(anatomy, lungs=lungs)


def thorax_width(lungs: tuple[Lung, Lung]) -> float:
    """The inner width of the thorax, mm: what the heart's width is compared with."""
    return sum(abs(lung.centre[0]) + lung.radii[0] for lung in lungs)


def _lung(rng: np.random.Generator, side: int, size: float, width: float) -> Lung:
    x = side * (71 + rng.normal(0, 1.5)) * width
    radius = (61 + rng.normal(0, 2.0)) * width
    top = (96 if side < 0 else 108) * size + rng.normal(0, 7)  # the liver lifts the right dome
    dome = (side * (66 + rng.normal(0, 4)) * width, top, 74 * width, float(rng.uniform(30, 46)))
    return Lung(
        side,
        (x, 22 * size),
        (radius, 186 * size),
        float(rng.normal(0.075, 0.015)),
        float(rng.uniform(2.3, 2.7)),
        dome,
    )


def _heart(rng: np.random.Generator, lungs: tuple[Lung, Lung], ratio: float) -> Heart:
    """A heart whose width is `ratio` of the thorax, two thirds of it on the patient's left."""
    extent = ratio * thorax_width(lungs)
    left, right = extent * 0.68, extent * 0.32
    bottom = (lungs[0].dome[1] + lungs[1].dome[1]) / 2
    height = 0.40 * extent + 12
    radius = (left + 18) / 2
    centre = (left - radius, bottom - height * 0.62 + rng.normal(0, 3))
    return Heart(
        centre=centre,
        radii=(radius * 1.04, height),
        lean=float(rng.uniform(-0.75, -0.5)),
        atrium_centre=(-right + 30, centre[1] - 8),
        atrium_radii=(30.0, height * 0.95),
    )
