"""All measures by their keys: what `measurements.parquet` and the reports may speak of."""

from collections.abc import Iterable, Mapping

from camlucida.evaluation import classification, faithfulness, localization, robustness
from camlucida.evaluation.comparison import coherence, cost
from camlucida.evaluation.measures import Measure
from camlucida.evaluation.shortcuts import measuring as shortcuts


def _by_key(*topics: Iterable[Measure]) -> Mapping[str, Measure]:
    measures = [measure for topic in topics for measure in topic]
    keys = [measure.key for measure in measures]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ValueError(f"Two measures have the key “{twice[0]}”.")
    return {measure.key: measure for measure in measures}


MEASURES: Mapping[str, Measure] = _by_key(
    classification.MEASURES,
    coherence.MEASURES,
    cost.MEASURES,
    faithfulness.MEASURES,
    localization.MEASURES,
    robustness.MEASURES,
    shortcuts.MEASURES,
)
"""Each topic's module has its own `MEASURES`, and stands here."""
