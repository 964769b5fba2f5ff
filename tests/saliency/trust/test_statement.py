import json
from pathlib import Path

from camlucida.records.method_name import CLASS_AGNOSTIC
from camlucida.saliency.methods import METHODS
from camlucida.saliency.trust import statement

(CASE,) = json.loads((Path(__file__).parents[2] / "vectors" / "trust.json").read_text())["cases"]


def test_the_screen_warns_where_the_statement_does():
    assert CASE["notable"] == {
        "residual": statement.NOTABLE_RESIDUAL,
        "outside": statement.NOTABLE_OUTSIDE,
        "corners": statement.NOTABLE_CORNERS,
        "faint": statement.FAINT,
        "stronger": statement.STRONGER,
        "same": statement.SAME,
    }
    assert set(CASE["class_agnostic"]) == CLASS_AGNOSTIC
    assert set(CASE["opposing"]) == {name for name, method in METHODS.items() if method.opposing}
