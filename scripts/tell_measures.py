"""Write the tables of docs/concepts/what-the-measures-mean.md from the measures themselves.

A table stands after each line `<!-- measures: TOPIC -->`; what is told around it is written by hand.
"""

import re
from pathlib import Path

from camlucida.evaluation.catalogue import MEASURES
from camlucida.evaluation.measures import Better, Measure

PAGE = Path(__file__).resolve().parent.parent / "docs/concepts/what-the-measures-mean.md"
TABLE = re.compile(r"^(<!-- measures: (\w+) -->\n)(?:\n(?:\|.*\n)+)?", re.MULTILINE)
BETTER = {Better.HIGHER: "higher", Better.LOWER: "lower", Better.NEITHER: "–"}


def told(page: str) -> str:
    """The page with its tables as they ought to be."""
    return TABLE.sub(lambda found: found[1] + table(found[2]), page)


def table(topic: str) -> str:
    """The measures of one topic, a line each, below an empty one; nothing where there are none."""
    rows = [row(measure) for measure in MEASURES.values() if measure.topic == topic]
    head = ["| measure | better | what it means | source |", "|---|---|---|---|"]
    return "\n".join(["", *head, *rows, ""]) if rows else ""


def row(measure: Measure) -> str:
    """One measure: what it is called in a report and in `measurements.parquet`, and what it says."""
    unit = f", {measure.unit}" if measure.unit else ""
    name = f"{measure.title}{unit}<br>`{measure.key}`"
    return f"| {name} | {BETTER[measure.better]} | {measure.sentence} | {measure.source} |"


if __name__ == "__main__":
    PAGE.write_text(told(PAGE.read_text("utf-8")), "utf-8")
