"""Whether a method's maps know where a finding is: ahead of chance, of the middle of the image, of its edges.

Differences are taken case by case, and their intervals are by patient: a method and its rival see the same
images, some of which are easy for both.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.intervals import Estimate, mean
from camlucida.evaluation.localization import RIVALS, chance_of
from camlucida.evaluation.localization.measures import AUPRC, PEAK_DISTANCE, PEAK_DISTANCE_PIXELS
from camlucida.evaluation.measures import Better, Measure


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a method is ahead of each rival in one measure, in its unit; above 0 is better."""

    finding: str
    method: str
    measure: Measure
    ahead_of: dict[str, Estimate]

    def surely_ahead_of(self, rival: str) -> bool:
        """Whether the whole interval is above 0."""
        low = self.ahead_of[rival].low
        return low is not None and low > 0


Cases: TypeAlias = Mapping[tuple[str, str], Sequence[tuple[str, Mapping[str, float]]]]
"""By finding and measure: of each case whose it is, and the values by method where they are defined."""


def by_case(observed: Iterable[Observed]) -> Cases:
    """All measurements, sorted so that methods can be compared case by case."""
    cases: dict[tuple[str, str], list[tuple[str, Mapping[str, float]]]] = defaultdict(list)
    for one in observed:
        own: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
        for row in one.measurements:
            if row.value is not None:
                own[row.finding, row.measure][row.method] = row.value
        for key, values in own.items():
            cases[key].append((one.case.patient, values))
    return cases


def standing(cases: Cases, finding: str, method: str, measure: Measure) -> Standing:
    """A method against chance and the rivals, in one measure of one finding."""
    against = (chance_of(method), *RIVALS)
    of_measure = cases.get((finding, measure.key), ())
    return Standing(
        finding, method, measure, {rival: _ahead(of_measure, method, rival, measure) for rival in against}
    )


def _ahead(
    cases: Sequence[tuple[str, Mapping[str, float]]], method: str, rival: str, measure: Measure
) -> Estimate:
    """The mean difference, method less rival, turned so that above 0 is better; of cases that have both."""
    sign = -1.0 if measure.better is Better.LOWER else 1.0
    both = [(patient, values) for patient, values in cases if method in values and rival in values]
    differences = [sign * (values[method] - values[rival]) for _, values in both]
    return mean(differences, [patient for patient, _ in both])


def judged_by(keys: Iterable[str]) -> str | None:
    """The measure that decides, of those that there are: AUPRC; of points, without extent, the distance."""
    there = set(keys)
    return next((key for key in (AUPRC, PEAK_DISTANCE, PEAK_DISTANCE_PIXELS) if key in there), None)
