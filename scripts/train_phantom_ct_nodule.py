"""Train phantom-ct-nodule, the shipped 3D network for phantom CTs.

The network is the same as for radiographs, with a third axis. A nodule is a few voxels of 300,000, so it is
told first on small crops in which cells a finding lies, and then on whole volumes whether there is one.
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
    locate,
    logits_of,
    operating_points,
    shipped,
    write_folder,
)
from phantom_sets import volumes
from scipy.special import expit
from sklearn.metrics import roc_auc_score

from camlucida.examples.phantom.volume import CT_FINDINGS
from camlucida.models.architectures import SmallResNet

ARGUMENTS = {"space": 3, "channels": 1, "findings": len(CT_FINDINGS), "width": 12, "stages": 3, "blocks": 2}
AUGMENTATION = Augmentation(shift=0.04, zoom=0.06, turn=0.06, gamma=0.05, contrast=0.05, noise=0.02)

CARD = """\
name = "phantom-ct-nodule"
version = "1.0.0"
title = "Lung nodule and effusion on phantom chest CTs"
architecture = "camlucida.models.architectures:SmallResNet"
weights = "weights.safetensors"
output = "sigmoid"
intended_use = "Seeing how camlucida works on phantom volumes, whose truth is known. Never for a patient."
licence = "Apache-2.0"
attribution = "Trained by scripts/train_phantom_ct_nodule.py on volumes that camlucida drew itself; no \
patient's image was used."
limits = "Phantoms only: it has never seen a CT, and what it says of one means nothing."

[architecture_arguments]
{arguments}

[input]
modality = ["CT"]
phantoms = "only"
channels = 1
size = [32, 96, 96]
fit = "stretch"
intensity = "range"
low = -1000
high = 400
mean = [0.5]
std = [0.25]

[[findings]]
name = "Nodule"
operating_point = {points[0]:.3f}
concept = {{ value = "427359005", scheme = "SCT", meaning = "Solitary nodule of lung" }}

[[findings]]
name = "Effusion"
operating_point = {points[1]:.3f}
concept = {{ value = "60046008", scheme = "SCT", meaning = "Pleural effusion" }}
"""


def main() -> None:
    """Draw the phantoms, train, calibrate on other phantoms, write the model's folder."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    fix_seeds(arguments.seed)
    size = {"slices": 36, "rows": 112, "workers": arguments.threads}
    training = volumes(0, arguments.volumes, **size)
    tuning = volumes(500_000, arguments.volumes // 4, **size)
    labels = torch.as_tensor(training.labels, dtype=torch.float32)
    network = SmallResNet(**ARGUMENTS)
    first = Recipe(arguments.crops, batch=24, rate=4e-3, head=70, decay=0.01)
    locate(network, training.values, training.cells, (2, 6, 6), first)
    then = Recipe(
        arguments.epochs, batch=12, rate=1e-3, head=10, decay=0.01, sparsity=arguments.sparsity, average=0.97
    )
    network = fit(network, training.values, labels, then, AUGMENTATION, (0.5, 0.25), training.cells)
    calibrate(network, logits_of(network, tuning.values), tuning.labels)
    probabilities = expit(logits_of(network, tuning.values))
    points = operating_points(probabilities, tuning.labels)
    for index, name in enumerate(CT_FINDINGS):
        area = roc_auc_score(tuning.labels[:, index], probabilities[:, index])
        print(f"{name}: AUC {area:.4f}, reported from {points[index]:.3f} on")
    lines = "\n".join(f"{name} = {value}" for name, value in ARGUMENTS.items())
    write_folder(network, CARD.format(arguments=lines, points=points), arguments.out)
    print(f"written to {arguments.out}; scripts/measure_models.py says what it is worth")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=shipped("phantom-ct-nodule"), help="model folder")
    parser.add_argument("--volumes", type=int, default=600, help="phantom CTs to train on")
    parser.add_argument("--crops", type=int, default=30, help="crops of each volume, to learn where")
    parser.add_argument("--epochs", type=int, default=3, help="passes over the volumes, to learn whether")
    parser.add_argument("--sparsity", type=float, default=0.02, help="price of a logit of evidence a cell")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
