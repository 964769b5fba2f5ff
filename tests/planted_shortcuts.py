"""The planted networks of tests/planted as model folders, and films to show them.

`scripts/train_planted_networks.py` made them; truth.json says what is true of each.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import PIL.Image
from safetensors.numpy import load_file, save_file

from camlucida.examples.phantom.radiograph import radiograph
from camlucida.images.artefact import phantom_artefact
from camlucida.records import Image

FOLDER = Path(__file__).parent / "planted"
FINDINGS = ("Effusion", "Cardiomegaly")
UNSEEN = 2_000_000  # phantom patients that neither trained a network nor measured its truth
ROWS = 128

CARD = """\
name = "{name}"
version = "1"
title = "A planted network"
architecture = "camlucida.models.architectures:SmallResNet"
weights = "weights.safetensors"
output = "sigmoid"
intended_use = "Tests."
licence = "Apache-2.0"
attribution = "Trained on films that camlucida drew."

[architecture_arguments]
space = 2
channels = 1
findings = 2
width = 6
stages = 3
blocks = 1

[input]
phantoms = "only"
modality = ["DX", "CR", ""]
channels = 1
size = [64, 64]
fit = "stretch"
intensity = "percentile"
low = 1
high = 99
mean = [0.5]
std = [0.25]

[[findings]]
name = "Effusion"
operating_point = 0.5

[[findings]]
name = "Cardiomegaly"
operating_point = 0.5
"""


@cache
def truth():
    """{"networks": [...], "repairs": [...]}: what each is, and the artefact's true effects in logits."""
    return json.loads((FOLDER / "truth.json").read_text("utf-8"))


def network(name):
    """The row of truth.json."""
    return next(one for one in truth()["networks"] + truth()["repairs"] if one["name"] == name)


@cache
def _weights():
    return load_file(FOLDER / "networks.safetensors")


def model_folder(name, parent):
    """Write the model folder of a planted network into `parent`, and give it."""
    folder = Path(parent) / name
    folder.mkdir(parents=True, exist_ok=True)
    own = {key.partition("/")[2]: value for key, value in _weights().items() if key.startswith(f"{name}/")}
    weights = {key: np.ascontiguousarray(value.astype(np.float32)) for key, value in own.items()}
    counts = {key.replace("running_mean", "num_batches_tracked") for key in own if "running_mean" in key}
    save_file(weights | {key: np.zeros((), np.int64) for key in counts}, folder / "weights.safetensors")
    (folder / "model.toml").write_text(CARD.format(name=name), "utf-8")
    return folder


@dataclass(frozen=True, eq=False)
class Film:
    """A film without any artefact, its labels, and the masks of its findings."""

    seed: int
    image: Image
    labels: dict
    masks: dict


@cache
def film(number):
    """An unseen phantom patient's film; each finding by half, as the networks were trained."""
    chance = np.random.default_rng([UNSEEN + number, 97]).random(2)
    present = [name for name, draw in zip(FINDINGS, chance, strict=True) if draw < 0.5]
    drawn = radiograph(UNSEEN + number, present, rows=ROWS)
    image = Image(drawn.values, modality="DX", bits_stored=12, spacing=(drawn.spacing, drawn.spacing))
    return Film(UNSEEN + number, image, {name: name in present for name in FINDINGS}, drawn.masks)


def films(count, first=0):
    """Some of them, from number `first` on."""
    return [film(number) for number in range(first, first + count)]


def carries(number, rho, present):
    """Whether a film carries the artefact: `rho` of those with the finding, 1 - `rho` of the others."""
    return bool(np.random.default_rng([UNSEEN + number, 96]).random() < (rho if present else 1 - rho))


def write_data(folder, artefact, finding, count, rho=0.5, first=0, *, masks=False):
    """A table of 16-bit PNGs, the column “artefact” says which carry it; gives the table.

    With `masks` the findings' masks are beside it, in the folder “masks”, FINDING/IMAGE.png.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pasted = phantom_artefact(artefact)
    lines = ["image,patient,Effusion,Cardiomegaly,artefact"]
    for number, one in enumerate(films(count, first), start=first):
        has = carries(number, rho, one.labels[finding])
        image = pasted.paste(one.image) if has else one.image
        name = f"film-{number:03d}.png"
        PIL.Image.fromarray((image.values * 16).astype(np.uint16)).save(folder / name)
        for finding_name, mask in one.masks.items() if masks else ():
            (folder / "masks" / finding_name).mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / finding_name / name)
        labels = ",".join(str(int(one.labels[label])) for label in FINDINGS)
        lines.append(f"{name},P{number},{labels},{int(has)}")
    table = folder / "films.csv"
    table.write_text("\n".join(lines) + "\n", "utf-8")
    return table
