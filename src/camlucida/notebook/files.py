"""The files that viewer/src/notebook builds to."""

from pathlib import Path

BUILT = Path(__file__).parent / "built"
VIEWER = BUILT / "viewer.js"
WIDGET = BUILT / "widget.js"
