"""Phantom chest radiographs: 12-bit PA films drawn in millimetres, with findings whose place is known.

The film of a given patient, visit and findings is the same picture at every resolution, so that a network
trained on small films meets the same thing in large ones. It is a drawing with the greys of a radiograph, no
simulation of X-rays: good for seeing whether a map points where the truth is, and for nothing clinical.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from camlucida.errors import InputError
from camlucida.examples.phantom.anatomy import Anatomy, Heart, draw_anatomy
from camlucida.examples.phantom.lesions import DRAW, FINDINGS, Lesion, LungField, dome_height, lung_field
from camlucida.examples.phantom.lettering import frame, letters
from camlucida.examples.phantom.shapes import Grid, Mask, Plane, capsule, clouds, ellipse, soft

HEIGHT, WIDTH = 430.0, 380.0  # of the film, mm
WHITE = 4095  # 12 bits


@dataclass(frozen=True, eq=False)
class Radiograph:
    """One phantom film.

    `values` are stored values (row, column), uint16 of 12 bits, where white is high (MONOCHROME2);
    `masks` say for each finding that is present where it is; `spacing` is in mm.
    """

    values: np.ndarray[tuple[int, int], np.dtype[np.uint16]]
    masks: Mapping[str, Mask]
    spacing: float
    anatomy: Anatomy
    visit: int
    marker: bool


@dataclass(frozen=True)
class _Bones:
    """Bands of bone that are drawn the same way on both sides."""

    pitch: float
    slope: float
    brightness: float


def radiograph(
    seed: int,
    findings: Collection[str] = (),
    *,
    rows: int = 1440,
    visit: int = 0,
    marker: bool = False,
    sides: Mapping[str, int] | None = None,
) -> Radiograph:
    """The film of phantom patient `seed` at `visit`, with `findings` out of `FINDINGS`.

    `rows` is the resolution: the film is always 430 × 380 mm. The visit changes position, exposure and noise
    and the shape of the findings, never the patient. `marker` puts a lead tag "PAX" into the upper left
    corner, a shortcut to learn. `sides` fixes the side of a finding: -1 is the patient's right (left on the
    film), 1 the left; otherwise the patient's number decides.

    Raises
    ------
    InputError
        A finding has another name than those in `FINDINGS`.
    """
    unknown = sorted(set(findings) - set(FINDINGS))
    if unknown:
        raise InputError(f"A phantom has no finding “{unknown[0]}”; it can have: {', '.join(FINDINGS)}.")
    anatomy = draw_anatomy(seed, cardiomegaly="Cardiomegaly" in findings)
    pose = np.random.default_rng([seed, 2, visit])
    grid = Grid.of(HEIGHT, WIDTH, rows)
    body = _placed(grid, pose)
    lungs = {lung.side: lung_field(body, lung) for lung in anatomy.lungs}
    lesions = _lesions(
        body, lungs, anatomy, [name for name in FINDINGS if name in findings], visit, sides or {}
    )
    density = _density(body, anatomy, lungs, list(lesions.values()))
    values = _exposed(density, grid, pose, [seed, 3, visit], marker=marker)
    masks = {name: lesion.mask for name, lesion in lesions.items()}
    if "Cardiomegaly" in findings:
        masks["Cardiomegaly"] = _heart(body, anatomy.heart) < 0
    return Radiograph(values, masks, grid.spacing, anatomy, visit, marker)


def _placed(grid: Grid, pose: np.random.Generator) -> Grid:
    """The grid as the patient stands in it today: shifted, and a little nearer or farther."""
    zoom = np.float32(pose.normal(1.0, 0.02))
    x, y = pose.normal(0, 5), pose.normal(0, 6)
    return replace(
        grid,
        x=(grid.x - np.float32(x)) * zoom,
        y=(grid.y - np.float32(y)) * zoom,
        spacing=grid.spacing * float(zoom),
    )


def _lesions(
    grid: Grid,
    lungs: Mapping[int, LungField],
    anatomy: Anatomy,
    names: Collection[str],
    visit: int,
    sides: Mapping[str, int],
) -> dict[str, Lesion]:
    lesions = {}
    for name in names:
        if name in DRAW:
            rng = np.random.default_rng([anatomy.seed, 4, FINDINGS.index(name)])
            side = int(rng.choice([-1, 1]))
            changing = np.random.default_rng([anatomy.seed, 5, FINDINGS.index(name), visit])
            lesions[name] = DRAW[name](grid, lungs[sides.get(name, side)], anatomy, changing)
    return lesions


def _density(
    grid: Grid, anatomy: Anatomy, lungs: Mapping[int, LungField], lesions: Collection[Lesion]
) -> Plane:
    """How white each place of the film is, about 0 to 1, before exposure and noise."""
    torso = _torso(grid, anatomy)
    central = _central(grid, anatomy)
    air, marks = grid.empty(), grid.empty()
    for field in lungs.values():
        full = _lung_air(field)
        air += full
        marks += _vessels(grid, field, anatomy) * np.minimum(full * 1.5, 1)
    for lesion in lesions:
        if lesion.air is not None:
            marks *= 1 - lesion.air
        if lesion.fluid is not None:
            air *= 1 - lesion.fluid
            marks *= 1 - lesion.fluid
    tissue = np.float32(0.72) * torso
    density = tissue - np.float32(0.49) * air * (1 - np.float32(0.84) * central) + marks * (1 - central * 0.7)
    density += _bones(grid, anatomy) * (0.35 + 0.65 * torso) + _soft_parts(grid, anatomy, air)
    density += np.float32(0.05) * central * torso
    for lesion in lesions:
        density += lesion.density * (1 - np.float32(0.55) * central)
    return density


def _torso(grid: Grid, anatomy: Anatomy) -> Plane:
    """Chest, shoulders and neck: 1 where thick, 0 in the air beside them."""
    size = anatomy.size
    chest = ellipse(grid, (0, 130 * size), (188 * anatomy.width, 320 * size), power=3.2)
    neck = ellipse(grid, (0, -190 * size), (58 * size, 90 * size), power=3.0)
    shoulders = ellipse(grid, (0, -52 * size), (230 * size, 112 * size), power=2.4)
    outline = np.minimum(np.minimum(chest, shoulders), neck)
    thick = 1 - np.exp(np.minimum(outline, 0) / np.float32(26))
    return (thick * (0.86 + 0.14 * anatomy.softness) * soft(outline, 2.0)).astype(np.float32)


def _heart(grid: Grid, heart: Heart) -> Plane:
    """Distance to the heart's outline."""
    ventricle = ellipse(grid, heart.centre, heart.radii, -heart.lean * 0.45, 2.1)
    atrium = ellipse(grid, heart.atrium_centre, heart.atrium_radii, 0.0, 2.2)
    return np.minimum(ventricle, atrium)


def _central(grid: Grid, anatomy: Anatomy) -> Plane:
    """Heart, great vessels and mediastinum: 1 where they take the lungs' place."""
    size = anatomy.size
    heart = soft(_heart(grid, anatomy.heart), 2.2)
    band = (
        np.float32(27 * size)
        + 7 * np.exp(-(((grid.y + 150) / 40) ** 2))
        + 5 * np.exp(-(((grid.y - 60) / 60) ** 2))
    )
    middle = soft(np.abs(grid.x - 1) - band, 3.0)
    knob = soft(ellipse(grid, (20 * size, -70 * size), (17 * size, 20 * size)), 2.2)
    descending = soft(np.abs(grid.x - 22 * size) - 11 * size, 2.0) * soft(-72 * size - grid.y, 6.0) * 0.8
    trunk = soft(ellipse(grid, (27 * size, -40 * size), (17 * size, 22 * size)), 3.0) * 0.85
    cava = soft(ellipse(grid, (-21 * size, -75 * size), (14 * size, 75 * size)), 3.0) * 0.8
    parts = [heart, middle, knob, descending, trunk, cava]
    left = np.ones(grid.shape, np.float32)
    for part in parts:
        left = left * (1 - part)
    return 1 - left


def _lung_air(field: LungField) -> Plane:
    """The depth of air that the rays cross, 0..1: deep in the middle, shallow at the edge."""
    depth = 1 - np.exp(np.minimum(field.outline, 0) / np.float32(16))
    above = soft(field.floor, 1.6) * (0.8 + 0.2 * (1 - np.exp(np.minimum(field.floor, 0) / np.float32(20))))
    behind = np.float32(0.13) * soft(field.floor - 34, 12.0)  # the lung goes on behind the dome
    air: Plane = (0.52 + 0.48 * depth) * soft(field.outline, 1.8) * np.maximum(above, behind)
    return air


def _vessels(grid: Grid, field: LungField, anatomy: Anatomy) -> Plane:
    """Vessels that branch from the hilum and thin out, and the fine texture between them."""
    rng = np.random.default_rng([anatomy.seed, 6, field.lung.side + 1])
    plane = grid.empty()
    hilum = np.array(field.lung.hilum) * anatomy.size
    for angle in np.linspace(-1.25, 1.3, 7):
        way = np.array([field.lung.side * np.cos(angle), np.sin(angle)])
        _branch(plane, grid, hilum + rng.normal(0, 5, 2), way, 3.6 * rng.uniform(0.75, 1.15), 46.0, rng)
    texture = clouds(grid, int(rng.integers(1 << 30)), 14, 1.8)
    hazy = clouds(grid, int(rng.integers(1 << 30)), 60, 25)
    root = soft(ellipse(grid, (hilum[0], hilum[1] + 6), (13, 27), field.lung.side * 0.25), 9.0)
    marks: Plane = (
        np.minimum(plane, 0.3) + 0.017 * texture + 0.012 * hazy + 0.14 * root * (1 + 0.25 * texture)
    )
    return marks


def _branch(
    plane: Plane,
    grid: Grid,
    start: np.ndarray[tuple[int], np.dtype[np.float64]],
    way: np.ndarray[tuple[int], np.dtype[np.float64]],
    radius: float,
    length: float,
    rng: np.random.Generator,
) -> None:
    if radius < 0.75:
        return
    end = start + way * length * rng.uniform(0.7, 1.2)
    reach = radius + 3
    low, high = np.minimum(start, end) - reach, np.maximum(start, end) + reach
    window = grid.window(low[0], low[1], high[0], high[1])
    distance, along = capsule(window.grid, (start[0], start[1]), (end[0], end[1]))
    thick = radius * (1 - 0.3 * along)
    part = window.of(plane)
    np.maximum(
        part, (0.036 * thick * soft(distance - thick, 0.35 + 0.3 * radius)).astype(np.float32), out=part
    )
    for turn in (rng.uniform(0.12, 0.5), -rng.uniform(0.12, 0.5)):
        cos, sin = np.cos(turn), np.sin(turn)
        onwards = np.array([way[0] * cos - way[1] * sin, way[0] * sin + way[1] * cos])
        _branch(plane, grid, end, onwards, radius * rng.uniform(0.58, 0.74), length * 0.74, rng)


def _bones(grid: Grid, anatomy: Anatomy) -> Plane:
    plane = grid.empty()
    bones = _Bones(anatomy.rib_pitch, anatomy.rib_slope, anatomy.bone)
    for side in (-1, 1):
        for number in range(1, 10):
            _posterior_rib(plane, grid, anatomy, bones, side, number)
        for number in range(1, 7):
            _anterior_rib(plane, grid, anatomy, bones, side, number)
        _clavicle(plane, grid, anatomy, side)
        _shoulder(plane, grid, anatomy, side)
    plane += _spine(grid, anatomy)
    return plane * np.float32(anatomy.bone)


def _reach(anatomy: Anatomy, side: int, y: float) -> float:
    """How far outwards the rib cage goes at height `y`, mm."""
    lung = anatomy.lungs[0 if side < 0 else 1]
    share = min(abs((y - lung.centre[1]) / (lung.radii[1] + 6)), 0.995)
    half: float = (lung.radii[0] + 4) * (1 - share**lung.power) ** (1 / lung.power)
    return abs(lung.centre[0]) + (y - lung.centre[1]) * lung.lean + half


def _band(plane: Plane, window_grid: Grid, line: Plane, slope: Plane, half: float, shade: Plane) -> None:
    """A flat band of bone around the curve y = line(x): brighter along its two edges, as cortical bone is."""
    across = np.abs(window_grid.y - line) / np.sqrt(1 + slope**2)
    inside = soft(across - half, 0.9)
    rim = np.exp(-(((across - (half - 1.2)) / 1.3) ** 2))
    plane += inside * (0.62 + 0.38 * rim) * shade


def _posterior_rib(plane: Plane, grid: Grid, anatomy: Anatomy, bones: _Bones, side: int, number: int) -> None:
    start = (-152 * anatomy.size) + number * bones.pitch
    end = start + (14 + 3.4 * number) * bones.slope
    reach = _reach(anatomy, side, end)
    low, high = sorted((side * 14.0, side * reach))
    window = grid.window(low, start - 40, high, end + 30)
    x = np.abs(window.grid.x)
    share = (x - 14) / np.float32(reach - 14)
    rise, fall = 9 * anatomy.size, end - start
    line = start - rise * np.sin(np.pi * np.clip(share * 1.15, 0, 1)) + fall * share**2.6
    slope = (2.6 * fall * np.maximum(share, 0.01) ** 1.6 - rise * np.pi * np.cos(np.pi * share)) / np.float32(
        reach - 14
    )
    wall = 1 + 0.7 * np.clip(share - 0.75, 0, 0.25) * 4  # seen edge-on at the chest wall
    shade = 0.08 * wall * soft((share - 0.97) * 100, 4.0) * soft(19 - x, 4.0)
    _band(window.of(plane), window.grid, line, slope, 5.4 * anatomy.size, shade.astype(np.float32))


def _anterior_rib(plane: Plane, grid: Grid, anatomy: Anatomy, bones: _Bones, side: int, number: int) -> None:
    start = -108 * anatomy.size + (number - 1) * bones.pitch * 1.04  # at the chest wall
    drop = (40 + 5 * number) * bones.slope
    reach = _reach(anatomy, side, start)
    inner = 34 + 7.5 * number  # here cartilage begins, which is not seen
    if reach < inner + 10:
        return
    low, high = sorted((side * (inner - 8), side * reach))
    window = grid.window(low, start - 14, high, start + drop + 16)
    share = (np.float32(reach) - np.abs(window.grid.x)) / np.float32(reach - inner)
    line = start + drop * np.clip(share, 0, 1.3) ** 0.72
    slope = 0.72 * drop * np.maximum(share, 0.06) ** -0.28 / np.float32(reach - inner)
    shade = (0.052 * soft((share - 1) * 60, 7.0)).astype(np.float32)
    _band(window.of(plane), window.grid, line, slope, 6.0 * anatomy.size, shade)


def _clavicle(plane: Plane, grid: Grid, anatomy: Anatomy, side: int) -> None:
    length = 150 * anatomy.size
    low, high = sorted((side * 12.0, side * length))
    window = grid.window(low, anatomy.clavicle - 60, high, anatomy.clavicle + 30)
    share = (np.abs(window.grid.x) - 12) / np.float32(length - 12)
    line = anatomy.clavicle + 8 * np.cos(share * 4.4) - 30 * share
    slope = (-8 * 4.4 * np.sin(share * 4.4) - 30) / np.float32(length - 12)
    half = 5.2 + 2.2 * np.exp(-(((share - 0.0) / 0.12) ** 2)) + 1.4 * np.exp(-(((share - 1) / 0.2) ** 2))
    shade = (0.12 * soft((0.0 - share) * 100, 2.0)).astype(np.float32)
    across = np.abs(window.grid.y - line) / np.sqrt(1 + slope**2)
    rim = np.exp(-(((across - (half - 1.4)) / 1.5) ** 2))
    part = window.of(plane)
    part += soft(across - half, 1.0) * (0.6 + 0.4 * rim) * shade


def _shoulder(plane: Plane, grid: Grid, anatomy: Anatomy, side: int) -> None:
    """Scapula and the head of the humerus at the edge of the film."""
    x, y = side * 178 * anatomy.size, (anatomy.clavicle + 8)
    head = ellipse(grid, (x, y), (25, 27))
    shaft = ellipse(grid, (x + side * 12, y + 70), (13, 75), -side * 0.12, 3.0)
    blade = ellipse(grid, (side * 150 * anatomy.width, y + 62), (30, 78), -side * 0.22, 2.6)
    edge = np.exp(-((blade / 2.2) ** 2))
    plane += 0.16 * soft(np.minimum(head, shaft), 1.6) + 0.035 * soft(blade, 2.0) + 0.035 * edge


def _spine(grid: Grid, anatomy: Anatomy) -> Plane:
    """Vertebrae with their discs, pedicles and spinous processes, faint behind the mediastinum."""
    pitch = anatomy.rib_pitch * 1.0
    along = (grid.y + 160 * anatomy.size) / np.float32(pitch)
    within = np.abs(along - np.round(along)) * np.float32(pitch)
    half = np.float32(15.5 * anatomy.size) + 2.5 * (within / np.float32(pitch / 2)) ** 2
    column = soft(np.abs(grid.x) - half, 1.4)
    disc = np.exp(-(((within - np.float32(pitch / 2)) / 1.8) ** 2))
    pedicle = np.exp(-(((np.abs(grid.x) - 10.5) / 3.2) ** 2 + ((within - 3) / 4.0) ** 2))
    spinous = np.exp(-((grid.x / 2.2) ** 2 + ((within - 2) / 5.0) ** 2))
    spine: Plane = (column * (0.06 - 0.035 * disc) + 0.03 * pedicle + 0.03 * spinous).astype(np.float32)
    return spine


def _soft_parts(grid: Grid, anatomy: Anatomy, air: Plane) -> Plane:
    """Windpipe, gas in the stomach, liver, breasts and the folds of the shoulder muscles."""
    size = anatomy.size
    plane = grid.empty()
    windpipe = soft(np.abs(grid.x - 1.5) - 8.5 * size, 1.4) * soft(grid.y + 62 * size, 5.0)
    for side, drop in ((-1, 30.0), (1, 42.0)):
        distance, _ = capsule(grid, (1.5, -64 * size), (side * drop * 1.05, -38 * size))
        windpipe = np.maximum(windpipe, soft(distance - 5.5 * size, 1.6) * 0.8)
    plane -= 0.15 * windpipe
    rng = np.random.default_rng([anatomy.seed, 7])
    dome = dome_height(anatomy.lungs[1], np.array([[anatomy.lungs[1].dome[0]]], np.float32)).item()
    bubble = ellipse(
        grid, (anatomy.lungs[1].dome[0] - 8, dome + 27), (rng.uniform(16, 34), rng.uniform(9, 17)), 0.1
    )
    plane -= np.float32(0.2) * soft(bubble, 2.5)
    below = 1 - np.minimum(air * 3, 1)
    plane += 0.07 * soft(70 - grid.y, 30.0) * below
    if anatomy.sex == "F":
        fold = rng.uniform(40, 75)
        for side in (-1, 1):
            breast = ellipse(grid, (side * 78 * anatomy.width, fold), (62, 58), 0.0, 2.2)
            depth = 1 - np.exp(np.minimum(breast, 0) / 20)
            plane += np.float32(0.075 * anatomy.softness) * depth * soft(breast, 3.0)
    return plane.astype(np.float32)


def _exposed(
    density: Plane, grid: Grid, pose: np.random.Generator, noise_seed: list[int], *, marker: bool
) -> np.ndarray[tuple[int, int], np.dtype[np.uint16]]:
    """Density to stored values: scatter, exposure, the tube's heel effect, lead letters, noise, 12 bits."""
    tilt = pose.normal(0, 0.025) * grid.x / 190 + pose.normal(0, 0.025) * grid.y / 215
    vignette = np.float32(0.03) * ((grid.x / 190) ** 2 + (grid.y / 215) ** 2)
    exposure, contrast = pose.normal(0.0, 0.02), pose.normal(1.0, 0.05)
    film = 0.5 + (density + tilt - vignette - 0.5) * contrast + exposure
    side = letters(grid, "L", pose.uniform(140, 162), pose.uniform(-200, -150), 12)
    film = film + (1.02 - film) * side * pose.choice([0.0, 1.0], p=[0.15, 0.85])
    if marker:
        film = film + (1.04 - film) * np.maximum(
            letters(grid, "PAX", -178, -202, 14), frame(grid, -183, -207, -135, -183, 2.0)
        )
    noise = np.random.default_rng(noise_seed).standard_normal(grid.shape, np.float32)
    # The same quanta fall on a square millimetre, however many pixels share them.
    deviation = np.float32(0.0065 / max(grid.spacing, 0.15)) * (1.15 - 0.5 * np.clip(film, 0, 1))
    film = film + noise * np.minimum(deviation, 0.05)
    return np.clip(np.round(WHITE * (0.04 + 0.88 * _toe(film))), 0, WHITE).astype(np.uint16)


def _toe(film: Plane) -> Plane:
    """The soft shoulders of a film's characteristic curve, about the identity between them."""
    return np.where(film > 0.85, 0.85 + 0.15 * np.tanh((film - 0.85) / 0.15), np.maximum(film, 0)).astype(
        np.float32
    )
