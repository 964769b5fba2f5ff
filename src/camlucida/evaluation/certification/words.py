"""A certificate in words, tables and pictures."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from camlucida.evaluation.certification import Certificate, Certified, Gate, Outcome
from camlucida.evaluation.certification.counterfactual import both_versions
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Refused
from camlucida.evaluation.intervals import Estimate
from camlucida.evaluation.report.document import (
    Block,
    Chart,
    ChartKind,
    Document,
    Paragraph,
    Picture,
    Section,
    Series,
    Sheet,
    Table,
    Tone,
    Verdict,
)
from camlucida.images.artefact import Artefact
from camlucida.images.read import read_image
from camlucida.models.classifier import Classifier
from camlucida.rendering.legend import overlaid
from camlucida.saliency.explain import explain_batch
from camlucida.version import __version__

SIDE = 320
"""Pixels along the longer side of a picture."""

TITLES = {
    Certified.CERTIFIED: "Certified: the repair is real",
    Certified.REJECTED: "Rejected: this is no repair",
    Certified.UNDECIDED: "Undecided: it can be neither certified nor rejected",
}
TONES = {
    Certified.CERTIFIED: Tone.GOOD,
    Certified.REJECTED: Tone.BAD,
    Certified.UNDECIDED: Tone.CAUTION,
}
UNITS = {
    "effect": (
        "logits; the last column is the share of the effect that is left: in the half, with the finding or "
        "without it, where it is more, and by how far the logits lie apart where the repair has shrunk them"
    ),
    "worst-group": "share of cases told rightly; the last column is what was gained",
    "auc": "area under the ROC curve; the last column is what was lost",
    "localisation": "share of the evidence; the last column is what was lost",
}
LIMITS = {"effect": "at most", "worst-group": "more than", "auc": "at most", "localisation": "at most"}

SHARE_NOTE = (
    "The map's share on the artefact is shown because everybody looks at it. It cannot pass anybody: a "
    "penalty on the map takes the share away and leaves the effect."
)
EFFECT_NOTE = (
    "Each image is shown to both models without the artefact and with it; nothing else differs. Where it was "
    "taken out, what lay behind it is a guess."
)


def reasons(certificate: Certificate) -> str:
    """Why the verdict is what it is: every gate that failed, else every one that is open, else all."""
    for outcome in (Outcome.FAILED, Outcome.UNDECIDED, Outcome.PASSED):
        told = [gate for gate in certificate.gates if gate.outcome is outcome]
        if told:
            return " ".join(f"{gate.title}: {figures(gate)}. {gate.why}" for gate in told)
    return ""


def figures(gate: Gate) -> str:
    """What decided, in a few words."""
    before, after = gate.before.text(), gate.after.text()
    if gate.key == "effect":
        left = f"{_percent(gate.compared.value)} left"
        return f"{_signed(gate.before.value)} before, {_signed(gate.after.value)} after, {left}"
    return f"{before} before, {after} after"


def rows(certificate: Certificate) -> list[tuple[str, ...]]:
    """A row a gate: title, outcome, before, after, what decides with its interval, the limit."""
    return [
        (
            gate.title,
            gate.outcome,
            gate.before.text(),
            gate.after.text(),
            gate.compared.text(),
            f"{LIMITS[gate.key]} {gate.limit:g}",
        )
        for gate in certificate.gates
    ]


COLUMNS = ("gate", "outcome", "before", "after", "change", "limit")


def document(
    certificate: Certificate,
    facts: Sequence[tuple[str, str]],
    finding: str,
    artefact: str,
    pictures: Sequence[Picture] = (),
    refused: Sequence[Refused] = (),
) -> Document:
    """The report: the verdict, its gates, the effects, the maps."""
    verdict = certificate.verdict
    return Document(
        title=f"Repair of “{artefact}” for {finding}: {verdict}",
        subtitle="Does the artefact still move the logit? The same images without it and with it.",
        facts=facts,
        verdicts=(Verdict(TITLES[verdict], reasons(certificate), TONES[verdict]),),
        sections=(
            _gates(certificate),
            _effects(certificate),
            *_maps(certificate, pictures),
            *_not_used(refused),
        ),
        footnotes=("The certificate is of a model's behaviour on these data.",),
    )


def version_pictures(
    models: tuple[Classifier, Classifier],
    case: Case,
    artefact: Artefact,
    finding: str,
    method: str,
    *,
    carries: bool,
) -> list[Picture]:
    """Four pictures of one case: without the artefact and with it, by the model before and the one after."""
    versions = both_versions(read_image(case.files[0]), artefact, carries=carries)
    pictures = []
    for when, model in zip(("before", "after"), models, strict=True):
        every = explain_batch(model, list(versions), method=method, finding=finding)
        for what, one in zip(("without", "with"), every, strict=True):
            said = f"{what}, {when}: {one.logits[0]:+.1f} logits"
            # Without a legend, which is not to be read at this size.
            picture = overlaid(one.image, one.explanation, one.index(finding))
            picture.thumbnail((SIDE, SIDE))
            pictures.append(Picture(picture, said, f"{case.name} {said}; evidence for {finding}"))
    return pictures


def as_json(certificate: Certificate) -> dict[str, Any]:
    """All figures as plain JSON types; patients are a count."""
    return {
        "library_version": __version__,
        "verdict": str(certificate.verdict),
        "reasons": reasons(certificate),
        "gates": [{**asdict(gate), "outcome": str(gate.outcome)} for gate in certificate.gates],
        "operating_points": dict(zip(("before", "after"), certificate.points, strict=True)),
        "share_on_artefact": dict(
            zip(("before", "after"), (asdict(one) for one in certificate.shares), strict=True)
        ),
        "effects": [
            {"images": name, "before": asdict(before), "after": asdict(after)}
            for name, before, after in certificate.effects
        ],
        "cases": certificate.cases,
        "patients": certificate.patients,
        "carrying": certificate.carrying,
    }


def points_in_words(certificate: Certificate) -> str:
    """The operating points, which the repair has moved."""
    before, after = certificate.points
    return (
        f"Operating points, chosen anew on these images as they are (Youden): {before:.3f} before, "
        f"{after:.3f} after. Do not keep the old one: the logits have moved. Chosen and used on the same "
        "cases they flatter both models alike."
    )


def _gates(certificate: Certificate) -> Section:
    notes = [f"{gate.title}: {UNITS[gate.key]}. {gate.why}" for gate in certificate.gates]
    return Section(
        "The gates",
        (
            Table(COLUMNS, rows(certificate), right=4, caption="95 % intervals by patient", notes=notes),
            Paragraph(points_in_words(certificate)),
        ),
    )


def _effects(certificate: Certificate) -> Section:
    shown = [row for row in certificate.effects if row[1].value is not None and row[2].value is not None]
    series = [
        _series("before", [before for _, before, _ in shown]),
        _series("after", [after for _, _, after in shown]),
    ]
    labels = [f"{name} (n = {before.cases})" for name, before, _ in shown]
    table = [(name, before.text(), after.text(), str(before.cases)) for name, before, after in shown]
    return Section(
        "What the artefact does to the logit",
        (
            Chart(ChartKind.INTERVALS, series, "logits", labels=labels, reference=0.0, caption=EFFECT_NOTE),
            Table(("images", "before", "after", "cases"), table, right=3),
        ),
    )


def _maps(certificate: Certificate, pictures: Sequence[Picture]) -> list[Section]:
    before, after = certificate.shares
    share = Paragraph(
        f"Share of the supporting evidence on the artefact: {before.text()} before, {after.text()} after. "
        f"{SHARE_NOTE}"
    )
    blocks: list[Block] = [share]
    if pictures:
        blocks.append(Sheet(pictures, "The same image, without the artefact and with it", 220))
    return [Section("What the maps show", blocks)]


def _not_used(refused: Sequence[Refused]) -> list[Section]:
    if not refused:
        return []
    table = Table(("image", "why"), [(one.case, one.reason) for one in refused])
    return [Section("Images that were not used", (Paragraph(f"{len(refused)} in all."),), (table,))]


def _series(name: str, found: Sequence[Estimate]) -> Series:
    return Series(
        name,
        [one.value or 0.0 for one in found],
        list(range(len(found))),
        [_end(one.low, one.value) for one in found],
        [_end(one.high, one.value) for one in found],
    )


def _end(value: float | None, other: float | None) -> float:
    return next((one for one in (value, other) if one is not None), 0.0)


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f} logits"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f} %"
