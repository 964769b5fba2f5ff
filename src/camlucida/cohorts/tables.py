"""The Parquet files of a cohort: names, types, and how they are written."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from camlucida.errors import MissingExtra

Row: TypeAlias = dict[str, Any]

FINDINGS = {
    "input": "string",
    "frame": "int32",
    "pixel_digest": "string",
    "modality": "string",
    "finding": "string",
    "logit": "float64",
    "probability": "float64",
    "reported": "bool",
    "evidence_for": "float64",
    "evidence_against": "float64",
    "bias": "float64",
    "residual": "float64",
    "unit": "string",
    "residual_share": "float64",
    "focality": "float64",
    "border_share": "float64",
    "corner_share": "float64",
    "outside_share": "float64",
    "statement": "string",
    "body_share": "float64",
    "shard": "int32",
    "map_offset": "int64",
    "map_bytes": "int64",
}
"""A row for each finding of each image; what each figure means stands in docs/concepts/trust-report.md."""

REFUSED = {"input": "string", "reason": "string"}
"""A row for each input that could not be explained, or image of it."""

INPUTS = {"name": "string", "files": "strings", "image": "int64"}
"""The cohort's inputs in their order, as they were found when it was begun."""


def write_table(path: Path, columns: Mapping[str, str], rows: Iterable[Row]) -> None:
    """Write a table; the same rows give the same bytes.

    Raises
    ------
    MissingExtra
        pyarrow is not installed.
    """
    pa = _pyarrow()
    types = {
        name: pa.list_(pa.string()) if kind == "strings" else getattr(pa, _of(kind))()
        for name, kind in columns.items()
    }
    every = list(rows)
    arrays = {name: pa.array([row.get(name) for row in every], type=kind) for name, kind in types.items()}
    pa.parquet.write_table(pa.table(arrays), path, compression="zstd")


def read_table(path: Path) -> list[Row]:
    """All rows of a table that `write_table` has written."""
    return list(_pyarrow().parquet.read_table(path).to_pylist())


def _of(kind: str) -> str:
    return "bool_" if kind == "bool" else kind


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Cohorts are written in Parquet, which needs the Python package pyarrow. "
            "Install with `pip install 'camlucida[development]'`."
        ) from error
    return pyarrow
