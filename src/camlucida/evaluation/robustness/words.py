"""Whether maps and logits stand small changes, as a chapter of a report."""

from collections.abc import Iterator, Sequence

from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.estimates import means
from camlucida.evaluation.faithfulness.words import By, by_finding_and_method, measure_table
from camlucida.evaluation.report.document import Block, Paragraph, Section, Table, Tone
from camlucida.evaluation.robustness import CORRELATION, prediction_saliency_correlation
from camlucida.evaluation.robustness.small_changes import Family

HOW = (
    "Each image is changed as another department might have sent it, explained again, and the map put back. "
    "Logit: mean distance that the logit moves. SSIM and rank: how alike the maps are, 1 is the same."
)
LARGE = 0.5
"""Logits: a change of every day that moves the logit further turns 50 % into 62 % or 38 %."""


def robustness_section(observed: Sequence[Observed]) -> Section:
    """What `camlucida.evaluation.robustness` measured, with intervals by patient."""
    found = by_finding_and_method(means(observed), "robustness")
    if not found:
        why = "No image has a finding that is there or is reported, so there is no map to be compared."
        return Section("Robustness", [Paragraph(why, Tone.CAUTION)])
    together = prediction_saliency_correlation(observed)
    key = CORRELATION.partition(".")[2]
    correlations = {(one.finding, one.method): {key: one.estimate} for one in together}
    blocks: list[Block] = [Paragraph(HOW), *_moved(found)]
    for what, caption in (
        ("logit", "How far the logit moves (logits)"),
        ("ssim", "How alike the maps look (SSIM)"),
    ):
        blocks.append(_table(found, what, caption))
    blocks.append(
        measure_table(
            correlations,
            [(key, "Correlation", 2)],
            "Does the map change where the logit does?",
            ["Prediction-saliency correlation after Zhang et al. 2024, over changes of every day."],
        )
    )
    return Section(
        "Robustness",
        blocks,
        details=[_table(found, "rank", "Whether the maps order places alike (Spearman)")],
    )


def _table(found: By, what: str, caption: str) -> Table:
    kinds = [*Family, "repeatability"]
    present = [kind for kind in kinds if any(f"{kind}-{what}" in values for values in found.values())]
    return measure_table(found, [(f"{kind}-{what}", kind.capitalize(), 2) for kind in present], caption, [])


def _moved(found: By) -> Iterator[Paragraph]:
    """Which changes move a finding's logit far; the logit is the same whatever the method."""
    told: set[tuple[str, str]] = set()
    for (finding, _), values in found.items():
        for family in Family:
            estimate = values.get(f"{family}-logit")
            if estimate is None or (estimate.value or 0.0) < LARGE or (finding, family) in told:
                continue
            told.add((finding, family))
            yield Paragraph(
                f"{finding}: {family} moves the logit by {estimate.text()} on average: the model itself does "
                "not stand it, whatever the map does.",
                Tone.CAUTION,
            )
