"""How good is what the model says, before anybody looks at a map: discrimination and calibration.

Every figure is of one finding over the cases whose label is known, as a `Statistic` of weighted cases: its
interval comes from the very code that gives its value.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logsumexp

from camlucida.evaluation.classification import calibration
from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.estimates import Estimated
from camlucida.evaluation.intervals import Estimate, Statistic, Weights, estimate, mean, proportion, ratio
from camlucida.evaluation.measures import Better, Measure, Topic
from camlucida.models.card import Output
from camlucida.records import Prediction

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a model said of one finding, and what was the case: all (case,), in the order of the cohort.

    `log_odds` are of the finding against everything else: the logit itself where findings are independent,
    its distance to the others' log-sum-exp where exactly one is the case (softmax). Unlike probabilities they
    do not become equal near 1. `reported` says which cases reach the card's operating point; without one, in
    a softmax, of which this finding has the highest probability; None where neither is so.
    """

    finding: str
    present: Flags
    log_odds: Numbers
    operating_point: float | None
    reported: Flags | None
    patients: tuple[str, ...]

    @property
    def probability(self) -> Numbers:
        """Of the finding, 0 to 1."""
        return np.asarray(expit(self.log_odds))

    def of(self, chosen: Flags) -> "Answers":
        """Some of the cases."""
        whose = tuple(patient for patient, one in zip(self.patients, chosen, strict=True) if one)
        reported = None if self.reported is None else self.reported[chosen]
        return Answers(
            self.finding, self.present[chosen], self.log_odds[chosen], self.operating_point, reported, whose
        )


def answers(observed: Iterable[Observed], finding: str, output: Output = Output.SIGMOID) -> Answers:
    """Of the cases whose label for this finding is known.

    Raises
    ------
    UnknownFinding
        The model has no such finding.
    """
    known = [one for one in observed if finding in one.case.labels]
    reported = [_reported(one.prediction, finding, output) for one in known]
    said = [flag for flag in reported if flag is not None]
    return Answers(
        finding=finding,
        present=np.array([one.case.labels[finding] for one in known], bool),
        log_odds=np.array([log_odds(one.prediction, finding, output) for one in known], np.float64),
        operating_point=_operating_point(known[0].prediction, finding) if known else None,
        reported=np.array(said, bool) if known and len(said) == len(known) else None,
        patients=tuple(one.case.patient for one in known),
    )


def _operating_point(prediction: Prediction, finding: str) -> float | None:
    return prediction.findings[prediction.index(finding)].operating_point


def _reported(prediction: Prediction, finding: str, output: Output) -> bool | None:
    index = prediction.index(finding)
    reported = prediction.reported(index)
    if reported is None and output is Output.SOFTMAX:
        return prediction.logits[index] == max(prediction.logits)
    return reported


def log_odds(prediction: Prediction, finding: str, output: Output) -> float:
    """Of a finding against everything else, from its logit, without the rounding of probabilities near 1."""
    index = prediction.index(finding)
    logits = np.asarray(prediction.logits, np.float64)
    if output is Output.SIGMOID:
        return float(logits[index])
    return float(logits[index] - logsumexp(np.delete(logits, index)))


def auc(present: Flags, score: Numbers) -> Statistic:
    """Area under the ROC curve: how often a case with the finding has the higher score; ties count half.

    Hanley and McNeil, Radiology 1982: it is the Mann-Whitney statistic.
    """
    order = np.argsort(score, kind="stable")
    with_it = present[order]
    first = np.flatnonzero(np.r_[True, np.diff(score[order]) != 0]) if len(score) else np.zeros(1, int)

    def of(weights: Weights) -> Numbers:
        sorted_weights = weights[:, order]
        positive = np.add.reduceat(sorted_weights * with_it, first, axis=1)
        negative = np.add.reduceat(sorted_weights * ~with_it, first, axis=1)
        below = np.cumsum(negative, axis=1) - negative
        won = (positive * (below + negative / 2)).sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(won / (positive.sum(axis=1) * negative.sum(axis=1)))

    return of


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What reporting some of the cases comes to.

    `probability` is the one from which cases are reported; None where the highest probability decides.
    """

    probability: float | None
    sensitivity: Estimate
    specificity: Estimate
    positive_predictive_value: Estimate
    negative_predictive_value: Estimate


def reporting(
    answers: Answers, reported: Flags, probability: float | None = None, *, seed: int = 0
) -> OperatingPoint:
    """Sensitivity, specificity and predictive values where these cases (case,) are reported."""
    present = answers.present

    def share(hits: Flags, among: Flags) -> Estimate:
        whose = [patient for patient, one in zip(answers.patients, among, strict=True) if one]
        return proportion(hits[among], whose, seed=seed)

    return OperatingPoint(
        probability,
        share(reported, present),
        share(~reported, ~present),
        share(present, reported),
        share(~present, ~reported),
    )


def at(answers: Answers, operating_point: float, *, seed: int = 0) -> OperatingPoint:
    """The same at an operating point: cases that reach it are reported."""
    return reporting(answers, answers.probability >= operating_point, operating_point, seed=seed)


def youden(answers: Answers) -> float | None:
    """The operating point with the largest sensitivity + specificity - 1 on these cases.

    Youden, Cancer 1950. Chosen on the cases it is then measured on, it flatters. None where all cases have
    the finding, or none has.
    """
    if answers.present.all() or not answers.present.any():
        return None
    points = np.unique(answers.probability)
    with_it = np.sort(answers.probability[answers.present])
    without = np.sort(answers.probability[~answers.present])
    missed = np.searchsorted(with_it, points, side="left") / len(with_it)
    spared = np.searchsorted(without, points, side="left") / len(without)
    return float(points[int((spared - missed).argmax())])


@dataclass(frozen=True, slots=True, eq=False)
class Classified:
    """All that is said of one finding.

    `estimates` by the measure's key. `stated` is where the model reports by its own rule,
    `alternative` at Youden's operating point. `error_range` is the calibration error with 5 to 20 bins, least
    and most; `error_by_chance` what a perfectly calibrated model would show.
    """

    answers: Answers
    estimates: Mapping[str, Estimate]
    stated: OperatingPoint | None
    alternative: OperatingPoint | None
    reliability: tuple[calibration.Bin, ...]
    error_range: tuple[float, float]
    error_by_chance: float

    def rows(self, group: str = "") -> tuple[Estimated, ...]:
        """For the table of estimates."""
        return tuple(
            Estimated(key, self.answers.finding, "", group, one) for key, one in self.estimates.items()
        )


def classified(answers: Answers, *, seed: int = 0) -> Classified:
    """Discrimination at the card's operating point and Youden's, and calibration; all with intervals."""
    probability, reported = answers.probability, answers.reported
    best = youden(answers)
    stated = None
    if reported is not None:
        stated = reporting(answers, reported, answers.operating_point, seed=seed)
    empty = not len(probability)
    errors = [
        float(calibration.error(answers.present, probability, bins)(np.ones((1, len(probability))))[0])
        for bins in ((5, 10, 15, 20) if not empty else ())
    ]
    return Classified(
        answers=answers,
        estimates={
            **{key: estimate(of(answers), answers.patients, seed=seed) for key, of in STATISTICS.items()},
            **_operating(stated),
        },
        stated=stated,
        alternative=None if best is None else at(answers, best, seed=seed),
        reliability=() if empty else calibration.reliability(answers.present, probability, answers.patients),
        error_range=(min(errors), max(errors)) if errors else (np.nan, np.nan),
        error_by_chance=np.nan if empty else calibration.error_by_chance(probability),
    )


STATISTICS: Mapping[str, Callable[[Answers], Statistic]] = {
    "classification.auc": lambda one: auc(one.present, one.log_odds),
    "classification.brier": lambda one: _mean_of((one.probability - one.present) ** 2),
    "classification.calibration-slope": lambda one: calibration.slope(one.present, one.log_odds),
    "classification.calibration-intercept": lambda one: calibration.intercept(one.present, one.log_odds),
    "classification.calibration-error": lambda one: calibration.error(one.present, one.probability),
    "classification.prevalence": lambda one: _mean_of(one.present),
    "classification.mean-probability": lambda one: _mean_of(one.probability),
}
"""Measures that need no operating point, by their keys."""


def _mean_of(values: NDArray[np.generic]) -> Statistic:
    return ratio(values, np.ones(len(values)))


def _operating(point: OperatingPoint | None) -> dict[str, Estimate]:
    if point is None:
        return {}
    return {
        "classification.sensitivity": point.sensitivity,
        "classification.specificity": point.specificity,
        "classification.ppv": point.positive_predictive_value,
        "classification.npv": point.negative_predictive_value,
    }


@dataclass(frozen=True, slots=True, eq=False)
class OneOfSeveral:
    """Findings of which exactly one is the case (softmax), taken together.

    `confusion` counts cases: (what was the case, what has the highest probability), in the order of
    `findings`.
    """

    findings: tuple[str, ...]
    confusion: NDArray[np.int64]
    estimates: Mapping[str, Estimate]

    def rows(self, group: str = "") -> tuple[Estimated, ...]:
        """For the table of estimates."""
        return tuple(Estimated(key, "", "", group, one) for key, one in self.estimates.items())


def one_of_several(observed: Iterable[Observed], *, seed: int = 0) -> OneOfSeveral | None:
    """Accuracy, mean sensitivity and the highest probability's calibration; None where no case says which.

    Cases count whose labels say of exactly one of the model's findings that it is the case.
    """
    known = [(one, _the_one(one)) for one in observed]
    cases = [(one, which) for one, which in known if which is not None]
    if not cases:
        return None
    findings = tuple(finding.name for finding in cases[0][0].prediction.findings)
    truth = np.array([which for _, which in cases])
    probability = np.array([one.prediction.probabilities for one, _ in cases])
    said, patients = probability.argmax(axis=1), [one.case.patient for one, _ in cases]
    confusion = np.zeros((len(findings),) * 2, np.int64)
    np.add.at(confusion, (truth, said), 1)
    right = said == truth
    squares = ((probability - np.eye(len(findings))[truth]) ** 2).sum(axis=1)
    return OneOfSeveral(
        findings,
        confusion,
        {
            "classification.accuracy": proportion(right, patients, seed=seed),
            "classification.mean-sensitivity": estimate(_mean_sensitivity(truth, right), patients, seed=seed),
            "classification.brier-of-all": mean(squares, patients, seed=seed),
            "classification.confidence-error": estimate(
                calibration.error(right, probability.max(axis=1)), patients, seed=seed
            ),
        },
    )


def _the_one(one: Observed) -> int | None:
    there = [
        index
        for index, finding in enumerate(one.prediction.findings)
        if one.case.labels.get(finding.name, False)
    ]
    return there[0] if len(there) == 1 else None


def _mean_sensitivity(truth: NDArray[np.int64], right: Flags) -> Statistic:
    each = [ratio(right & (truth == which), truth == which) for which in np.unique(truth)]
    return lambda weights: np.asarray(np.mean([of(weights) for of in each], axis=0))


def _measure(
    key: str, title: str, better: Better, sentence: str, source: str, unit: str = "", digits: int = 2
) -> Measure:
    return Measure(
        f"classification.{key}", title, Topic.CLASSIFICATION, better, sentence, source, unit, digits
    )


_COUNTING = "Altman and Bland, BMJ 1994"
_COX = "Cox, Biometrika 1958; Van Calster et al., BMC Medicine 2019"

MEASURES: tuple[Measure, ...] = (
    _measure(
        "auc",
        "AUC",
        Better.HIGHER,
        "How often a case with the finding has the higher logit than one without; ties count half, 0.5 is "
        "guessing. It says nothing of the operating point or of calibration.",
        "Hanley and McNeil, Radiology 1982",
        digits=3,
    ),
    _measure(
        "sensitivity",
        "Sensitivity",
        Better.HIGHER,
        "Share of the cases with the finding that are reported at the operating point.",
        _COUNTING,
        digits=3,
    ),
    _measure(
        "specificity",
        "Specificity",
        Better.HIGHER,
        "Share of the cases without the finding that are not reported at the operating point.",
        _COUNTING,
        digits=3,
    ),
    _measure(
        "ppv",
        "Positive predictive value",
        Better.HIGHER,
        "Share of the reported cases that have the finding: it holds only where the finding is as frequent "
        "as in these data.",
        "Altman and Bland, BMJ 1994 (predictive values)",
        digits=3,
    ),
    _measure(
        "npv",
        "Negative predictive value",
        Better.HIGHER,
        "Share of the cases that are not reported that do not have the finding: it holds only where the "
        "finding is as frequent as in these data.",
        "Altman and Bland, BMJ 1994 (predictive values)",
        digits=3,
    ),
    _measure(
        "brier",
        "Brier score",
        Better.LOWER,
        "Mean squared distance of the probability from what was the case. Where a finding is rare, saying "
        "“never” scores well.",
        "Brier, Monthly Weather Review 1950",
        digits=3,
    ),
    _measure(
        "calibration-slope",
        "Calibration slope",
        Better.NEITHER,
        "1 where the log odds are right; below 1 the probabilities are too extreme, above 1 too timid. It "
        "has no value where the cases with and without the finding do not overlap.",
        _COX,
    ),
    _measure(
        "calibration-intercept",
        "Calibration intercept",
        Better.NEITHER,
        "What must be added to every logit for the mean probability to be right: below 0 the probabilities "
        "are too high.",
        _COX + ": calibration in the large, with the slope fixed at 1",
        "logits",
    ),
    _measure(
        "calibration-error",
        "Calibration error (ECE)",
        Better.LOWER,
        "Mean distance between probability and frequency over ten equal bins. It changes with the bins, and "
        "is above 0 by chance even where every probability is right: hold it against the figure beside it.",
        "Naeini et al., AAAI 2015; Guo et al., ICML 2017, eq. 3",
        digits=3,
    ),
    _measure(
        "prevalence",
        "Share with the finding",
        Better.NEITHER,
        "How frequent the finding is among the cases whose label is known.",
        _COUNTING,
        digits=3,
    ),
    _measure(
        "mean-probability",
        "Mean probability",
        Better.NEITHER,
        "What the model says on average: where it is right, as much as the share with the finding.",
        "Van Calster et al., BMC Medicine 2019",
        digits=3,
    ),
    _measure(
        "accuracy",
        "Accuracy",
        Better.HIGHER,
        "Of findings of which exactly one is the case: how often it has the highest probability. A frequent "
        "finding can carry it alone.",
        _COUNTING,
        digits=3,
    ),
    _measure(
        "mean-sensitivity",
        "Mean sensitivity (balanced accuracy)",
        Better.HIGHER,
        "Of findings of which exactly one is the case: the mean over them of how often each has the highest "
        "probability when it is the case.",
        "Brodersen et al., ICPR 2010",
        digits=3,
    ),
    _measure(
        "brier-of-all",
        "Brier score of all findings",
        Better.LOWER,
        "Of findings of which exactly one is the case: the squared distances of all probabilities, summed; 0 "
        "to 2.",
        "Brier, Monthly Weather Review 1950",
        digits=3,
    ),
    _measure(
        "confidence-error",
        "Calibration error of the highest probability",
        Better.LOWER,
        "Of findings of which exactly one is the case: the calibration error of the highest probability "
        "against how often it is right. It changes with the bins.",
        "Guo et al., ICML 2017, eq. 3",
        digits=3,
    ),
)
