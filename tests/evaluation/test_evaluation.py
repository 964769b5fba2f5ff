import csv
from dataclasses import replace

import PIL.Image
import pytest

from camlucida.errors import InputError, UnsupportedNetwork
from camlucida.evaluation.classification.worst_cases import worst
from camlucida.evaluation.data.dataset import Dataset, read_dataset
from camlucida.evaluation.evaluation import Plan, evaluate, sample
from camlucida.evaluation.measures import Topic
from camlucida.evaluation.report.document import Sheet, Table
from camlucida.evaluation.report.page import as_html
from camlucida.evaluation.words import as_document
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.card import Task
from camlucida.models.load import load_model

FILMS = 20
FINDING = "Effusion"


@pytest.fixture(scope="module")
def model():
    return load_model("phantom-radiograph")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory, model):
    """Films of which every other has an effusion, with a box for some; one file is broken."""
    folder = tmp_path_factory.mktemp("films")
    with (folder / "films.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", FINDING, "patient", "age", "name"])
        for seed in range(FILMS):
            film = radiograph(seed, [FINDING] if seed % 2 == 0 else [], rows=128)
            PIL.Image.fromarray(film.values * 16).save(folder / f"{seed}.png")
            table.writerow(
                [f"{seed}.png", int(seed % 2 == 0), f"patient-{seed // 2}", 20 + 3 * seed, "Doe^Jane"]
            )
        (folder / "broken.png").write_bytes((folder / "0.png").read_bytes()[:200])
        table.writerow(["broken.png", 0, "nobody", 50, "Doe^Jane"])
    with (folder / "boxes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "finding", "x", "y", "width", "height"])
        table.writerows([f"{seed}.png", FINDING, 10, 70, 30, 30] for seed in (0, 2))
    names = [finding.name for finding in model.card.findings]
    return read_dataset(folder / "films.csv", names, annotations=[folder / "boxes.csv"])


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def found(model, dataset, kept):
    return evaluate(model, dataset, Plan(sample=2), kept_in=kept)


def test_every_part_has_its_figures(found):
    topics = {row.measure.partition(".")[0] for row in found.estimates}
    assert topics >= {"classification", "localisation", "faithfulness", "robustness"}
    assert found.sanity.images == 2
    assert found.sampled == 2
    assert [one.answers.finding for one in found.findings] == [FINDING]
    assert found.findings[0].estimates["classification.auc"].value > 0.9


def test_what_is_dear_is_measured_on_the_sample_only_and_joins_the_cases(found):
    measured = [
        one.case.name
        for one in found.cohort.observed
        if any(row.measure.startswith("faithfulness.") for row in one.measurements)
    ]
    assert len(measured) == 2
    everywhere = next(row for row in found.estimates if row.measure == "faithfulness.beyond-chance")
    assert everywhere.estimate.cases == 2


def test_a_broken_file_is_refused_and_the_others_go_on(found):
    assert [one.case for one in found.cohort.refused] == ["broken.png"]
    assert len(found.cohort.observed) == FILMS


def test_subgroups_are_made_of_the_usual_columns_and_of_those_alone(found):
    assert found.plan.subgroups == ("age",)
    assert {one.column for one in found.subgroups} == {"age"}
    assert any(row.group.startswith("age: ") for row in found.estimates)


def test_a_run_that_was_stopped_goes_on_where_it_was(model, dataset, kept, found, monkeypatch):
    monkeypatch.setattr("camlucida.evaluation.data.observing._explained", explain_nothing)
    rest = replace(dataset, cases=tuple(case for case in dataset.cases if case.name != "broken.png"))
    again = evaluate(model, rest, Plan(parts=PARTS_WITHOUT_SANITY, sample=2), kept_in=kept)
    assert again.findings[0].estimates == found.findings[0].estimates


def explain_nothing(_model, images, *_):
    return pytest.fail("explained again") if images else []


PARTS_WITHOUT_SANITY = (Topic.CLASSIFICATION, Topic.LOCALISATION, Topic.FAITHFULNESS, Topic.ROBUSTNESS)


def test_the_report_names_what_was_found_and_nobody(found, model, dataset):
    document = as_document(found, model, dataset, "films.csv", "2026-01-02")
    assert [section.title for section in document.sections][:3] == [
        "Classification",
        "Subgroups",
        "Worst cases",
    ]
    assert document.sections[-1].title == "The data"
    assert any(isinstance(block, Sheet) for section in document.sections for block in section.blocks)
    refusals = [block for block in document.sections[-1].blocks if isinstance(block, Table)]
    assert refusals[0].rows[0][1] == "1"
    html = as_html(document)
    assert "broken.png" in html
    assert "patient-3" not in html
    assert "Doe^J" not in html


def test_one_part_alone_asks_for_no_other(model, dataset, kept):
    alone = evaluate(model, dataset, Plan(parts=(Topic.CLASSIFICATION,)), kept_in=kept)
    assert {row.measure.partition(".")[0] for row in alone.estimates} == {"classification"}
    assert alone.sanity is None
    document = as_document(alone, model, dataset, "films.csv", "")
    titles = [section.title for section in document.sections]
    assert titles == ["Classification", "Subgroups", "Worst cases", "The data"]


def test_a_column_that_is_not_there_is_told_with_those_that_are(model, dataset):
    with pytest.raises(InputError, match=r"no column “site”.*age"):
        evaluate(model, dataset, Plan(subgroups=("site",)))


def test_where_no_case_can_be_used_the_first_reason_is_told(model, dataset):
    broken = [case for case in dataset.cases if case.name == "broken.png"]
    with pytest.raises(InputError, match="Not one of 1 cases"):
        evaluate(model, Dataset(tuple(broken)), Plan())


def test_a_regression_is_refused(model, dataset):
    regression = replace(model, card=replace(model.card, task=Task.REGRESSION))
    with pytest.raises(UnsupportedNetwork, match="regression"):
        evaluate(regression, dataset, Plan())


def test_the_sample_is_of_what_is_there_or_reported(observed):
    cases = [observed(-3.0, labels={"A": number == 1}, patient=f"{number}") for number in range(4)]
    cases.append(observed(3.0, labels={"A": False}, patient="reported"))
    assert sample(cases, 8) == [1, 4]
    assert len(sample(cases, 1)) == 1


def test_the_worst_are_the_surest_of_what_is_not_the_case(observed):
    logits = (-2.0, 3.0, 1.0, 2.0)
    cases = [observed(value, labels={"A": value == 2.0}, patient=f"{value}") for value in logits]
    assert [one.case.patient for one in worst(cases, "A", there=False)] == ["3.0", "1.0", "-2.0"]
    assert [one.case.patient for one in worst(cases, "A", there=True)] == ["2.0"]
