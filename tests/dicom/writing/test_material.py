"""What written objects are made of."""

from dataclasses import replace

import pytest

from camlucida.dicom.writing.material import Material, shown_findings
from camlucida.errors import InputError
from camlucida.records import Finding


def test_the_same_thing_has_the_same_uid_and_another_has_another(case):
    material = case.material
    again = Material(material.explanation, material.image, material.sources)
    assert material.uid("series", "SR") == again.uid("series", "SR")
    assert material.uid("series", "SR") != material.uid("series", "SC")
    assert len(material.uid("series")) <= 64
    assert material.uid("series").startswith("2.25.")
    explanation = material.explanation
    changed = replace(explanation, provenance=replace(explanation.provenance, model_digest="e" * 64))
    assert replace(material, explanation=changed).uid("series") != material.uid("series")


def test_shown_are_those_that_reach_their_operating_point(cases):
    explanation = cases("radiograph").material.explanation
    assert shown_findings(explanation) == (0, 1)
    findings = tuple(Finding(one.name) for one in explanation.prediction.findings)
    without_points = replace(explanation, prediction=replace(explanation.prediction, findings=findings))
    assert shown_findings(without_points) == (0,)


def test_what_is_not_dicom_is_refused(cases):
    material = cases("radiograph").material
    with pytest.raises(InputError, match="not read from DICOM"):
        Material(material.explanation, material.image, ())


def test_times_are_in_utc(cases):
    material = cases("radiograph").material
    moved = replace(material.explanation.provenance, created="2026-01-02T01:00:00+03:00")
    explanation = replace(material.explanation, provenance=moved)
    assert replace(material, explanation=explanation).created.isoformat() == "2026-01-01T22:00:00+00:00"
