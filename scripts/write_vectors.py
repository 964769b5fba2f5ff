"""Writes tests/vectors/*.json: what windowing, colour, blending, resampling, geometry … must give.

The formulas stand here a second time, slowly and one number at a time, in plain Python without numpy, so that
the fast code of the engine (numpy) and of the viewer (TypeScript, WebGL) can both be held against them.

    python scripts/write_vectors.py [FOLDER]
"""

import json
import math
import sys
from itertools import product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "vectors"
TABLES = ROOT / "src" / "camlucida" / "rendering" / "colour_tables.json"

EDGE = 1e-6  # in cells: a pixel centre on the very edge of the field counts as seen, whatever the rounding

Case = dict[str, Any]
Matrix = list[list[float]]


def half_up(value: float) -> int:
    """The nearest whole number; a half goes up."""
    return math.floor(value + 0.5)


def clip(value: float, low: float, high: float) -> float:
    """The value, or the bound that it is beyond."""
    return min(max(value, low), high)


# --- windowing: PS3.3 C.11.2.1.2 and C.11.2.1.1 ------------------------------------------------------------


def windowed(x: float, window: Case) -> float:
    """Display value from 0 to 1 of a modality value."""
    c, w = window["center"], window["width"]
    if window["function"] == "SIGMOID":
        return 1 / (1 + math.exp(clip(-4 * (x - c) / w, -700, 700)))
    if window["function"] == "LINEAR_EXACT":
        if x <= c - w / 2:
            return 0.0
        return 1.0 if x > c + w / 2 else (x - c) / w + 0.5
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    return 1.0 if x > c - 0.5 + (w - 1) / 2 else (x - (c - 0.5)) / (w - 1) + 0.5


def looked_up(x: float, lut: Case) -> float:
    """Display value from 0 to 1 of a modality value by a VOI LUT."""
    entry = int(clip(half_up(x) - lut["first_mapped"], 0, len(lut["table"]) - 1))
    return float(clip(lut["table"][entry] / (2 ** lut["bits"] - 1), 0, 1))


def grey(stored: float, case: Case) -> int:
    """Grey level from 0 to 255 of a stored value."""
    padding = case["padding"]
    if padding is not None and padding[0] <= stored <= padding[1]:
        return 0
    x = stored * case["slope"] + case["intercept"]
    display = windowed(x, case["window"]) if case["window"] else looked_up(x, case["voi_lut"])
    if case["photometric"] == "MONOCHROME1":
        display = 1 - display
    return half_up(255 * display)


def windowing_case(name: str, stored: list[float], **given: Any) -> Case:
    """One case with its answers; what is not given has its neutral value."""
    case: Case = {
        "name": name,
        "photometric": "MONOCHROME2",
        "slope": 1.0,
        "intercept": 0.0,
        "padding": None,
        "window": None,
        "voi_lut": None,
        **given,
    }
    return {**case, "stored": stored, "grey": [grey(value, case) for value in stored]}


def window(center: float, width: float, function: str = "LINEAR") -> Case:
    """Window center and width with the function's name."""
    return {"center": center, "width": width, "function": function}


def windowing() -> list[Case]:
    """Every function, both photometric interpretations, rescale, padding, the narrowest windows, VOI LUTs."""
    twelve = [0.0, 1, 2, 5, 100, 1000, 1023, 1024, 2046, 2047, 2048, 2049, 3000, 4094, 4095]
    hounsfield = [-2000.0, -1024, -1000, -260, -259, -160, -1, 0, 1, 39, 40, 41, 200, 239, 240, 241, 3071]
    rg1 = [0.0, 1, 7500, 14999, 15000, 15001, 29998, 29999, 30000, 32767]
    ramp = {"first_mapped": 100, "bits": 12, "table": [0, 100, 500, 1500, 3000, 4000, 4095]}
    signed = {"first_mapped": -3, "bits": 8, "table": [0, 40, 80, 120, 160, 200, 255]}
    reverse = {"first_mapped": 0, "bits": 16, "table": [65535, 40000, 20000, 5000, 0]}
    stored = [0.0, 500, 984, 1000, 1024, 1064, 1065, 1200, 1264, 2000, 4095]
    return [
        windowing_case("12 bits, whole range", twelve, window=window(2048, 4096)),
        windowing_case("12 bits, narrow", twelve, window=window(2048, 4)),
        windowing_case("12 bits, width 2", twelve, window=window(2048, 2)),
        windowing_case("width 1 is a step", twelve, window=window(2048, 1)),
        windowing_case("exact", twelve, window=window(2047.5, 4095, "LINEAR_EXACT")),
        windowing_case(
            "exact, width below 1", [1.0, 1.2, 1.3, 1.5, 1.7, 2.0], window=window(1.5, 0.5, "LINEAR_EXACT")
        ),
        windowing_case("sigmoid", twelve, window=window(2048, 1024, "SIGMOID")),
        windowing_case("sigmoid does not overflow", [-1e6, 0.0, 1e6], window=window(0, 1, "SIGMOID")),
        windowing_case("HU, soft tissue 40/400", hounsfield, window=window(40, 400)),
        windowing_case("HU, lung -600/1500", hounsfield, window=window(-600, 1500)),
        windowing_case("rescaled: HU = stored - 1024", stored, intercept=-1024.0, window=window(40, 400)),
        windowing_case("slope of a half", stored, slope=0.5, intercept=-10.25, window=window(500, 800)),
        windowing_case("inverted", rg1, photometric="MONOCHROME1", window=window(15000, 30000)),
        windowing_case(
            "inverted sigmoid", rg1, photometric="MONOCHROME1", window=window(15000, 10000, "SIGMOID")
        ),
        windowing_case(
            "padding stays black",
            [-2000.0, -1999, -1000, 0, 1000],
            padding=[-2000.0, -2000.0],
            window=window(0, 4000),
        ),
        windowing_case(
            "padding stays black when inverted",
            [0.0, 1, 2, 3, 4095],
            photometric="MONOCHROME1",
            padding=[0.0, 2.0],
            window=window(2048, 4096),
        ),
        windowing_case(
            "VOI LUT, 12 bits", [0.0, 99, 100, 101, 102, 103, 104, 105, 106, 107, 5000], voi_lut=ramp
        ),
        windowing_case("VOI LUT, signed", [-100.0, -4, -3, -2, -1, 0, 1, 2, 3, 4], voi_lut=signed),
        windowing_case(
            "VOI LUT, falling, inverted", [0.0, 1, 2, 3, 4, 5], photometric="MONOCHROME1", voi_lut=reverse
        ),
        windowing_case(
            "VOI LUT after rescale", [90.0, 99, 100, 103, 120], slope=1.5, intercept=-48.5, voi_lut=ramp
        ),
    ]


# --- colour and blending ------------------------------------------------------------------------------------


def colour(tables: Case, name: str, index: int) -> list[int]:
    """Red, green and blue of one entry."""
    digits = tables[name]["rgb"][6 * index : 6 * index + 6]
    return [int(digits[i : i + 2], 16) for i in (0, 2, 4)]


def colour_maps(tables: Case) -> list[Case]:
    """Some entries of each table, and the entries that evidence falls on."""
    entries = [
        {"colour_map": name, "index": index, "rgb": colour(tables, name, index)}
        for name in tables
        for index in (0, 1, 64, 127, 128, 200, 254, 255)
    ]
    values = (-1.0, -0.5, -0.001, 0.0, 0.001, 0.0019, 0.002, 0.25, 0.4999, 0.5, 0.75, 0.999, 1.0, 3.0)
    picked = [
        {
            "colour_map": name,
            "scale": scale,
            "value": value * scale,
            "index": entry(tables[name]["kind"], value * scale, scale),
        }
        for name, scale in product(("inferno", "coolwarm"), (1.0, 0.5, 0.02))
        for value in values
    ]
    return [{"entries": entries, "picked": picked}]


def entry(kind: str, value: float, scale: float) -> int:
    """Which entry of the table a value in logits has."""
    if kind == "diverging":
        return half_up(255 * (clip(value / scale, -1, 1) + 1) / 2)
    return half_up(255 * clip(value / scale, 0, 1))


def alpha(kind: str, value: float, scale: float, opacity: float) -> float:
    """How much of the colour is seen: nothing where there is no evidence."""
    strength = abs(value) if kind == "diverging" else value
    return opacity * clip(strength / scale, 0, 1)


def blend(tables: Case, case: Case) -> list[int]:
    """Red, green and blue of the image with the heatmap over it."""
    name, value, scale = case["colour_map"], case["value"], case["scale"]
    a = alpha(tables[name]["kind"], value, scale, case["opacity"])
    over = colour(tables, name, entry(tables[name]["kind"], value, scale))
    return [half_up(below * (1 - a) + above * a) for below, above in zip(case["image"], over, strict=True)]


def blending(tables: Case) -> list[Case]:
    """Grey and colour images, no, little, full and overfull evidence, several opacities."""
    images = ([0, 0, 0], [128, 128, 128], [255, 255, 255], [200, 30, 90])
    cases: list[Case] = []
    for name, opacity, scale in (
        ("inferno", 0.6, 0.5),
        ("viridis", 1.0, 2.0),
        ("jet", 0.3, 1.0),
        ("coolwarm", 0.6, 1.0),
    ):
        for image, value in product(images, (-2.0, -0.3, 0.0, 0.05, 0.25, 0.5, 1.7, 9.0)):
            case = {"colour_map": name, "opacity": opacity, "scale": scale, "value": value, "image": image}
            case["alpha"] = alpha(tables[name]["kind"], value, scale, opacity)
            cases.append({**case, "rgb": blend(tables, case)})
    return cases


# --- resampling and geometry --------------------------------------------------------------------------------


def axis_weights(coordinate: float, size: int, radius: float) -> list[float]:
    """Weights of a triangle of this radius around a coordinate; beyond the ends the edge is repeated."""
    x = clip(coordinate, -0.5, size - 0.5)
    raw = [max(0.0, 1 - abs(i - x) / radius) for i in range(size)]
    return [value / sum(raw) for value in raw]


def transform(matrix: Matrix, point: list[float]) -> list[float]:
    """A homogeneous matrix times a point."""
    return [sum(a * b for a, b in zip(row, [*point, 1.0], strict=True)) for row in matrix[:-1]]


def resampled(
    values: list[float], old: list[int], matrix: Matrix, new: list[int], antialias: bool
) -> list[float]:
    """Every new cell as a sum over all old ones (C order)."""
    stretch = [max(1.0, sum(abs(a) for a in row[:-1])) if antialias else 1.0 for row in matrix[:-1]]
    result = []
    for point in product(*(range(n) for n in new)):
        at = transform(matrix, [float(i) for i in point])
        weights = [axis_weights(x, n, r) for x, n, r in zip(at, old, stretch, strict=True)]
        cells = product(*(range(n) for n in old))
        result.append(
            sum(
                value * math.prod(w[i] for w, i in zip(weights, cell, strict=True))
                for value, cell in zip(values, cells, strict=True)
            )
        )
    return result


def resize_matrix(old: list[int], new: list[int]) -> Matrix:
    """New indices to old ones when both grids cover the same field (half-pixel centres)."""
    n = len(old)
    rows = [[old[i] / new[i] if i == j else 0.0 for j in range(n)] for i in range(n)]
    return [
        *([*row, 0.5 * old[i] / new[i] - 0.5] for i, row in enumerate(rows)),
        [0.0] * n + [1.0],
    ]


def diagonal(scale: list[float], offset: list[float]) -> Matrix:
    """The homogeneous matrix of x * scale + offset."""
    n = len(scale)
    rows = [[scale[i] if i == j else 0.0 for j in range(n)] + [offset[i]] for i in range(n)]
    return [*rows, [0.0] * n + [1.0]]


def inverse(matrix: Matrix) -> Matrix:
    """The inverse of a matrix of `diagonal`."""
    n = len(matrix) - 1
    return diagonal([1 / matrix[i][i] for i in range(n)], [-matrix[i][n] / matrix[i][i] for i in range(n)])


def numbers(count: int) -> list[float]:
    """Signed values that a float32 holds exactly and that look like nothing regular."""
    return [((37 * i * i + 11 * i + 5) % 97 - 40) / 16 for i in range(count)]


def resampling_case(
    name: str, old: list[int], new: list[int], matrix: Matrix | None = None, antialias: bool = False
) -> Case:
    """One case with its answer."""
    values, matrix = numbers(math.prod(old)), matrix or resize_matrix(old, new)
    return {
        "name": name,
        "old_shape": old,
        "values": values,
        "new_shape": new,
        "new_to_old": matrix,
        "antialias": antialias,
        "result": resampled(values, old, matrix, new, antialias),
    }


def resampling() -> list[Case]:
    """Both directions, odd sizes, flips, crops, places beyond the edge, exchanged axes, 2D and 3D."""
    return [
        resampling_case("2 x 2 to 4 x 4", [2, 2], [4, 4]),
        resampling_case("3 x 5 to 7 x 11", [3, 5], [7, 11]),
        resampling_case("one cell", [1, 1], [3, 2]),
        resampling_case("same size", [3, 4], [3, 4]),
        resampling_case("shrink, not antialiased", [9, 7], [4, 3]),
        resampling_case("shrink, antialiased", [9, 7], [4, 3], antialias=True),
        resampling_case("shrink one axis, stretch the other", [9, 3], [4, 8], antialias=True),
        resampling_case("flip of columns", [3, 4], [6, 8], diagonal([0.5, -0.5], [-0.25, 3.25])),
        resampling_case("crop and pad", [5, 5], [6, 4], diagonal([0.7, 0.7], [-2.0, 1.3]), antialias=True),
        resampling_case(
            "rows and columns exchanged", [2, 3], [6, 4], [[0, 0.5, -0.25], [0.5, 0, -0.25], [0, 0, 1]]
        ),
        resampling_case("3D, stretch", [2, 3, 2], [3, 5, 4]),
        resampling_case("3D, shrink, antialiased", [5, 4, 6], [2, 3, 3], antialias=True),
    ]


def geometry_case(name: str, native: list[int], pixel: list[int], matrix: Matrix, **given: Any) -> Case:
    """A geometry, its cells' places on the pixel grid, and a map there, zero outside the field."""
    values = numbers(math.prod(native))
    cells = [[0.0] * len(native), [(n - 1) / 2 for n in native], [n - 1.0 for n in native]]
    cells += [[-0.5] * len(native), [n - 0.5 for n in native]]
    to_native = inverse(matrix)
    whole = resampled(values, native, to_native, pixel, antialias=False)
    seen = [
        all(
            -0.5 - EDGE <= x <= n - 0.5 + EDGE
            for x, n in zip(transform(to_native, [float(i) for i in p]), native, strict=True)
        )
        for p in product(*(range(n) for n in pixel))
    ]
    return {
        "name": name,
        "native_shape": native,
        "pixel_shape": pixel,
        "native_to_pixel": matrix,
        "spacing": None,
        "pixel_to_patient": None,
        "patient": None,
        **given,
        "cells": cells,
        "pixels": [transform(matrix, cell) for cell in cells],
        "values": values,
        "on_pixel_grid": [value if inside else 0.0 for value, inside in zip(whole, seen, strict=True)],
    }


def geometry() -> list[Case]:
    """Stretched, padded, cropped, flipped, 2D and 3D, one with patient coordinates."""
    patient: Matrix = [[0, 0, 0.5, -100.0], [0, 0.8, 0, -50.0], [-3.0, 0, 0, 20.0], [0, 0, 0, 1]]
    volume = geometry_case(
        "3D, anisotropic, in the patient",
        [2, 3, 2],
        [5, 7, 6],
        diagonal([2.5, 7 / 3, 3.0], [0.75, 7 / 6 - 0.5, 1.0]),
        spacing=[3.0, 0.8, 0.5],
        pixel_to_patient=patient,
    )
    volume["patient"] = [transform(patient, point) for point in volume["pixels"]]
    return [
        geometry_case(
            "stretched, odd sizes", [3, 3], [11, 7], diagonal([11 / 3, 7 / 3], [11 / 6 - 0.5, 7 / 6 - 0.5])
        ),
        geometry_case(
            "padded: the field is larger than the image",
            [4, 4],
            [9, 5],
            diagonal([2.25, 2.25], [0.625, -1.375]),
        ),
        geometry_case(
            "cropped: the image is larger than the field", [2, 2], [9, 6], diagonal([3.0, 3.0], [2.5, 1.0])
        ),
        geometry_case("columns flipped", [2, 3], [4, 9], diagonal([2.0, -3.0], [0.5, 7.0])),
        volume,
    ]


def scales() -> list[Case]:
    """Logits per cell at full colour: 5 / sqrt(cells), to the nearest (in ratio) of 1, 2, 3, 5, 10, ..."""
    shapes = (
        [1, 1],
        [4, 4],
        [7, 7],
        [8, 8],
        [14, 14],
        [16, 16],
        [24, 20],
        [32, 32],
        [64, 64],
        [4, 8, 8],
        [8, 8, 8],
        [32, 32, 32],
        [200, 200, 200],
    )
    series = [float(f"{m}e{e}") for e in range(-4, 3) for m in (1, 2, 3, 5)]
    return [
        {
            "native_shape": shape,
            "scale": max(1e-3, min(series, key=lambda s: abs(math.log(s * math.sqrt(math.prod(shape)) / 5)))),
        }
        for shape in shapes
    ]


# --- contours: marching squares, one square of four values at a time --------------------------------------


def square_segments(four: list[float], level: float) -> list[tuple[int, int]]:
    """From which edge to which lines run through a square; values and edges clockwise, from the left upper.

    Walking around the square, a line comes in over an edge where the values begin to reach the level and goes
    out where they cease to; what reaches the level lies on its left as seen on the screen.
    """
    reached = [value >= level for value in four]
    begins = [edge for edge in range(4) if not reached[edge] and reached[(edge + 1) % 4]]
    ceases = [edge for edge in range(4) if reached[edge] and not reached[(edge + 1) % 4]]
    together = len(begins) == 2 and sum(four) / 4 >= level
    step = -1 if together else 1
    walks = [[(edge + step * n) % 4 for n in range(1, 4)] for edge in begins]
    ends = [next(edge for edge in walk if edge in ceases) for walk in walks]
    return list(zip(begins, ends, strict=True))


def segments(values: list[float], shape: list[int], level: float) -> list[list[float]]:
    """All pieces [row, column, row, column] of the lines around where values reach a level, sorted."""

    def value(row: int, column: int) -> float:
        inside = 0 <= row < shape[0] and 0 <= column < shape[1]
        return values[row * shape[1] + column] if inside else 0.0

    def point(row: int, column: int, edge: int) -> list[float]:
        corners = [(row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column)]
        (r0, c0), (r1, c1) = corners[edge], corners[(edge + 1) % 4]
        share = (level - value(r0, c0)) / (value(r1, c1) - value(r0, c0))
        return [
            clip(r0 + share * (r1 - r0), -0.5, shape[0] - 0.5),
            clip(c0 + share * (c1 - c0), -0.5, shape[1] - 0.5),
        ]

    found = []
    for row, column in product(range(-1, shape[0]), range(-1, shape[1])):
        four = [
            value(row, column),
            value(row, column + 1),
            value(row + 1, column + 1),
            value(row + 1, column),
        ]
        for start, end in square_segments(four, level):
            found.append(point(row, column, start) + point(row, column, end))
    return sorted(found)


def contours_case(name: str, values: list[float], shape: list[int], level: float) -> Case:
    """Values, a level, and the pieces of the lines around what reaches it."""
    pieces = segments(values, shape, level)
    return {"name": name, "shape": shape, "values": values, "level": level, "segments": pieces}


def contours() -> list[Case]:
    """A hill, saddles that hang together or do not, an edge, a ring, a level that nothing reaches."""
    hill = [max(0.0, 3 - abs(row - 2.25) - abs(column - 2.5)) for row in range(6) for column in range(7)]
    ring = [1.0 if (row, column) != (2, 2) else 0.0 for row in range(5) for column in range(5)]
    return [
        contours_case("a hill", hill, [6, 7], 1.0),
        contours_case("a saddle apart", [1.0, 0.25, 0.25, 1.0], [2, 2], 0.75),
        contours_case("a saddle together", [1.0, 0.5, 0.5, 1.0], [2, 2], 0.625),
        contours_case("along the edge", [2.0] * 12, [3, 4], 0.5),
        contours_case("a ring", ring, [5, 5], 0.5),
        contours_case("signed numbers", numbers(63), [7, 9], 0.5),
        contours_case("nothing reaches it", [0.25] * 6, [2, 3], 0.5),
    ]


# --- trust: where a trust report warns ---------------------------------------------------------------------


def trust() -> list[Case]:
    """One case: from what on a figure is a caution, and which methods are read otherwise."""
    return [
        {
            "notable": {
                "residual": 0.1,
                "outside": 0.2,
                "corners": 0.25,
                "faint": 0.1,
                "stronger": 2.0,
                "same": 0.5,
            },
            "class_agnostic": ["attention rollout", "eigen-cam"],
            "opposing": ["counterfactual grad-cam"],
        }
    ]


def vectors() -> dict[str, list[Case]]:
    """All cases, by file name."""
    tables = json.loads(TABLES.read_text())["maps"]
    return {
        "windowing": windowing(),
        "colour_maps": colour_maps(tables),
        "blending": blending(tables),
        "resampling": resampling(),
        "geometry": geometry(),
        "scale": scales(),
        "contours": contours(),
        "trust": trust(),
    }


def text(cases: list[Case]) -> str:
    """JSON with one case a line."""
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    return f'{{"cases": [\n{lines}\n]}}\n'


def main() -> None:
    """Write all files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for name, cases in vectors().items():
        (folder / f"{name}.json").write_text(text(cases))


if __name__ == "__main__":
    main()
