"""Train phantom-radiograph, the shipped network for phantom films.

Only labels are learnt from, never masks: where the maps point is the network's own finding.
"""

import argparse
from pathlib import Path

import torch
from fitting import (
    Augmentation,
    Recipe,
    calibrate,
    fit,
    fix_seeds,
    logits_of,
    operating_points,
    shipped,
    write_folder,
)
from phantom_sets import films
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from camlucida.examples.phantom.lesions import FINDINGS
from camlucida.models.architectures import SmallResNet

ARGUMENTS = {"space": 2, "channels": 1, "findings": len(FINDINGS), "width": 16, "stages": 3, "blocks": 2}
CONCEPTS = {
    "Pneumothorax": ("36118008", "Pneumothorax"),
    "Effusion": ("60046008", "Pleural effusion"),
    "Consolidation": ("95436008", "Lung consolidation"),
    "Nodule": ("427359005", "Solitary nodule of lung"),
    "Cardiomegaly": ("8186001", "Cardiomegaly"),
}

CARD = """\
name = "phantom-radiograph"
version = "1.0.0"
title = "Five findings on phantom chest radiographs"
architecture = "camlucida.models.architectures:SmallResNet"
weights = "weights.safetensors"
output = "sigmoid"
intended_use = "Seeing how camlucida works on phantom films, whose truth is known. Never for a patient."
licence = "Apache-2.0"
attribution = "Trained by scripts/train_phantom_radiograph.py on films that camlucida drew itself; no \
patient's image was used."
limits = "Phantoms only: it has never seen a radiograph, and what it says of one means nothing."

[architecture_arguments]
{arguments}

[input]
modality = ["DX", "CR", ""]
phantoms = "only"
channels = 1
size = [128, 128]
fit = "stretch"
intensity = "percentile"
low = 1
high = 99
mean = [0.5]
std = [0.25]
"""

FINDING = """
[[findings]]
name = "{name}"
operating_point = {point:.3f}
concept = {{ value = "{code}", scheme = "SCT", meaning = "{meaning}" }}
"""


def main() -> None:
    """Draw the phantoms, train, calibrate on other phantoms, write the model's folder."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    fix_seeds(arguments.seed)
    training = films(0, arguments.films, rows=arguments.rows, workers=arguments.threads)
    tuning = films(500_000, arguments.films // 8, rows=arguments.rows, workers=arguments.threads)
    labels = torch.as_tensor(training.labels, dtype=torch.float32)
    recipe = Recipe(arguments.epochs, sparsity=arguments.sparsity)
    network = fit(SmallResNet(**ARGUMENTS), training.values, labels, recipe, Augmentation(), (0.5, 0.25))
    calibrate(network, logits_of(network, tuning.values), tuning.labels)
    probabilities = expit(logits_of(network, tuning.values))
    points = operating_points(probabilities, tuning.labels)
    for index, name in enumerate(FINDINGS):
        area = roc_auc_score(tuning.labels[:, index], probabilities[:, index])
        print(f"{name}: AUC {area:.4f}, reported from {points[index]:.3f} on")
    write_folder(network, _card(points), arguments.out)
    print(f"written to {arguments.out}; scripts/measure_models.py says what it is worth")


def _card(points: list[float]) -> str:
    card = CARD.format(arguments="\n".join(f"{name} = {value}" for name, value in ARGUMENTS.items()))
    for name, point in zip(FINDINGS, points, strict=True):
        code, meaning = CONCEPTS[name]
        card += FINDING.format(name=name, point=point, code=code, meaning=meaning)
    return card


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=shipped("phantom-radiograph"), help="model folder")
    parser.add_argument("--films", type=int, default=3000, help="phantom films to train on")
    parser.add_argument(
        "--rows", type=int, default=288, help="their height in pixels before they are prepared"
    )
    parser.add_argument("--epochs", type=int, default=12, help="passes over the films")
    parser.add_argument("--sparsity", type=float, default=0.02, help="price of a logit of evidence a cell")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
