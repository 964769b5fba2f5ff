"""Train paediatric-pneumonia, the shipped network for real radiographs.

Minutes on two cores. On busy ones `--threads 1` is faster: two threads wait for each other.
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
    shipped,
    write_folder,
    youden_point,
)
from kermany import Films, read_films, validation_part
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from camlucida.images.prepare import Fit, Intensity, Preparation
from camlucida.models.architectures import SmallResNet

PREPARATION = Preparation(
    2, 1, (128, 128), Fit.STRETCH, Intensity.PERCENTILE, low=1, high=99, mean=(0.5,), std=(0.25,)
)
ARGUMENTS = {"space": 2, "channels": 1, "findings": 1, "width": 16, "stages": 4, "blocks": 2}
AUGMENTATION = Augmentation(shift=0.08, zoom=0.15, turn=0.15, gamma=0.5, contrast=0.35, noise=0.06, erase=0.5)

CARD = """\
name = "paediatric-pneumonia"
version = "1.0.0"
title = "Pneumonia in children of 1 to 5 years"
architecture = "camlucida.models.architectures:SmallResNet"
weights = "weights.safetensors"
output = "sigmoid"
intended_use = "Trying camlucida on real radiographs: frontal chest films of children of 1 to 5 years. \
Research and teaching only, not for diagnosis."
licence = "Apache-2.0 (weights); the training images are CC BY 4.0"
attribution = "Trained on: Kermany D, Zhang K, Goldbaum M. Labeled Optical Coherence Tomography (OCT) and \
Chest X-Ray Images for Classification. Mendeley Data, v2, 2018, doi:10.17632/rscbjbr9sj.2, CC BY 4.0, \
Guangzhou Women and Children's Medical Center; scaled to 224 x 224 pixels."
limits = "Children of 1 to 5 years only, one hospital, one source of labels. It calls six of ten films of \
adults without a finding pneumonia. Normal films and films with pneumonia may differ in more than the \
disease: look at the maps."

[architecture_arguments]
{arguments}

[input]
modality = ["DX", "CR", ""]
phantoms = "never"
channels = 1
size = [128, 128]
fit = "stretch"
intensity = "percentile"
low = 1
high = 99
mean = [0.5]
std = [0.25]

[[findings]]
name = "Pneumonia"
operating_point = {operating_point}
concept = {{ value = "233604007", scheme = "SCT", meaning = "Pneumonia" }}
"""


def main() -> None:
    """Read the films, train, calibrate on the validation patients, write the model's folder."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    fix_seeds(arguments.seed)
    films = read_films(arguments.data, "train", PREPARATION)
    validating = validation_part(films)
    network = SmallResNet(**ARGUMENTS)
    labels = torch.as_tensor(films.labels, dtype=torch.float32)[:, None]
    recipe = Recipe(epochs=arguments.epochs, smoothing=0.05)
    training = torch.as_tensor(~validating)
    fitted = fit(network, films.values[training], labels[training], recipe, AUGMENTATION, (0.5, 0.25))
    _finish(fitted, films.of(validating), arguments.out)


def _finish(network: SmallResNet, validation: Films, out: Path) -> None:
    labels = validation.labels[:, None]
    calibrate(network, logits_of(network, validation.values), labels)
    probabilities = expit(logits_of(network, validation.values))
    point = youden_point(probabilities[:, 0], labels[:, 0])
    area = roc_auc_score(labels, probabilities)
    print(f"validation: {len(labels)} films, AUC {area:.4f}, reported from {point:.3f} on")
    lines = "\n".join(f"{name} = {value}" for name, value in ARGUMENTS.items())
    write_folder(network, CARD.format(arguments=lines, operating_point=f"{point:.3f}"), out)
    print(f"written to {out}; scripts/measure_models.py says what it is worth")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder that holds kermany224/")
    parser.add_argument("--out", type=Path, default=shipped("paediatric-pneumonia"), help="model folder")
    parser.add_argument("--epochs", type=int, default=6, help="passes over the training films")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
