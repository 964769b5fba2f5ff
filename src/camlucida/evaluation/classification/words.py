"""What the model says against what was the case, as chapters of a report."""

from collections.abc import Iterator, Sequence
from math import nan

from camlucida.evaluation.classification import MEASURES, Classified, OneOfSeveral, OperatingPoint
from camlucida.evaluation.classification.calibration import BINS
from camlucida.evaluation.classification.subgroups import Gap, Row, Subgroups
from camlucida.evaluation.intervals import Estimate
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

TITLES = {measure.key: measure.title for measure in MEASURES}
MOST_CURVES = 6
"""Reliability curves that one chart holds and can still be told apart."""

CALIBRATION = (
    "mean-probability",
    "prevalence",
    "calibration-slope",
    "calibration-intercept",
    "calibration-error",
)

INTERVALS = "In brackets: 95 % intervals from 1,000 resamples of patients."

CALIBRATION_WORDS = (
    "Said: the mean probability; seen: the share of cases with the finding. Slope: 1 is right, below 1 too "
    "extreme. Intercept: what must be added to every logit; below 0 the probabilities are too high. Error: "
    f"over {BINS} equal bins; by chance: what probabilities that are right would show on as many cases."
)
GAPS_WORDS = (
    "Best and worst were chosen on these cases, so gaps are on the large side. By chance: what groups of the "
    "same sizes, filled at random, stay below in 95 of 100 trials. Of many gaps, one in twenty is beyond it "
    "for no reason."
)


def classification_section(findings: Sequence[Classified], several: OneOfSeveral | None = None) -> Section:
    """How well findings are told apart, at which operating point, and whether probabilities are right."""
    known = [one for one in findings if len(one.answers.present)]
    if not known:
        why = "No case says of any of the model's findings whether it is there, so nothing can be said here."
        return Section("Classification", [Paragraph(why, Tone.CAUTION)])
    return Section(
        "Classification",
        [
            _discrimination(known),
            *([_areas(known)] if len(known) > 1 else []),
            *([_confusion(several)] if several is not None else []),
            _calibration(known),
            *_curves(known),
        ],
        details=[_alternatives(known), *_notes(known)],
    )


def _discrimination(known: Sequence[Classified]) -> Table:
    return Table(
        ("Finding", "With", "Without", "AUC", "Sensitivity", "Specificity", "PPV", "NPV"),
        [
            (
                one.answers.finding,
                *_counts(one),
                one.estimates["classification.auc"].text(),
                *_shares(one.stated),
            )
            for one in known
        ],
        right=7,
        caption="How well findings are told apart, and what is reported at the model's own operating point",
        notes=[INTERVALS, *_no_point(known)],
    )


def _counts(one: Classified) -> tuple[str, str]:
    present = int(one.answers.present.sum())
    return str(present), str(len(one.answers.present) - present)


def _shares(point: OperatingPoint | None) -> tuple[str, str, str, str]:
    if point is None:
        return ("–", "–", "–", "–")
    return (
        point.sensitivity.text(),
        point.specificity.text(),
        point.positive_predictive_value.text(),
        point.negative_predictive_value.text(),
    )


def _no_point(known: Sequence[Classified]) -> Iterator[str]:
    if any(one.stated is None for one in known):
        yield "–: the model's card gives no operating point for this finding."
    elif any(one.answers.operating_point is None for one in known):
        yield "Reported is the finding with the highest probability: the card gives no operating points."


def _areas(known: Sequence[Classified]) -> Chart:
    areas = [one.estimates["classification.auc"] for one in known]
    names = [one.answers.finding for one in known]
    return Chart(
        ChartKind.INTERVALS,
        [_forest("AUC", areas)],
        "AUC",
        labels=names,
        reference=0.5,
        caption="0.5: guessing",
    )


def _forest(name: str, estimates: Sequence[Estimate]) -> Series:
    def numbers(field: str) -> list[float]:
        values = [getattr(one, field) for one in estimates]
        return [nan if value is None else value for value in values]

    rows = [float(row) for row in range(len(estimates))]
    return Series(name, numbers("value"), rows, numbers("low"), numbers("high"))


def _confusion(several: OneOfSeveral) -> Table:
    return Table(
        ("What was the case", *several.findings),
        [
            (name, *map(str, row.tolist()))
            for name, row in zip(several.findings, several.confusion, strict=True)
        ],
        right=len(several.findings),
        caption="What has the highest probability (columns) in cases of which one finding is known",
        notes=[
            "; ".join(f"{TITLES[key]} {one.text()}" for key, one in several.estimates.items()) + ".",
        ],
    )


def _calibration(known: Sequence[Classified]) -> Table:
    return Table(
        ("Finding", "Said", "Seen", "Slope", "Intercept (logits)", "Error (ECE)", "By chance", "Brier"),
        [
            (
                one.answers.finding,
                *(one.estimates[f"classification.{key}"].text() for key in CALIBRATION),
                f"{one.error_by_chance:.2f}",
                one.estimates["classification.brier"].text(),
            )
            for one in known
        ],
        right=7,
        caption="Whether probabilities mean what they say",
        notes=[CALIBRATION_WORDS],
    )


def _curves(known: Sequence[Classified]) -> Iterator[Block]:
    """Reliability curves; only those of few findings, as many lines on one diagonal say nothing."""
    most = sorted(known, key=lambda one: -int(one.answers.present.sum()))[:MOST_CURVES]
    shown = [one for one in known if one in most]
    left_out = len(known) - len(shown)
    yield Chart(
        ChartKind.LINE,
        [_curve(one, alone=len(shown) == 1) for one in shown],
        "Probability",
        "Share with the finding",
        reference="diagonal",
        caption="Reliability: each dot is a tenth of the cases; on the line, probabilities are right"
        + (f" (the {len(shown)} findings with the most cases)" if left_out else ""),
    )


def _curve(one: Classified, *, alone: bool) -> Series:
    bins = one.reliability
    bounds = (
        ([part.seen.low or 0.0 for part in bins], [_or_one(part.seen.high) for part in bins])
        if alone
        else ((), ())
    )
    return Series(
        one.answers.finding, [part.said for part in bins], [part.seen.value or 0.0 for part in bins], *bounds
    )


def _or_one(value: float | None) -> float:
    return 1.0 if value is None else value


def _alternatives(known: Sequence[Classified]) -> Table:
    return Table(
        ("Finding", "The card's", "Youden's", "Sensitivity", "Specificity", "PPV", "NPV"),
        [
            (
                one.answers.finding,
                *(
                    "–" if point is None or point.probability is None else f"{point.probability:.3f}"
                    for point in (one.stated, one.alternative)
                ),
                *_shares(one.alternative),
            )
            for one in known
        ],
        right=6,
        caption="Another operating point: where sensitivity + specificity is largest on these cases",
        notes=["It is chosen on the cases on which it is measured, and so flatters; measure it on others."],
    )


def _notes(known: Sequence[Classified]) -> Iterator[Paragraph]:
    """Why figures or intervals are missing, and how the calibration error depends on its bins."""
    for one in known:
        low, high = one.error_range
        yield Paragraph(
            f"{one.answers.finding}: with 5 to 20 bins the calibration error is {low:.2f} to {high:.2f}."
        )
        for key, figure in one.estimates.items():
            if figure.note:
                yield Paragraph(f"{one.answers.finding}, {TITLES[key]}: {figure.note}")


def subgroups_section(subgroups: Sequence[Subgroups]) -> Section | None:
    """Figures by subgroup, with the gap between the best and the worst; None where there are no columns."""
    if not subgroups:
        return None
    blocks: list[Block] = [_gaps([(one, gap) for one in subgroups for gap in one.gaps])]
    details: list[Block] = []
    for one in subgroups:
        beyond = any(gap.beyond_chance for gap in one.gaps)
        (blocks if beyond or len(subgroups) == 1 else details).append(_groups(one))
    return Section("Subgroups", blocks, details)


def _gaps(gaps: Sequence[tuple[Subgroups, Gap]]) -> Block:
    if not gaps:
        return Paragraph("No column has two subgroups that are large enough to be compared.", Tone.CAUTION)
    order = sorted(gaps, key=lambda pair: -((pair[1].estimate.value or 0.0) - pair[1].by_chance))
    return Table(
        ("Finding", "Measure", "Best", "Worst", "Gap", "By chance below", "Beyond chance"),
        [
            (
                one.finding,
                TITLES[gap.measure],
                gap.best,
                gap.worst,
                gap.estimate.text(),
                f"{gap.by_chance:.2f}",
                "yes" if gap.beyond_chance else "no",
            )
            for one, gap in order
        ],
        right=3,
        caption="The gap between the best and the worst subgroup",
        notes=[GAPS_WORDS],
    )


def _groups(one: Subgroups) -> Table:
    keys = ("classification.auc", "classification.sensitivity", "classification.specificity")
    return Table(
        ("Subgroup", "With", "Without", *(TITLES[key] for key in keys)),
        [
            (
                row.title,
                str(row.present),
                str(row.absent),
                *(_figure(row, key) for key in keys),
            )
            for row in one.rows
        ],
        right=5,
        caption=f"{one.finding} by {one.column}",
        notes=[f"{row.title}: {row.note}" for row in one.rows if row.note],
    )


def _figure(row: Row, key: str) -> str:
    return row.estimates[key].text() if key in row.estimates else "–"
