"""Writes src/camlucida/rendering/colour_tables.json from matplotlib's tables (a development-time tool only).

inferno, magma and viridis are CC0 (Smith and van der Walt); cividis is by Nunez, Anderton and Renslow (2018);
coolwarm is by Moreland (2009); jet is there because readers ask for it, and is labelled for what it does.

    pip install -c constraints.txt matplotlib && python scripts/write_colour_tables.py
"""

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

TABLES = Path(__file__).resolve().parent.parent / "src" / "camlucida" / "rendering" / "colour_tables.json"

KINDS = {
    "inferno": ("inferno", "sequential"),
    "magma": ("magma", "sequential"),
    "viridis": ("viridis", "sequential"),
    "cividis": ("cividis", "sequential"),
    "coolwarm": ("coolwarm (for and against)", "diverging"),
    "jet": ("jet (misleading)", "sequential"),
}


def table(name: str) -> str:
    """256 colours as hexadecimal digits, six a colour."""
    colours = mpl.colormaps[name](np.arange(256), bytes=True)
    return bytes(colours[:, :3].ravel()).hex()


def main() -> None:
    """Write the file."""
    maps = {name: {"label": label, "kind": kind, "rgb": table(name)} for name, (label, kind) in KINDS.items()}
    TABLES.write_text(json.dumps({"maps": maps}, indent=1) + "\n")


if __name__ == "__main__":
    main()
