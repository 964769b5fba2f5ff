"""Charts as inline SVG: drawn by matplotlib, in the page's own colours and letters, the same bits each time.

What matplotlib draws has a colour of its own for each role; in the SVG these become the page's CSS variables,
so that one drawing serves the light page, the dark page and paper.
"""

import io
import re
import warnings
from html import escape
from itertools import pairwise
from math import isfinite
from typing import Any

from camlucida.evaluation.report.document import Chart, ChartKind, Series

ROLES = {
    "ink": "#010203",
    "quiet": "#010204",
    "line": "#010205",
    "paper": "#010206",
    **{f"series-{number}": f"#0102{number + 16:02x}" for number in range(6)},
}
"""Stand-ins that no other part of a chart uses; `page.css` says what they look like."""

STYLES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P")  # told apart without colour too
WIDTH, HEIGHT, SQUARE, ROW = 6.8, 3.2, 4.2, 0.27  # inches
FEW = 40  # points that are shown as dots along a line
RC: Any = {  # matplotlib names 300 keys in its type
    "svg.fonttype": "none",
    "svg.hashsalt": "camlucida",
    "text.parse_math": False,  # a column's name may hold a $
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "text.color": ROLES["ink"],
    "axes.edgecolor": ROLES["quiet"],
    "axes.labelcolor": ROLES["quiet"],
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": ROLES["quiet"],
    "ytick.color": ROLES["quiet"],
    "grid.color": ROLES["line"],
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


def as_svg(chart: Chart, number: int) -> str:
    """The chart as an `<svg>` for an HTML page; `number` tells its parts from those of the page's others.

    Raises
    ------
    MissingExtra
        matplotlib is not installed: see `page.write_page`.
    """
    from matplotlib import rc_context  # noqa: PLC0415 - half a second that only a report needs
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # the browser has letters that it lacks
        width, height = _size(chart)
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        DRAWN[chart.kind](axes, chart)
        axes.set_xlabel(chart.x_title)
        axes.set_ylabel(chart.y_title)
        if len(chart.series) > 1:
            figure.legend(loc="outside lower left", ncols=3, fontsize=9)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _inline(written.getvalue(), number, _said(chart), width)


def _size(chart: Chart) -> tuple[float, float]:
    legend = 0.25 * -(-len(chart.series) // 3) if len(chart.series) > 1 else 0
    if chart.kind is ChartKind.INTERVALS:
        rows = max(len(one.x) for one in chart.series) * max(1, 0.6 * len(chart.series))
        return WIDTH, 0.75 + ROW * rows + legend
    return (SQUARE, SQUARE + legend) if chart.reference == "diagonal" else (WIDTH, HEIGHT + legend)


def _lines(axes: Any, chart: Chart) -> None:
    axes.grid(visible=True, axis="y")
    for number, one in enumerate(chart.series):
        colour = _colour(number)
        axes.plot(
            one.x,
            one.y,
            STYLES[number % len(STYLES)],
            color=colour,
            linewidth=1.5,
            marker=MARKERS[number % len(MARKERS)] if len(one.x) <= FEW else "",
            markersize=3.5,
            label=one.name,
        )
        if len(one.low) and len(one.high):
            axes.fill_between(one.x, one.low, one.high, color=colour, alpha=0.15, linewidth=0)
    if chart.reference == "diagonal":
        axes.plot([0, 1], [0, 1], color=ROLES["quiet"], linewidth=0.8, linestyle=(0, (3, 3)))
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    elif chart.reference is not None:
        axes.axhline(float(chart.reference), color=ROLES["quiet"], linewidth=0.8, linestyle=(0, (3, 3)))


def _intervals(axes: Any, chart: Chart) -> None:
    """A forest plot: the first row on top; a value that is not known leaves its row empty, with a dash."""
    axes.grid(visible=True, axis="x")
    several = len(chart.series)
    for number, one in enumerate(chart.series):
        colour = _colour(number)
        shift = 0.0 if several == 1 else (number - (several - 1) / 2) * 0.7 / several
        rows = [row + shift for row in range(len(one.x))]
        if len(one.low) and len(one.high):
            axes.hlines(rows, one.low, one.high, color=colour, linewidth=1.6)
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(one.x, rows, marker, color=colour, markersize=4.5, label=one.name)
        if several == 1:
            _say_values(axes, one, colour)
    axes.set_yticks(range(len(chart.labels)), chart.labels)
    axes.tick_params(axis="y", length=0, labelcolor=ROLES["ink"])
    axes.set_ylim(max(len(one.x) for one in chart.series) - 0.4, -0.6)
    axes.spines["left"].set_visible(False)
    if chart.reference is not None and chart.reference != "diagonal":
        axes.axvline(float(chart.reference), color=ROLES["quiet"], linewidth=0.8, linestyle=(0, (3, 3)))


def _say_values(axes: Any, one: Series, colour: str) -> None:
    for row, value in enumerate(one.x):
        interval = ""
        if isfinite(value) and len(one.low) and isfinite(one.low[row]) and isfinite(one.high[row]):
            interval = f"  ({one.low[row]:.2f} to {one.high[row]:.2f})"
        said = f"{value:.2f}{interval}" if isfinite(value) else "–"
        axes.annotate(
            said, (1.02, row), xycoords=("axes fraction", "data"), va="center", color=colour, fontsize=8.5
        )


def _histogram(axes: Any, chart: Chart) -> None:
    axes.grid(visible=True, axis="y")
    for number, one in enumerate(chart.series):
        colour = _colour(number)
        steps = [after - before for before, after in pairwise(one.x)]
        edges = [*one.x, one.x[-1] + (steps[-1] if steps else 1)] if len(one.x) else []
        if edges:
            axes.stairs(
                one.y,
                edges,
                fill=True,
                facecolor=(*_parts(colour), 0.25),
                edgecolor=colour,
                linewidth=1.2,
                label=one.name,
            )
    if chart.reference is not None and chart.reference != "diagonal":
        axes.axvline(float(chart.reference), color=ROLES["quiet"], linewidth=0.8, linestyle=(0, (3, 3)))


DRAWN = {ChartKind.LINE: _lines, ChartKind.INTERVALS: _intervals, ChartKind.HISTOGRAM: _histogram}


def _colour(number: int) -> str:
    return ROLES[f"series-{number % 6}"]


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red / 255, green / 255, blue / 255


def _said(chart: Chart) -> str:
    """The chart for who cannot see it: what it shows, and the values of a few."""
    shown = chart.caption or f"{chart.y_title} over {chart.x_title}".removeprefix(" over ")
    if chart.kind is ChartKind.INTERVALS and len(chart.series) == 1:
        values = zip(chart.labels, chart.series[0].x, strict=True)
        return f"{shown} " + "; ".join(f"{label}: {value:.2f}" for label, value in values)
    names = [one.name for one in chart.series if one.name]
    return f"{shown} Lines: {', '.join(names)}." if len(names) > 1 else shown


def _inline(svg: str, number: int, said: str, width: float) -> str:
    """An SVG file as a part of a page: no header, no style for the whole page, names of its own."""
    body = svg[svg.index(">", svg.index("<svg")) + 1 :]
    for unwanted in (r"<metadata>.*?</metadata>", r"<style.*?</style>", r"<!--.*?-->"):
        body = re.sub(unwanted, "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="chart-{number}-', body)
    body = re.sub(r'(href="|url\()#', rf"\1#chart-{number}-", body)
    for role, colour in ROLES.items():
        body = body.replace(colour, f"var(--{role})")
    size = re.search(r'viewBox="[^"]*"', svg)
    box = size[0] if size else ""
    return (
        f'<svg role="img" aria-label="{escape(said)}" {box} '
        f'style="--wide: {round(100 * width)}px">{body.strip()}'
    )
