"""What was found of shortcuts, as a report of blocks."""

from collections.abc import Iterator, Sequence

from camlucida.evaluation.report.case_picture import case_picture
from camlucida.evaluation.report.document import (
    Block,
    Document,
    Paragraph,
    Section,
    Sheet,
    Table,
    Tone,
    Verdict,
)
from camlucida.evaluation.report.facts import facts_of
from camlucida.evaluation.shortcuts.clusters import Cluster
from camlucida.evaluation.shortcuts.looking import SHOWN, Looked, Shortcuts, mean_effect
from camlucida.evaluation.shortcuts.probes import Probe
from camlucida.evaluation.shortcuts.verdict import (
    FALSE_ALARMS,
    NOT_DETECTABLE,
    Judgement,
    ShortcutScore,
    ZoneScore,
    reading,
)
from camlucida.records.method_name import spelling

TONES = {Judgement.RELIANT: Tone.BAD, Judgement.NO_SIGN: Tone.NEUTRAL, Judgement.UNDECIDED: Tone.CAUTION}
MOST_PROBES = 15
TYPICAL = 6
"""Members of a cluster that are shown."""

SCORE_WORDS = (
    "Score: twice the standard deviation, over the films, of what filling the zone in takes from the logit; "
    "a thing that adds e logits on half of the films has the score e. In brackets: 95 % intervals from 1,000 "
    "resamples of patients."
)
SHARE_WORDS = (
    "Evidence there, in logits: the signed map summed over the zone, widened by how far the network sees; "
    "its share of the supporting evidence within the zone proper. Neither is an effect."
)
BORDER_WORDS = (
    "The border is told and not judged: disease reaches into it, and a hole along it is no small thing."
)
REMOVED_WORDS = (
    "AUC when the body, or what readers marked, is filled in. Near 0.5: nothing is told from the rest. Above "
    "it: something is, which may be a shortcut, or the patient's outline; networks often keep some (Sourget "
    "et al., arXiv 2412.04030). Of cases without the finding nothing is marked, so the second figure "
    "compares filled-in with untouched images."
)
PROBE_WORDS = (
    "A logistic regression on the pooled features, tried on patients it was not fitted on. That a property "
    "can be read does not say that the network uses it; where a finding is reliant, it says what to ask."
)
CLUSTER_WORDS = (
    "Films on which the network looks at the same places (spectral clusters of the maps, Lapuschkin et al., "
    "2019). A place to look, no verdict: p by Fisher's exact test, corrected for the groups and clusters "
    "looked at; films of one patient count each for itself, which makes it too small."
)


def document(found: Shortcuts, data: str) -> Document:
    """The whole report; `data` is what the user called it."""
    return Document(
        title=f"Shortcuts of {found.cohort.model}",
        subtitle="Evidence from where the disease cannot be",
        facts=facts_of(found.cohort, data, ("Maps", spelling(found.method))),
        verdicts=[verdict(one, found) for one in found.findings],
        sections=[*_sections(found)],
        footnotes=[NOT_DETECTABLE, FALSE_ALARMS],
    )


def verdict(one: Looked, found: Shortcuts) -> Verdict:
    """A finding's verdict in words."""
    score = one.score
    zone = found.zones[score.zone].title if score.zone in found.zones else score.zone
    says = {
        Judgement.RELIANT: f"{score.finding} relies on a shortcut: {zone}",
        Judgement.NO_SIGN: f"{score.finding}: no sign of a shortcut",
        Judgement.UNDECIDED: f"{score.finding}: not decidable",
    }
    return Verdict(says[score.judgement], reading(score, zone), TONES[score.judgement])


def _sections(found: Shortcuts) -> Iterator[Section]:
    for one in found.findings:
        yield Section(
            one.score.finding,
            [_zones(one, found), *_first(one, found), *_removed(one)],
            details=[*_clusters(one, found)],
        )
    yield Section("What else the features know", [*_probes(found.probes)])
    yield Section("The zones", [_meaning(found)])
    if found.cohort.refused:
        rows = [(one.case, one.reason) for one in found.cohort.refused]
        yield Section("Refused cases", [Table(("Case", "Why"), rows)])


def _zones(one: Looked, found: Shortcuts) -> Table:
    finding = one.score.finding
    return Table(
        ("Zone", "Score", "Effect with it", "Effect without it", "With the logit", "Evidence there", "Share"),
        [_row(zone, finding, found) for zone in one.score.zones],
        right=6,
        caption=f"What each zone does to {finding}, in logits",
        notes=[
            SCORE_WORDS,
            "Effect with it, without it: the mean over cases with, and without, the finding.",
            "With the logit: the correlation of effect and logit.",
            SHARE_WORDS,
            BORDER_WORDS,
            f"Reliant from {one.score.threshold:.2f} logits on.",
        ],
    )


def _row(zone: ZoneScore, finding: str, found: Shortcuts) -> tuple[str, ...]:
    title = found.zones[zone.zone].title if zone.zone in found.zones else zone.zone
    cohort = found.cohort
    with_it, without = (mean_effect(cohort, finding, zone.zone, present=there) for there in (True, False))
    return (
        title if zone.judged else f"{title} (not judged)",
        f"{zone.score:.2f} ({zone.low:.2f} to {zone.high:.2f})",
        _signed(with_it),
        _signed(without),
        _signed(zone.correlation),
        _signed(zone.contribution),
        "–" if zone.share is None else f"{zone.share:.0%}",
    )


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}"


def _first(one: Looked, found: Shortcuts) -> Iterator[Block]:
    if one.score.judgement is not Judgement.RELIANT or not one.discordant:
        return
    yield Sheet(
        [
            case_picture(
                case.seen,
                one.score.finding,
                found.method,
                f"{case.seen.case.name}: {'with' if case.present else 'without'} it, {case.effect:+.2f}",
            )
            for case in one.discordant[:SHOWN]
        ],
        caption=f"Look at these first: the zone argues against the label. With or without "
        f"{one.score.finding}, and what the zone adds, in logits",
    )


def _removed(one: Looked) -> Iterator[Block]:
    if one.auc is None:
        why = f"No case says whether {one.score.finding} is there, so no AUC is told."
        yield Paragraph(why, Tone.CAUTION)
        return
    rows = [("the whole image", one.auc.text())]
    if one.without_body is not None:
        rows.append(("the body filled in", one.without_body.text()))
    if one.without_region is not None:
        rows.append(("what readers marked filled in", one.without_region.text()))
    if len(rows) > 1:
        yield Table(("What the network is shown", "AUC"), rows, right=1, notes=[REMOVED_WORDS])


def _clusters(one: Looked, found: Shortcuts) -> Iterator[Block]:
    if not one.clusters:
        yield Paragraph("Fewer than 20 maps have supporting evidence; they are not clustered.")
        return
    yield Paragraph(CLUSTER_WORDS)
    for number, cluster in enumerate(one.clusters, start=1):
        yield Sheet(
            [case_picture(case, one.score.finding, found.method) for case in cluster.members[:TYPICAL]],
            caption=f"Cluster {number}: {len(cluster.members)} films. {_goes_with(cluster)}",
            width=140,
        )


def _goes_with(cluster: Cluster) -> str:
    told = [
        f"{one.name} ({one.inside:.0%} here, {one.outside:.0%} elsewhere; p = {one.p:.2g})"
        for one in cluster.associations
    ]
    return f"Goes with {'; '.join(told)}." if told else "Goes with no label or column."


def _probes(probes: Sequence[Probe]) -> Iterator[Block]:
    if not probes:
        yield Paragraph(
            "The table has no columns of groups with 10 patients each (site, view, sex, scanner …), so "
            "nothing was probed.",
            Tone.CAUTION,
        )
        return
    yield Table(
        ("Told from the others", "AUC", "Can it be read?"),
        [
            (probe.group, probe.auc.text(), "yes" if probe.readable else "not shown")
            for probe in probes[:MOST_PROBES]
        ],
        right=2,
        notes=[PROBE_WORDS],
    )


def _meaning(found: Shortcuts) -> Table:
    return Table(
        ("Zone", "What it is, and what it misses"), [*((z.title, z.sentence) for z in found.zones.values())]
    )


def lines(found: Shortcuts) -> Iterator[str]:
    """A line a finding, for the terminal."""
    for one in found.findings:
        told = verdict(one, found)
        yield f"{told.title}. {told.why}"


def as_rows(scores: Sequence[ShortcutScore]) -> list[tuple[str, ...]]:
    """Rows of a table for the terminal: finding, verdict, zone, score, threshold."""
    return [
        (
            one.finding,
            str(one.judgement),
            one.zone,
            f"{one.score:.2f} ({one.low:.2f} to {one.high:.2f})",
            f"{one.threshold:.2f}",
        )
        for one in scores
    ]
