"""What was found, for programs: Parquet tables, and one JSON beside the report.

    cases.parquet         a row for each case and finding: what is known of it, and what the model says
    measurements.parquet  a row for each number of one case: case, finding, method, measure, value
    estimates.parquet     a row for each figure of all cases, or of a subgroup, with its interval
    report.json           the verdicts, the estimates, what each measure means, and the refused cases

Patients are in none of them but as counts. Where a number is not defined it is null.
"""

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from camlucida.errors import MissingExtra
from camlucida.evaluation.catalogue import MEASURES
from camlucida.evaluation.data.cohort import Cohort, Observed
from camlucida.evaluation.estimates import Estimated
from camlucida.evaluation.report.document import Document
from camlucida.saliency.saving import replace_whole
from camlucida.version import __version__

CASES, MEASUREMENTS, ESTIMATES = "cases.parquet", "measurements.parquet", "estimates.parquet"
REPORT = "report.json"

TEXT, NUMBER, FLAG, COUNT = "string", "double", "bool", "int64"
MEASURED = {"case": TEXT, "finding": TEXT, "method": TEXT, "measure": TEXT, "value": NUMBER}
ESTIMATED = {
    "measure": TEXT,
    "finding": TEXT,
    "method": TEXT,
    "group": TEXT,
    "value": NUMBER,
    "low": NUMBER,
    "high": NUMBER,
    "cases": COUNT,
    "patients": COUNT,
    "note": TEXT,
}


def write_tables(
    folder: Path, cohort: Cohort, estimates: Iterable[Estimated], columns: Sequence[str] = ()
) -> tuple[Path, ...]:
    """Write the three Parquet tables, each whole or not at all; replaces older ones.

    Parameters
    ----------
    columns
        Those of the user's own columns that are to stand in cases.parquet: the others may name people.

    Raises
    ------
    MissingExtra
        pyarrow is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = {name: TEXT for name in columns if name not in _CASE}
    return (
        _write(folder / CASES, _CASE | own, _case_rows(cohort, tuple(own))),
        _write(folder / MEASUREMENTS, MEASURED, _measured(cohort)),
        _write(folder / ESTIMATES, ESTIMATED, map(flat, estimates)),
    )


def write_json(path: Path, document: Document, cohort: Cohort, estimates: Sequence[Estimated]) -> Path:
    """Write the report for programs, whole or not at all; NaN, which JSON does not have, is null."""
    content = {
        "title": document.title,
        "library_version": __version__,
        "model": cohort.model,
        "model_digest": cohort.digest,
        "facts": dict(document.facts),
        "verdicts": [
            {"title": one.title, "why": one.why, "tone": str(one.tone)} for one in document.verdicts
        ],
        "cases": len(cohort.observed),
        "patients": len({one.case.patient for one in cohort.observed}),
        "refused": [{"case": one.case, "reason": one.reason} for one in cohort.refused],
        "estimates": [flat(one) for one in estimates],
        "measures": dict(_meanings(estimates)),
        "footnotes": list(document.footnotes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return replace_whole(path, [text.encode(), b"\n"])


def flat(row: Estimated) -> dict[str, Any]:
    """An estimate as plain JSON types."""
    one = row.estimate
    return {
        "measure": row.measure,
        "finding": row.finding,
        "method": row.method,
        "group": row.group,
        "value": _defined(one.value),
        "low": _defined(one.low),
        "high": _defined(one.high),
        "cases": one.cases,
        "patients": one.patients,
        "note": one.note,
    }


_CASE = {
    "case": TEXT,
    "finding": TEXT,
    "label": FLAG,
    "logit": NUMBER,
    "probability": NUMBER,
    "reported": FLAG,
    "refused": TEXT,
}


def _case_rows(cohort: Cohort, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    for one in cohort.observed:
        yield from _findings(one, {name: one.case.columns.get(name) for name in columns})
    for refused in cohort.refused:
        yield {"case": refused.case, "refused": refused.reason}


def _findings(one: Observed, columns: Mapping[str, str | None]) -> Iterator[dict[str, Any]]:
    said = one.prediction
    for index, finding in enumerate(said.findings):
        yield {
            "case": one.case.name,
            "finding": finding.name,
            "label": one.case.labels.get(finding.name),
            "logit": _defined(said.logits[index]),
            "probability": _defined(said.probabilities[index]),
            "reported": said.reported(index),
            **columns,
        }


def _measured(cohort: Cohort) -> Iterator[dict[str, Any]]:
    for one in cohort.observed:
        for row in one.measurements:
            yield {
                "case": row.case,
                "finding": row.finding,
                "method": row.method,
                "measure": row.measure,
                "value": _defined(row.value),
            }


def _meanings(estimates: Iterable[Estimated]) -> Iterator[tuple[str, dict[str, str]]]:
    for key in dict.fromkeys(one.measure for one in estimates):
        measure = MEASURES.get(key)
        if measure is not None:
            yield (
                key,
                {
                    "title": measure.title,
                    "unit": measure.unit,
                    "better": str(measure.better),
                    "meaning": measure.sentence,
                    "source": measure.source,
                },
            )


def _defined(value: float | None) -> float | None:
    return None if value is None or not isfinite(value) else float(value)


def _write(path: Path, columns: Mapping[str, str], rows: Iterable[Mapping[str, Any]]) -> Path:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Tables in Parquet need the Python package pyarrow. "
            "Install with `pip install 'camlucida[development]'`."
        ) from error
    types = {TEXT: pa.string(), NUMBER: pa.float64(), FLAG: pa.bool_(), COUNT: pa.int64()}
    every = list(rows)
    arrays = {
        name: pa.array([row.get(name) for row in every], type=types[kind]) for name, kind in columns.items()
    }
    written = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(arrays), written, compression="zstd")
    return replace_whole(path, [written.getvalue()])
