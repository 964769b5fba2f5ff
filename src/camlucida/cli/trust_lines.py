"""The trust report on the command line: one table of figures, and each finding's line in words."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from camlucida.cli import messages

if TYPE_CHECKING:
    from camlucida.records import FindingTrust, TrustReport
    from camlucida.saliency.visual_explanation import VisualExplanation

ABSENT = "–"
SHARES = {
    "Unex-\nplained": "residual_share",
    "Half\non": "focality",
    "At the\nborder": "border_share",
    "In the\ncorners": "corner_share",
    "Outside\nthe body": "outside_share",
}
CHECKS: Mapping[str, Callable[["FindingTrust"], float | None]] = {
    "Causal\nz": lambda trust: trust.causal.z if trust.causal else None,
    "Stable\nto": lambda trust: trust.stability.worst if trust.stability else None,
    "Others\nagree": lambda trust: trust.agreement.correlation if trust.agreement else None,
}


def say_trust(result: "VisualExplanation") -> None:
    """Print the trust report of an explanation, strongest finding first."""
    saliency_map, report = result.explanation.saliency_map, result.explanation.trust
    order = sorted(range(len(saliency_map.findings)), key=lambda index: -saliency_map.logits[index])
    columns = {
        **{
            name: [_share(getattr(trust, field)) for trust in report.findings]
            for name, field in SHARES.items()
        },
        **{name: [_figure(read(trust)) for trust in report.findings] for name, read in CHECKS.items()},
    }
    given = {name: cells for name, cells in columns.items() if any(cell != ABSENT for cell in cells)}
    rows = [(saliency_map.label(index), *(cells[index] for cells in given.values())) for index in order]
    messages.table("", ("Finding", *given), rows, right=len(given))
    say_statements(result)
    for remark in (_even(saliency_map.values.shape[1:]), *_remarks(report)):
        messages.note(f"  {remark}")


def say_statements(result: "VisualExplanation") -> None:
    """Print what each map can be used for, strongest finding first; findings of one sentence share it."""
    saliency_map, report = result.explanation.saliency_map, result.explanation.trust
    found: dict[str, list[str]] = {}
    for index in sorted(range(len(saliency_map.findings)), key=lambda index: -saliency_map.logits[index]):
        found.setdefault(report.findings[index].statement, []).append(saliency_map.label(index))
    for statement, labels in found.items():
        messages.say(f"{', '.join(labels)}: {statement}")


def _share(share: float | None) -> str:
    return ABSENT if share is None else f"{share:.0%}"


def _figure(figure: float | None) -> str:
    return ABSENT if figure is None else f"{figure:.2f}"


def _even(grid: tuple[int, ...]) -> str:
    """What the shares would be if the evidence lay everywhere: on a coarse grid much is border."""
    from camlucida.saliency.trust.zones import border_share, corner_share  # noqa: PLC0415 - loads the engine

    even = np.ones((1, *grid))
    border, corner = _share(border_share(even)[0]), _share(corner_share(even)[0])
    return f"Evidence spread evenly would have {border} at the border and {corner} in the corners."


def _remarks(report: "TrustReport") -> Iterator[str]:
    yield (
        "Shares are of the supporting evidence; Half on: the share of the area that holds half of it. Stable "
        "to, Others agree: rank correlations, at worst and in the middle."
    )
    if report.body:
        yield report.body
    if report.verdict:
        images = f", {report.head_images} of them images" if report.head_images else ""
        yield f"Proof of the head, on {report.head_inputs} inputs{images}: {report.verdict}."
