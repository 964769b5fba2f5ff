"""What a report was made of, in the words that stand below its title."""

from datetime import UTC, datetime

from camlucida.evaluation.data.cohort import Cohort
from camlucida.version import __version__

DIGITS = 16
"""Of the model digest: as many as anybody compares by eye; report.json has them all."""


def facts_of(cohort: Cohort, data: str, how: tuple[str, str]) -> list[tuple[str, str]]:
    """Pairs for a `Document`: model, data, cases, `how` they were looked at, and when.

    `data` is what the user called them. Patients are only counted.
    """
    people = len({one.case.patient for one in cohort.observed})
    return [
        ("Model", cohort.model),
        ("Model digest", cohort.digest[:DIGITS]),
        ("Data", data),
        ("Cases", f"{len(cohort.observed)} of {people} patients; {len(cohort.refused)} refused"),
        how,
        ("Made", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC by camlucida {__version__}"),
    ]
