"""The table of names against the methods themselves, which delivery may not import."""

import re
from pathlib import Path

from camlucida.records.method_name import CLASS_AGNOSTIC, DEAR, OPPOSING, SPELLING, spelling
from camlucida.saliency.methods import METHODS


def test_every_method_is_spelt_as_its_paper_spells_it():
    assert {key: SPELLING.get(key) for key in METHODS} == {
        key: method.name for key, method in METHODS.items()
    }


def test_no_name_is_left_of_a_method_that_is_gone():
    assert sorted(set(SPELLING) - set(METHODS)) == []


def test_the_methods_that_explain_no_finding_are_the_same():
    assert {key for key, method in METHODS.items() if method.class_agnostic} == CLASS_AGNOSTIC


def test_the_methods_that_show_what_argues_against_are_the_same():
    assert {key for key, method in METHODS.items() if method.opposing} == OPPOSING


def test_methods_of_many_inferences_are_dear():
    many = re.compile(r"\d+ (noisy copies|points|draws|inferences)|one inference per channel")
    assert {key for key, method in METHODS.items() if many.match(method.passes)} == DEAR


def test_a_method_of_ones_own_keeps_its_key():
    assert spelling("my method") == "my method"


def test_the_viewer_spells_them_the_same():
    texts = (Path(__file__).parents[2] / "viewer" / "src" / "texts.ts").read_text("utf-8")
    table = re.search(r"const METHOD_NAMES[^{]*{(.*?)};", texts, re.DOTALL).group(1)
    assert dict(re.findall(r'^  "?([^":]+)"?: "(.+)",$', table, re.MULTILINE)) == SPELLING


def test_the_viewer_knows_the_same_methods_without_a_sign_and_those_of_the_other_sign():
    script = (Path(__file__).parents[2] / "viewer" / "src" / "methods.ts").read_text("utf-8")
    lists = dict(re.findall(r"const (\w+): readonly string\[\] = \[(.*?)\];", script, re.DOTALL))
    assert {name: set(re.findall(r'"(.+?)"', names)) for name, names in lists.items()} == {
        "OPPOSING": OPPOSING,
        "SIGNLESS": CLASS_AGNOSTIC,
    }
