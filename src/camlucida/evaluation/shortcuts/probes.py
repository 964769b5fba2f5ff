"""What else do the features know? Linear probes for site, view, sex, scanner … in the pooled activations.

A probe is a logistic regression on a layer's features (Alain and Bengio, arXiv 1610.01644). It is tried on
patients that it was not fitted on. That a property can be read does not mean that the network uses it: sex is
seen in a chest. That it cannot be read says that the head cannot use it either, as far as it is linear.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import MissingExtra
from camlucida.evaluation.classification import auc
from camlucida.evaluation.classification.subgroups import groups
from camlucida.evaluation.data.cohort import Cohort
from camlucida.evaluation.intervals import LEAST_PATIENTS, Estimate, estimate

FOLDS = 5
MOST_GROUPS = 12
"""A column with more groups than these is a number or a name, and is not probed."""

STRENGTH = 0.1
"""Inverse strength of the penalty on the probe's weights: there are often more channels than cases."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How well one group of a column is told from the others: AUC with its 95 % interval by patient."""

    column: str
    group: str
    auc: Estimate

    @property
    def readable(self) -> bool:
        """Whether the whole interval is above chance; an AUC of 1 has none."""
        return self.auc.value == 1 or (self.auc.low is not None and self.auc.low > 0.5)


def probes(cohort: Cohort, columns: Sequence[str] | None = None) -> tuple[Probe, ...]:
    """Probes of the table's columns, the best readable first; of a column of two groups only one.

    Ages and other numbers are taken in bands. Columns with too many groups, and groups of fewer than 10
    patients (or of all but fewer than 10), are passed over.

    Raises
    ------
    MissingExtra
        scikit-learn is not installed.
    """
    names = columns if columns is not None else _columns(cohort)
    found = [probe for name in names for probe in _of_column(cohort, name)]
    return tuple(sorted(found, key=lambda probe: -(probe.auc.value or 0)))


def _columns(cohort: Cohort) -> Sequence[str]:
    return list(dict.fromkeys(name for one in cohort.observed for name in one.case.columns))


def _of_column(cohort: Cohort, column: str) -> Iterator[Probe]:
    known = [one for one in cohort.observed if one.case.columns.get(column, "").strip()]
    if not known:
        return
    features = np.stack([one.embedding for one in known]).astype(np.float64)
    patients = [one.case.patient for one in known]
    every = groups(column, [one.case.columns[column] for one in known])
    if not 2 <= len(every) <= MOST_GROUPS:
        return
    for group in every[:1] if len(every) == 2 else every:
        inside = np.asarray(group.members, np.bool_)
        if _enough(inside, patients):
            scores = out_of_fold(features, inside, patients)
            yield Probe(column, group.title, estimate(auc(inside, scores), patients))


def _enough(inside: NDArray[np.bool_], patients: Sequence[str]) -> bool:
    people = np.asarray(patients)
    return min(len(set(people[inside])), len(set(people[~inside]))) >= LEAST_PATIENTS


def out_of_fold(
    features: NDArray[np.float64], inside: NDArray[np.bool_], patients: Sequence[str]
) -> NDArray[np.float64]:
    """Where each case stands (case,), 0..1, among its fold by a probe that was fitted without its patient.

    Folds are fitted apart, and their log odds have different offsets; ranks are comparable. A fold whose
    probe could not be fitted, as all others are of one group, tells nothing: one half.

    Raises
    ------
    MissingExtra
        scikit-learn is not installed.
    """
    try:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - an extra
        from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Probes need the Python package scikit-learn. "
            "Install with `pip install 'camlucida[development]'`."
        ) from error
    scores = np.full(len(features), 0.5)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fitted, held_out in folds.split(features, inside, patients):
        middle, width = features[fitted].mean(axis=0), features[fitted].std(axis=0)
        scaled = (features - middle) / np.where(width > 0, width, 1)
        if inside[fitted].all() or not inside[fitted].any():
            continue
        probe = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=1000)
        probe.fit(scaled[fitted], inside[fitted])
        scores[held_out] = _ranks(probe.decision_function(scaled[held_out]))
    return scores


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata  # noqa: PLC0415

    return np.asarray((rankdata(values) - 0.5) / len(values))


def knows(found: Sequence[Probe]) -> Mapping[str, Probe]:
    """The columns that can be read from the features, each with its best readable group."""
    best: dict[str, Probe] = {}
    for probe in found:
        if probe.readable:
            best.setdefault(probe.column, probe)
    return best
