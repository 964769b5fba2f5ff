import runpy
from pathlib import Path

import pytest

from camlucida.evaluation.catalogue import MEASURES, _by_key

WRITER = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "tell_measures.py"))


def test_every_measure_is_told_on_its_page():
    page = WRITER["PAGE"].read_text("utf-8")
    assert page == WRITER["told"](page), "run: python scripts/tell_measures.py"
    assert not [key for key in MEASURES if f"`{key}`" not in page]
    assert not [key for key, one in MEASURES.items() if "|" in one.sentence + one.source + one.title]


def test_a_key_begins_with_its_topic_and_names_a_measure_once():
    assert not [key for key, measure in MEASURES.items() if not key.startswith(f"{measure.topic}.")]
    one = next(iter(MEASURES.values()))
    with pytest.raises(ValueError, match=one.key):
        _by_key([one], [one])


def test_every_measure_says_what_it_means_and_where_it_is_from():
    assert not [key for key, one in MEASURES.items() if not one.sentence.endswith(".") or not one.source]
