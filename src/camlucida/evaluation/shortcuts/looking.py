"""All that is looked at for shortcuts in a cohort: verdicts, discordant cases, clusters, probes.

cohort ──score──> a verdict a finding ──> which cases to look at first
       ──maps───> clusters               ──> contact sheets
       ──embeddings──> probes            ──> what else the features know
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from camlucida.evaluation.classification import auc
from camlucida.evaluation.data.cohort import Cohort, Observed
from camlucida.evaluation.estimates import Estimated, means
from camlucida.evaluation.intervals import Estimate, estimate
from camlucida.evaluation.shortcuts.clusters import Cluster, clusters
from camlucida.evaluation.shortcuts.measuring import (
    AUC_WITHOUT_BODY,
    AUC_WITHOUT_REGION,
    BODYLESS,
    EFFECT,
    PROBE,
    REGIONLESS,
    SCORE,
    key,
)
from camlucida.evaluation.shortcuts.probes import Probe, probes
from camlucida.evaluation.shortcuts.verdict import ShortcutScore, effects_of, score
from camlucida.evaluation.shortcuts.zones import Zone

SHOWN = 12
"""Cases of a contact sheet."""


@dataclass(frozen=True, slots=True)
class Discordant:
    """A case whose label and zone do not go together: `effect` in logits is what the zone adds."""

    seen: Observed
    effect: float
    present: bool


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What was found of one finding.

    `without_body` and `without_region` are AUCs when the body, or what the readers marked, was filled in;
    None where that is not known. `discordant` are the cases to look at first: the zone argues for the finding
    and there is none, then the zone argues against it and it is there.
    """

    score: ShortcutScore
    auc: Estimate | None
    without_body: Estimate | None
    without_region: Estimate | None
    discordant: tuple[Discordant, ...]
    clusters: tuple[Cluster, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shortcuts:
    """All findings, and the probes; `zones` are those that were looked for."""

    cohort: Cohort
    method: str
    zones: Mapping[str, Zone]
    findings: tuple[Looked, ...]
    probes: tuple[Probe, ...]

    def estimates(self) -> tuple[Estimated, ...]:
        """Every figure with its interval, for `estimates.parquet`."""
        people = len({one.case.patient for one in self.cohort.observed})
        counts = len(self.cohort.observed), people
        rows = []
        for one in self.findings:
            name = one.score.finding
            for zone in one.score.zones:
                figure = Estimate(zone.score, zone.low, zone.high, *counts)
                rows.append(Estimated(key(SCORE, zone.zone), name, "", "", figure))
            areas = ((AUC_WITHOUT_BODY, one.without_body), (AUC_WITHOUT_REGION, one.without_region))
            rows += [Estimated(measure, name, "", "", area) for measure, area in areas if area is not None]
        rows += [Estimated(PROBE, "", "", probe.group, probe.auc) for probe in self.probes]
        return (*rows, *means(self.cohort.observed))


def look(
    cohort: Cohort, zones: Mapping[str, Zone], method: str, findings: Sequence[str] | None = None
) -> Shortcuts:
    """Look for shortcuts in cases that were observed with `ZoneMeasuring`.

    Parameters
    ----------
    method
        The key of the maps that are clustered.
    findings
        Those that are looked at; default: all of the model.

    Raises
    ------
    InputError
        No case was observed, or without `ZoneMeasuring`.
    MissingExtra
        scikit-learn is not installed.
    """
    names = findings or [one.name for one in cohort.observed[0].prediction.findings]
    return Shortcuts(
        cohort,
        method,
        zones,
        tuple(_looked(cohort, name, method) for name in names),
        probes(cohort),
    )


def discordant(cohort: Cohort, finding: str, zone: str) -> tuple[Discordant, ...]:
    """Cases in which the zone argues against the label, by half the zone's range or more, strongest first."""
    effects = effects_of(cohort, finding)[zone]
    middle = (effects.min() + effects.max()) / 2
    cases = [
        Discordant(one, float(effect), one.case.labels[finding])
        for one, effect in zip(cohort.observed, effects, strict=True)
        if finding in one.case.labels
    ]
    without = sorted((one for one in cases if not one.present and one.effect > middle), key=_falling)
    with_it = sorted((one for one in cases if one.present and one.effect < middle), key=_rising)
    return (*without, *with_it)


def _falling(one: Discordant) -> float:
    return -one.effect


def _rising(one: Discordant) -> float:
    return one.effect


def _looked(cohort: Cohort, finding: str, method: str) -> Looked:
    found = score(cohort, finding)
    return Looked(
        found,
        _area(cohort, finding, ""),
        _area(cohort, finding, BODYLESS),
        _area(cohort, finding, REGIONLESS),
        discordant(cohort, finding, found.zone),
        clusters(cohort, finding, method),
    )


def _area(cohort: Cohort, finding: str, measure: str) -> Estimate | None:
    """The AUC of the logits, or of logits that were measured with something filled in; None without any.

    Without an annotated region, only what was marked is filled in: cases without the finding stay as they
    are.
    """
    known = [one for one in cohort.observed if finding in one.case.labels]
    logits = [_logit(one, finding, measure) for one in known]
    filled_in = [value for value in logits if value is not None]
    if measure and not filled_in:
        return None
    if measure == REGIONLESS:
        logits = [
            _logit(one, finding, "") if value is None and not one.case.labels[finding] else value
            for one, value in zip(known, logits, strict=True)
        ]
    told = [(one, value) for one, value in zip(known, logits, strict=True) if value is not None]
    present = np.array([one.case.labels[finding] for one, _ in told], np.bool_)
    values = np.array([value for _, value in told], np.float64)
    return estimate(auc(present, values), [one.case.patient for one, _ in told]) if told else None


def _logit(one: Observed, finding: str, measure: str) -> float | None:
    if not measure:
        return one.prediction.logits[one.prediction.index(finding)]
    rows = (row for row in one.measurements if row.measure == measure and row.finding == finding)
    return next((row.value for row in rows), None)


def mean_effect(cohort: Cohort, finding: str, zone: str, present: bool) -> float | None:
    """The mean effect, in logits, of a zone on the cases with the finding, or on those without."""
    values = [
        row.value
        for one in cohort.observed
        if one.case.labels.get(finding) is present
        for row in one.measurements
        if row.measure == key(EFFECT, zone) and row.finding == finding and row.value is not None
    ]
    return float(np.mean(values)) if values else None
