"""Whether the network sees what the maps show, as a chapter of a report."""

from collections.abc import Iterator, Mapping, Sequence
from math import nan

from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.estimates import Estimated, means
from camlucida.evaluation.faithfulness import CHANCE, MEASURES
from camlucida.evaluation.intervals import LEAST_PATIENTS, Estimate
from camlucida.evaluation.report.document import (
    Block,
    Chart,
    ChartKind,
    Paragraph,
    Section,
    Series,
    Table,
    Tone,
)
from camlucida.records.method_name import spelling

MAIN = ("beyond-chance", "insertion", "deletion", "average-drop", "kept")
MORE = (
    "road",
    "road-strongest",
    "road-weakest",
    "insertion-logit",
    "deletion-logit",
    "drop-logit",
    "increase",
)

HOW = (
    "Pixels are filled in (ROAD), brought back to a blurred image (insertion) or made grey (deletion) in the "
    "order of the map, and the network is asked again. Chance is a map of random cells on the same images. "
    "Of each image the finding that is there, or else is reported, is tried; images with none are left out."
)
GAMED = (
    "A map that is 1 everywhere has an average drop of 0 %, the best there is: the less of the image a map "
    "takes away, the better it looks. Read average drop only beside the share kept."
)
By = Mapping[tuple[str, str], Mapping[str, Estimate]]
"""By finding and method: each measure's estimate, by its key."""


def faithfulness_section(observed: Sequence[Observed]) -> Section:
    """What `camlucida.evaluation.faithfulness` measured, with intervals by patient."""
    found = by_finding_and_method(means(observed), "faithfulness")
    if not found:
        why = "No image has a finding that is there or is reported, so there is no map to be tried."
        return Section("Faithfulness", [Paragraph(why, Tone.CAUTION)])
    return Section(
        "Faithfulness",
        [
            Paragraph(HOW),
            *_judged(found),
            _table(found, MAIN, "Does the network see what the map shows?", [GAMED]),
            _chart(found),
        ],
        details=[_table(found, MORE, "More of the same, in probabilities and logits", [])],
    )


def by_finding_and_method(estimates: Sequence[Estimated], topic: str) -> By:
    """The estimates of one topic, by finding and method, in the order in which they were measured."""
    found: dict[tuple[str, str], dict[str, Estimate]] = {}
    for one in estimates:
        kind, _, key = one.measure.partition(".")
        if kind == topic:
            found.setdefault((one.finding, one.method), {})[key] = one.estimate
    return found


def measure_table(
    found: By,
    measures: Sequence[tuple[str, str, int]],
    caption: str,
    notes: Sequence[str],
) -> Table:
    """A row for each finding and method; `measures` are (key, heading, digits)."""
    return Table(
        ("Finding", "Method", "Cases", *(heading for _, heading, _ in measures)),
        [
            (
                finding,
                spelling(method),
                str(max((values[key].cases for key, _, _ in measures if key in values), default=0)),
                *(values[key].text(digits) if key in values else "–" for key, _, digits in measures),
            )
            for (finding, method), values in found.items()
        ],
        right=len(measures) + 1,
        caption=caption,
        notes=notes,
    )


def _judged(found: By) -> Iterator[Block]:
    for (finding, method), values in found.items():
        beyond = values.get("beyond-chance")
        if method != CHANCE and beyond is not None and beyond.value is not None:
            words, tone = _judgement(beyond)
            yield Paragraph(f"{spelling(method)}, {finding}: {words}", tone)


def _judgement(beyond: Estimate) -> tuple[str, Tone]:
    """What ROAD beyond chance means; in logits."""
    logits = f"ROAD {beyond.text()} logits beyond chance, {beyond.cases} images"
    if beyond.patients < LEAST_PATIENTS or beyond.low is None or beyond.high is None:
        return f"too few images to judge ({logits}); it takes {LEAST_PATIENTS} patients.", Tone.CAUTION
    if beyond.low > 0:
        return f"the network sees what the map shows ({logits}).", Tone.GOOD
    if beyond.high < 0:
        return f"worse than chance: the weakest places count more than the strongest ({logits}).", Tone.BAD
    return f"perhaps no better than chance ({logits}).", Tone.CAUTION


def _table(found: By, keys: Sequence[str], caption: str, notes: Sequence[str]) -> Table:
    named = {measure.key.partition(".")[2]: measure for measure in MEASURES}
    measures = [(key, _heading(named[key].title, named[key].unit), named[key].digits) for key in keys]
    return measure_table(found, measures, caption, notes)


def _heading(title: str, unit: str) -> str:
    return title if not unit or "logit" in title else f"{title} ({unit})"


def _chart(found: By) -> Chart:
    """ROAD beside chance: a row for each finding and method."""
    rows = {
        f"{spelling(method)}, {finding}": values["beyond-chance"]
        for (finding, method), values in found.items()
    }
    places = [float(place) for place in range(len(rows))]
    x, low, high = (
        [_number(getattr(one, name)) for one in rows.values()] for name in ("value", "low", "high")
    )
    return Chart(
        ChartKind.INTERVALS,
        [Series("ROAD", x, places, low, high)],
        "ROAD, logits",
        caption="0: what a random order gives on average; to the right is better",
        labels=list(rows),
        reference=0.0,
    )


def _number(value: float | None) -> float:
    return nan if value is None else value
