import time
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from camlucida.dicom.header import read_header
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.pacs.configuration import Configuration
from camlucida.pacs.routing import NO_IMAGE, Facts, Results, decide, facts, not_an_image

FILM = Facts("DX", "CHEST", "PA", "Lucida [phantoms]", "Chest 2 views", "Thorax", "MODALITY")
PACS = {"kind": "dimse", "ae_title": "PACS", "host": "h", "port": 104}
ARCHIVE = {"kind": "dicomweb", "url": "http://h/", "profile": "research"}


def configuration(*rules, **destinations):
    named = [{"name": f"rule {n}", **rule} for n, rule in enumerate(rules)]
    return Configuration.model_validate({"rule": named, "destination": destinations})


def rule_of(*rules, found=FILM):
    return decide(configuration(*rules), found).rule


def test_the_first_rule_whose_conditions_hold_decides():
    assert rule_of({"modality": ["CT"]}, {"modality": ["DX"]}, {}) == "rule 1"
    assert rule_of({"modality": ["DX"], "view": ["LL"]}, {"view": ["AP", "PA"]}) == "rule 1"


def test_without_a_rule_that_holds_every_model_is_asked_and_results_are_kept_here():
    found = decide(configuration({"modality": ["CT"]}), FILM)
    assert (found.rule, found.models, found.not_for_us) == ("", None, "")
    assert found.results == (Results("clinical", ""),)


@pytest.mark.parametrize("name", Facts._fields)
def test_each_condition_looks_at_its_own_value(name):
    has = getattr(FILM, name)
    assert rule_of({name: ["something else"]}, {name: [has]}) == "rule 1"
    assert rule_of({name: ["something else", has.upper()]}) == "rule 0"


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("chest*", True),
        ("CHEST 2 VIEWS", True),
        ("chest ? views", True),
        ("chest", False),
        ("*2*", True),
        ("*", True),
        ("", False),
        ("[c]hest*", False),
    ],
)
def test_patterns(pattern, holds):
    assert bool(rule_of({"study_description": [pattern]})) == holds


def test_a_bracket_is_a_bracket():
    assert rule_of({"manufacturer": ["lucida [phantoms]"]}) == "rule 0"


def test_a_value_made_to_be_slow_is_not_slow():
    found = FILM._replace(study_description="a" * 1024)
    begin = time.thread_time()  # not what others take of the machine
    assert not rule_of({"study_description": ["*a" * 12 + "*b"]}, found=found)
    assert time.thread_time() - begin < 1


def test_not_for_us_keeps_its_reason_and_wants_nothing():
    found = decide(configuration({"not_for_us": "No model knows hands."}), FILM)
    assert (found.not_for_us, found.results) == ("No model knows hands.", ())


def test_results_go_to_each_destination_in_its_profile_unless_the_rule_says_which():
    to = {"send_to": ["pacs", "archive"]}
    both = {"pacs": PACS, "archive": ARCHIVE}
    own = decide(configuration(to, **both), FILM).results
    assert own == (Results("clinical", "pacs"), Results("research", "archive"))
    said = decide(configuration({**to, "results": "ohif"}, **both), FILM).results
    assert said == (Results("ohif", "pacs"), Results("ohif", "archive"))
    assert decide(configuration({"results": "none"}), FILM).results == ()
    assert decide(configuration({"results": "research"}), FILM).results == (Results("research", ""),)


def test_why_names_the_rules_passed_over_and_what_did_not_hold():
    found = decide(configuration({"modality": ["CT", "MR"]}, {"view": ["PA"]}), FILM)
    assert found.why == (
        "Not “rule 0”: modality is “DX”, not “CT” or “MR”. "
        "The rule “rule 1” is the first whose conditions hold."
    )


def test_the_header_of_a_film_says_what_rules_look_at(tmp_path):
    write_radiograph(radiograph(1, rows=64), tmp_path / "film.dcm")
    header = read_header(tmp_path / "film.dcm")
    dataset = dcmread(tmp_path / "film.dcm")
    found = facts(header.attributes, "MODALITY")
    assert found.modality == dataset.Modality
    assert found.view == dataset.ViewPosition
    assert found.body_part == dataset.BodyPartExamined
    assert found.manufacturer == dataset.Manufacturer
    assert found.study_description == dataset.StudyDescription
    assert found.sender == "MODALITY"
    assert not_an_image(header.sop_class_uid, header.attributes) == ""


def test_what_is_no_image_is_known_by_its_header():
    reasons = {}
    for name in ("test-SR.dcm", "liver_1frame.dcm", "RG1_UNCR.dcm", "rtplan.dcm", "eCT_Supplemental.dcm"):
        header = read_header(Path(str(get_testdata_file(name, download=False))))
        reasons[name] = not_an_image(header.sop_class_uid, header.attributes)
    assert reasons == {
        "test-SR.dcm": NO_IMAGE,
        "liver_1frame.dcm": "It holds a segmentation, not an image.",
        "RG1_UNCR.dcm": "",
        "rtplan.dcm": NO_IMAGE,
        "eCT_Supplemental.dcm": "",
    }
