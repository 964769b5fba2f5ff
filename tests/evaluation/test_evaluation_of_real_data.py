"""The first page of a report says that a network is not for these images, and why."""

import csv
import zipfile

import numpy as np
import PIL.Image
import pytest

from camlucida.evaluation.data.dataset import Columns, read_dataset
from camlucida.evaluation.evaluation import Plan, evaluate
from camlucida.evaluation.measures import Topic
from camlucida.evaluation.report.document import Tone
from camlucida.evaluation.report.page import as_html
from camlucida.evaluation.words import as_document
from camlucida.models.load import load_folder, load_model
from squeezenet import write_squeezenet

pytestmark = [pytest.mark.real_data, pytest.mark.slow]
LIKE_PNEUMONIA = {"Consolidation": "Pneumonia", "Infiltration": "Pneumonia"}


@pytest.fixture(scope="module")
def adults(real_data, tmp_path_factory):
    """250 films of the NIH's adults with their table, as a user has them."""
    folder = tmp_path_factory.mktemp("nih")
    with np.load(real_data / "nih" / "nih64.npz", allow_pickle=False) as nih:
        words, films = nih["L"], nih["x"]
        with (folder / "labels.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["Image Index", "Finding Labels", "Patient ID", "Patient Age", "View Position"])
            for number in range(0, len(films), 4):
                PIL.Image.fromarray(films[number]).save(folder / f"{number}.png")
                found = "|".join(words[nih["y"][number] == 1])
                row = (found, nih["pid"][number], f"{nih['age'][number]:03}Y", nih["view"][number])
                table.writerow([f"{number}.png", *row])
    return folder / "labels.csv"


@pytest.fixture(scope="module")
def children(real_data, tmp_path_factory):
    """120 of Kermany's test films, in their folders."""
    folder = tmp_path_factory.mktemp("kermany")
    with zipfile.ZipFile(real_data / "kermany224" / "test.zip") as films:
        names = [name for name in films.namelist() if name.endswith(".jpeg")]
        films.extractall(folder, names[:: len(names) // 120])
    return folder


@pytest.fixture(scope="module")
def kinds(children):
    """The same films with Kermany's three labels, which only the files' names tell apart."""
    path = children / "labels.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "label", "patient"])
        for film in sorted(children.rglob("*.jpeg")):
            kind = next((one for one in ("bacteria", "virus") if one in film.name), "normal")
            name = {"bacteria": "Bacterial pneumonia", "virus": "Viral pneumonia", "normal": "Normal"}[kind]
            table.writerow([film.relative_to(children).as_posix(), name, film.name.split("_")[0]])
    return path


def first_page(model, data, names=None, pattern=""):
    findings = [finding.name for finding in model.card.findings]
    dataset = read_dataset(data, findings, label_names=names, columns=Columns(patient_pattern=pattern))
    found = evaluate(model, dataset, Plan(parts=(Topic.CLASSIFICATION,)))
    return as_document(found, model, dataset, data.name, "2026-01-02")


def test_the_network_of_children_must_not_be_used_on_adults(adults):
    document = first_page(load_model("paediatric-pneumonia"), adults, LIKE_PNEUMONIA)
    first = document.verdicts[0]
    assert first.title == "Must not be used on these images"
    assert first.tone is Tone.BAD
    assert "its probabilities are off by" in first.why
    html = as_html(document)
    assert html.index(first.title) < html.index("<section")


def test_on_children_of_its_own_hospital_it_may_be_used_but_is_too_sure(children):
    document = first_page(load_model("paediatric-pneumonia"), children, pattern=r"(person\d+|IM-\d+)")
    assert "Must not" not in document.verdicts[0].title
    assert "calibrated" in document.verdicts[0].title + document.verdicts[0].why


def test_the_squeezenet_is_reported_as_badly_calibrated(kinds, real_data, tmp_path):
    model = load_folder(write_squeezenet(tmp_path / "model", real_data))
    document = first_page(model, kinds)
    said = " ".join(f"{one.title} {one.why}" for one in document.verdicts)
    assert "badly calibrated" in said.casefold()
