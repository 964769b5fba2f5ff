"""What `camlucida methods` says, at the widths of real terminals."""

import pytest
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.records import Unit
from camlucida.saliency.methods import METHODS


def said(*arguments, columns=120):
    result = CliRunner().invoke(app, ["methods", *arguments], env={"COLUMNS": str(columns)})
    assert result.exit_code == 0, result.stderr
    return result.stdout


def in_columns(text):
    """Each column's text, as one line, of a table whose columns begin where the header's words do."""
    header = next(line for line in text.splitlines() if line.strip().startswith("Method"))
    starts = [header.index(word) for word in ("Method", "Values", "Extra cost", "Needs")]
    bounds = list(zip(starts, [*starts[1:], None], strict=True))
    return [
        " ".join(" ".join(line[start:end] for line in text.splitlines()).split()) for start, end in bounds
    ]


@pytest.mark.parametrize("columns", [80, 120, 200])
def test_every_method_is_listed_with_paper_values_cost_needs_and_warnings(columns):
    text = said(columns=columns)
    assert max(map(len, text.splitlines())) <= columns
    names, values, cost, mind = in_columns(text)
    for method in METHODS.values():
        assert f"{method.name} {method.paper}" in names
        assert f"{'logits' if method.unit is Unit.LOGIT else 'pattern'} on {method.grid}" in values
        assert method.passes in cost
        assert method.needs in mind
        assert method.caution in mind


def test_one_method_is_told_in_full():
    text = " ".join(said("score cam").split())
    assert text.startswith("Score-CAM Paper Wang et al.")
    assert "Ask for it as score-cam" in text
    assert "no unit: only places within one map can be compared" in text
    assert "Variants increase (default), softmax" in text
    assert "Grad-CAM" not in text


def test_an_alias_finds_its_method_and_is_told():
    assert "Ask for it as xgrad-cam, respond-cam" in " ".join(said("Respond-CAM").split())


def test_what_explains_no_finding_and_what_contrasts_is_told():
    assert "none: the map is the same for all of them" in " ".join(said("eigen-cam").split())
    assert "holds each finding against another" in " ".join(said("finer-cam").split())


def test_verbose_tells_all_of_them_in_full():
    text = said("--verbose")
    for key, method in METHODS.items():
        assert f"\n{method.name}\n" in f"\n{text}"
        assert f"Ask for it as  {key}" in text


def test_an_unknown_method_is_one_line_with_those_there_are():
    result = CliRunner().invoke(app, ["methods", "grad-kam"])
    assert result.exit_code == 1
    assert "There is no method “grad-kam”; there are: grad-cam" in result.stderr
