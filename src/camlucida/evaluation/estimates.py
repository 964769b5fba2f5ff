"""Figures of a whole cohort: rows of `estimates.parquet`."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.intervals import Estimate, mean
from camlucida.records import Measurement


@dataclass(frozen=True, slots=True)
class Estimated:
    """What a measure comes to over cases.

    `measure` is a key of `camlucida.evaluation.catalogue.MEASURES`; `finding` and `method` are empty where
    the measure is not of one. `group` is the subgroup, "column: name"; empty for all cases.
    """

    measure: str
    finding: str
    method: str
    group: str
    estimate: Estimate


def means(
    observed: Iterable[Observed], group: str = "", *, by_finding: bool = True, seed: int = 0
) -> tuple[Estimated, ...]:
    """The mean of every measurement by finding, method and measure, with intervals by patient.

    A case for which a measure is not defined does not count for it. Without `by_finding` all findings are
    taken together, and `finding` is empty.
    """
    rows: dict[tuple[str, str, str], list[tuple[Measurement, str]]] = defaultdict(list)
    for one in observed:
        for row in one.measurements:
            finding = row.finding if by_finding else ""
            rows[row.measure, finding, row.method].append((row, one.case.patient))
    return tuple(
        Estimated(
            *key, group, mean([_number(row) for row, _ in some], [whose for _, whose in some], seed=seed)
        )
        for key, some in rows.items()
    )


def _number(row: Measurement) -> float:
    return np.nan if row.value is None else row.value
