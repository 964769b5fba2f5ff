"""Things on a film that no disease puts there, for planting shortcuts: their place and look are known.

Each is drawn in millimetres at one fixed place of the film, however the phantom patient stands. They are
masks and pictures only; `camlucida.images.artefact.phantom_artefact` puts them on any image.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from camlucida.examples.phantom.lettering import frame, letters
from camlucida.examples.phantom.shapes import Grid, Plane, capsule, ellipse, soft

HEIGHT, WIDTH = 430.0, 380.0
"""Of the film, mm."""


@dataclass(frozen=True)
class Drawing:
    """One artefact: `alpha` draws how much it covers (0..1, as the grid); `brightness` is 0 black to 1 white.

    `inside_the_body` says that it lies on the patient, where a finding could lie too.
    """

    alpha: Callable[[Grid], Plane]
    brightness: float
    inside_the_body: bool = False


def film_grid(rows: int) -> Grid:
    """The grid of a whole film."""
    return Grid.of(HEIGHT, WIDTH, rows)


def _corner_tag(grid: Grid) -> Plane:
    """The lead tag of `radiograph(marker=True)`."""
    return np.maximum(letters(grid, "PAX", -178, -202, 14), frame(grid, -183, -207, -135, -183, 2.0))


def _side_letter(grid: Grid) -> Plane:
    return letters(grid, "R", -172, -150, 26)


def _collimator(grid: Grid) -> Plane:
    """Shutters on all four sides."""
    across = soft(np.float32(WIDTH / 2 - 13) - np.abs(grid.x), 1.0)
    down = soft(np.float32(HEIGHT / 2 - 13) - np.abs(grid.y), 1.0)
    return np.maximum(across, down) * np.ones(grid.shape, np.float32)


def _drain(grid: Grid) -> Plane:
    """A chest drain: from the patient's left chest wall up to the apex of the lung."""
    way = [(150.0, 60.0), (118.0, 30.0), (96.0, -25.0), (78.0, -75.0), (62.0, -112.0)]
    distances = [capsule(grid, start, end)[0] for start, end in pairwise(way)]
    return np.float32(0.9) * soft(np.minimum.reduce(distances) - np.float32(3.0), 1.0)


def _device(grid: Grid) -> Plane:
    """A pacemaker's can below the patient's left clavicle, and its lead to the heart."""
    can = soft(ellipse(grid, (104, -82), (21, 16), 0.2, 4.0), 1.0)
    lead = [
        capsule(grid, start, end)[0]
        for start, end in (((92, -90), (30, -80)), ((30, -80), (8, -10)), ((8, -10), (40, 62)))
    ]
    return np.float32(0.9) * np.maximum(can, soft(np.minimum.reduce(lead) - np.float32(1.2), 0.8))


def _electrodes(grid: Grid) -> Plane:
    """Three electrodes of an ECG on the chest."""
    places = ((-88.0, -70.0), (88.0, -35.0), (-84.0, 62.0))
    discs = [soft(ellipse(grid, place, (11, 11)), 1.0) for place in places]
    covered: Plane = np.float32(0.9) * np.maximum.reduce(discs)
    return covered


DRAWINGS: Mapping[str, Drawing] = {
    "corner tag": Drawing(_corner_tag, 1.0),
    "side letter": Drawing(_side_letter, 1.0),
    "collimator": Drawing(_collimator, 0.0),
    "drain": Drawing(_drain, 0.95, inside_the_body=True),
    "device": Drawing(_device, 1.0, inside_the_body=True),
    "electrodes": Drawing(_electrodes, 1.0, inside_the_body=True),
}
"""By name. The corner tag is also drawn by `radiograph(marker=True)`."""
