"""Is the model as good for everybody? Figures by age, sex, view, scanner: whatever columns the table has."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from camlucida.evaluation.classification import Answers, auc, reporting
from camlucida.evaluation.estimates import Estimated
from camlucida.evaluation.intervals import Estimate, Statistic, Weights, estimate, ratio

Flags = NDArray[np.bool_]

LEAST = 10
"""Cases with the finding, and without it, that a subgroup needs for figures."""

MOST_CATEGORIES = 10
"""Names of a column that are shown; the rarer ones are taken together."""

FEW_VALUES = 6
"""A column with more different numbers than this is cut into bands."""

AGES = (0.0, 18.0, 40.0, 60.0, 80.0)
"""Where bands of age begin, in years."""

NOT_GIVEN, OTHERS = "not given", "all others"

SHUFFLES = 400
"""Trials in which groups are filled at random."""

_AGE = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*([YMWD]?)", re.IGNORECASE)
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}  # DICOM PS3.5, VR AS


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Cases that have something in common; `members` is bool (case,)."""

    column: str
    name: str
    members: Flags

    @property
    def title(self) -> str:
        """For a row of a table."""
        return f"{self.column}: {self.name}"


def groups(column: str, values: Sequence[str]) -> tuple[Group, ...]:
    """The subgroups of a column (case,): its names, or bands where they are numbers; each case is in one.

    Ages, in years or as DICOM writes them (058Y, 006M), go into the bands that begin at 0, 18, 40, 60 and 80
    years, other numbers into four bands of equally many cases.
    """
    texts = [value.strip() for value in values]
    names = _bands(column, texts) or _categories(texts)
    order = [name for name in dict.fromkeys(names[0]) if name in names[1]]
    return tuple(Group(column, name, np.array([one == name for one in names[1]])) for name in order)


def _categories(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """The groups in their order, and each case's."""
    counts = Counter(text for text in texts if text)
    shown = [name for name, _ in counts.most_common(MOST_CATEGORIES)]
    return [*sorted(shown), OTHERS, NOT_GIVEN], [
        text if text in shown else OTHERS if text else NOT_GIVEN for text in texts
    ]


def _bands(column: str, texts: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """The same for a column of numbers; None where it is not one, or one of few different numbers."""
    of_age = "age" in re.split(r"[^a-z]+", column.casefold())
    numbers = [_years(text) if of_age else _number(text) for text in texts]
    given = sorted(number for number in numbers if number is not None)
    if len(given) < sum(bool(text) for text in texts) or (len(set(given)) <= FEW_VALUES and not of_age):
        return None
    if not given:
        return None
    starts = list(AGES) if of_age else sorted({given[len(given) * quarter // 4] for quarter in range(4)})
    labels = [f"{start:g} to below {end:g}" for start, end in pairwise(starts)]
    labels.append(f"{starts[-1]:g} and above")
    place = [
        NOT_GIVEN if number is None else labels[int(np.searchsorted(starts, number, side="right")) - 1]
        for number in numbers
    ]
    return [*labels, NOT_GIVEN], place


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _years(text: str) -> float | None:
    found = _AGE.fullmatch(text)
    return None if found is None else float(found[1]) * _YEARS[found[2].upper()]


@dataclass(frozen=True, slots=True)
class Gap:
    """How far the best and the worst subgroup are apart in one measure.

    `estimate` is the difference with its interval, of the two groups that are best and worst in these cases;
    as they were chosen for it, it is on the large side. `by_chance` is what groups of these sizes, filled at
    random, stay below in 95 of 100 trials: only a gap beyond it says that the groups differ.
    """

    measure: str
    best: str
    worst: str
    estimate: Estimate
    by_chance: float

    @property
    def beyond_chance(self) -> bool:
        """Whether the gap is larger than groups filled at random would show."""
        return self.estimate.value is not None and self.estimate.value > self.by_chance


@dataclass(frozen=True, slots=True)
class Row:
    """One subgroup: how many have the finding and how many have not, and its figures by measure.

    `note` says why there are none.
    """

    title: str
    present: int
    absent: int
    estimates: Mapping[str, Estimate]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Subgroups:
    """One finding by one column."""

    finding: str
    column: str
    rows: tuple[Row, ...]
    gaps: tuple[Gap, ...]

    def estimates(self) -> tuple[Estimated, ...]:
        """For the table of estimates."""
        return tuple(
            Estimated(key, self.finding, "", row.title, one)
            for row in self.rows
            for key, one in row.estimates.items()
        )


def by_group(answers: Answers, column: str, values: Sequence[str], *, seed: int = 0) -> Subgroups:
    """Figures of one finding for each subgroup of a column, and the gaps between the best and the worst.

    Parameters
    ----------
    values
        The column's texts for the cases of `answers`, in their order.
    """
    every = groups(column, values)
    rows = tuple(_row(answers.of(group.members), group.title, seed) for group in every)
    usable = [group for group, row in zip(every, rows, strict=True) if not row.note]
    gaps = [
        _gap(answers, key, of, usable, seed) for key, of in _statistics(answers).items() if len(usable) > 1
    ]
    return Subgroups(answers.finding, column, rows, tuple(gaps))


def _row(answers: Answers, title: str, seed: int) -> Row:
    present = int(answers.present.sum())
    absent = len(answers.present) - present
    if min(present, absent) < LEAST:
        why = f"Too few: {present} with the finding and {absent} without; each takes {LEAST}."
        return Row(title, present, absent, {}, why)
    area = auc(answers.present, answers.log_odds)
    figures = {"classification.auc": estimate(area, answers.patients, seed=seed)}
    if answers.reported is not None:
        point = reporting(answers, answers.reported, seed=seed)
        figures |= {
            "classification.sensitivity": point.sensitivity,
            "classification.specificity": point.specificity,
        }
    return Row(title, present, absent, figures)


def _statistics(answers: Answers) -> dict[str, Statistic]:
    """What is compared between groups, of all cases: the weights choose the group."""
    present, reported = answers.present, answers.reported
    of = {"classification.auc": auc(present, answers.log_odds)}
    if reported is not None:
        of["classification.sensitivity"] = ratio(reported & present, present)
        of["classification.specificity"] = ratio(~reported & ~present, ~present)
    return of


def _gap(answers: Answers, key: str, of: Statistic, usable: Sequence[Group], seed: int) -> Gap:
    members = np.stack([group.members for group in usable]).astype(np.float64)
    values = of(members)
    best, worst = int(values.argmax()), int(values.argmin())

    def apart(weights: Weights) -> NDArray[np.float64]:
        return np.asarray(of(weights * members[best]) - of(weights * members[worst]))

    return Gap(
        key,
        usable[best].title,
        usable[worst].title,
        estimate(apart, answers.patients, seed=seed),
        _by_chance(of, members, answers.patients, seed),
    )


def _by_chance(of: Statistic, members: NDArray[np.float64], patients: Sequence[str], seed: int) -> float:
    """What the gap stays below in 95 of 100 trials in which the groups are filled at random.

    Patients change places with all their cases; where a patient has cases in several groups (as with views),
    cases do.
    """
    random = np.random.default_rng(seed)
    outside = ~members.any(axis=0)
    code = np.where(outside, -1, members.argmax(axis=0))
    _, first, whose = np.unique(np.asarray(patients, np.str_), return_index=True, return_inverse=True)
    if (code[first][whose] != code).any():
        first, whose = np.arange(len(code)), np.arange(len(code))
    shuffled = np.stack([random.permutation(code[first])[whose] for _ in range(SHUFFLES)])
    values = np.stack([of((shuffled == group).astype(np.float64)) for group in range(len(members))])
    return float(np.nanquantile(values.max(axis=0) - values.min(axis=0), 0.95))
