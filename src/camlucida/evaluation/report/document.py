"""A report as blocks: what it says, before anybody decides how it looks.

Every command that reports (`evaluate`, `compare`, `shortcuts`, `certify-repair`) builds a `Document` of these
and hands it to `camlucida.evaluation.report.page`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import PIL.Image
from numpy.typing import NDArray


class Tone(StrEnum):
    """How a sentence is meant."""

    GOOD = "good"
    NEUTRAL = "neutral"
    CAUTION = "caution"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A sentence that stands out: what to do, and why."""

    title: str
    why: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Plain text."""

    text: str
    tone: Tone = Tone.NEUTRAL


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; the last `right` columns hold numbers. `notes` stand below it."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    right: int = 0
    caption: str = ""
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of dots of a chart, with intervals where they are known."""

    name: str
    x: Sequence[float]
    y: Sequence[float] = ()
    low: Sequence[float] = ()
    high: Sequence[float] = ()


class ChartKind(StrEnum):
    """How series are drawn."""

    LINE = "line"
    INTERVALS = (
        "intervals"  # a forest plot: x are the values, low and high about them, `labels` the rows; no y
    )
    HISTOGRAM = "histogram"  # x are the edges' left ends, y counts


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart; `reference` is a line of chance or of nothing: "diagonal", or a value of x (or y for LINE)."""

    kind: ChartKind
    series: Sequence[Series]
    x_title: str
    y_title: str = ""
    caption: str = ""
    labels: Sequence[str] = ()
    reference: float | str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture with what stands below it; `alt` says it to who cannot see it."""

    picture: PIL.Image.Image | NDArray[np.uint8]
    caption: str
    alt: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """Pictures side by side, wrapping: a contact sheet. `width` in CSS pixels each."""

    pictures: Sequence[Picture]
    caption: str = ""
    width: int = 180


Block: TypeAlias = Verdict | Paragraph | Table | Chart | Picture | Sheet


@dataclass(frozen=True, slots=True)
class Section:
    """A heading and what stands below it. `details` is folded on the screen and open on paper."""

    title: str
    blocks: Sequence[Block]
    details: Sequence[Block] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A report: first the verdicts, which fit on the first page, then the chapters.

    `facts` are pairs of what was looked at: model, digest, data, method, date, version.
    """

    title: str
    subtitle: str
    facts: Sequence[tuple[str, str]]
    verdicts: Sequence[Verdict]
    sections: Sequence[Section]
    footnotes: Sequence[str] = field(default_factory=tuple)
