"""Where the model is furthest from what was the case, as contact sheets: what a person looks at first."""

from collections.abc import Iterator, Sequence

from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.report.case_picture import case_picture
from camlucida.evaluation.report.document import Block, Paragraph, Section, Sheet
from camlucida.records.method_name import spelling

EACH = 8
"""Cases on a sheet."""

MOST_FINDINGS = 8
"""Findings that have sheets; those furthest off come first."""


def worst_cases_section(observed: Sequence[Observed], findings: Sequence[str], method: str) -> Section:
    """For each finding the cases without it that look most like it to the model, and the other way round."""
    blocks: list[Block] = [
        sheet for name in findings[:MOST_FINDINGS] for sheet in _sheets(observed, name, method)
    ]
    if not blocks:
        return Section("Worst cases", [Paragraph("No case has both a label and a map.")])
    how = (
        f"The cases whose probability is furthest from the label, with {spelling(method)}'s evidence over "
        "the image. A label may be wrong too: look before you judge."
    )
    return Section("Worst cases", [Paragraph(how), *blocks])


def _sheets(observed: Sequence[Observed], finding: str, method: str) -> Iterator[Sheet]:
    for there, title in (
        (False, f"Without {finding}, and the highest probabilities"),
        (True, f"With {finding}, and the lowest probabilities"),
    ):
        cases = worst(observed, finding, there=there)
        shown = [one for one in cases if finding in one.maps[method].findings]
        if shown:
            yield Sheet(
                [
                    case_picture(one, finding, method, f"{one.case.name} · {_probability(one, finding):.2f}")
                    for one in shown
                ],
                title,
            )


def worst(observed: Sequence[Observed], finding: str, *, there: bool, most: int = EACH) -> list[Observed]:
    """The cases with (or without) a finding whose probability is furthest from it; the worst first."""
    cases = [one for one in observed if one.case.labels.get(finding) is there]
    return sorted(cases, key=lambda one: _probability(one, finding), reverse=not there)[:most]


def _probability(one: Observed, finding: str) -> float:
    return one.prediction.probabilities[one.prediction.index(finding)]
