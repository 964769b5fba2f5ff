"""The training scripts: calibration, operating points, patients apart, and a small run from end to end."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from camlucida.models.architectures import SmallResNet
from camlucida.models.load import load_folder

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))


def test_calibration_makes_probabilities_true_and_keeps_the_order():
    from fitting import calibrate  # noqa: PLC0415 - found through the fixture above

    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 1)) * 2
    labels = (rng.random((4000, 1)) < 1 / (1 + np.exp(-truth))).astype(float)
    network = SmallResNet(width=4, stages=1)
    weight, bias = network.head.weight.clone(), network.head.bias.clone()
    calibrate(network, truth * 3 + 1, labels)  # three times too sure, and shifted
    slope = (network.head.weight / weight).mean().item()
    offset = (network.head.bias - bias * slope).item()
    assert slope == pytest.approx(1 / 3, rel=0.1)
    assert offset == pytest.approx(-1 / 3, abs=0.1)


def test_the_operating_point_is_youdens():
    from fitting import youden_point  # noqa: PLC0415

    labels = np.array([0, 0, 0, 1, 0, 1, 1])
    probabilities = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    point = youden_point(probabilities, labels)

    def index(at):
        return (probabilities[labels == 1] >= at).mean() + (probabilities[labels == 0] < at).mean()

    assert index(point) == max(index(at) for at in np.linspace(0, 1, 200))


def test_cells_move_with_their_images():
    from fitting import Augmentation, augmented_with_cells  # noqa: PLC0415

    torch.manual_seed(0)
    images, cells = torch.zeros(8, 1, 64, 64), torch.zeros(8, 1, 8, 8)
    images[:, :, 16:24, 40:48] = 1
    cells[:, :, 2, 5] = 1
    still = Augmentation(shift=0.2, zoom=0, turn=0, gamma=0, contrast=0, noise=0)
    moved, places = augmented_with_cells(images, cells, still)
    for image, place in zip(moved[:, 0], places[:, 0], strict=True):
        if place.any() and image.sum() > 40:
            centre = image.nonzero().float().mean(0) / 8 - 0.5
            assert (place.nonzero().float().mean(0) - centre).abs().max() <= 0.75


def test_auc_counts_pairs():
    from measure_models import auc  # noqa: PLC0415

    rng = np.random.default_rng(1)
    labels, scores = rng.integers(0, 2, 60).astype(float), np.round(rng.random(60), 1)
    pairs = [(a > b) + (a == b) / 2 for a in scores[labels == 1] for b in scores[labels == 0]]
    assert auc(labels, scores) == pytest.approx(np.mean(pairs))


def test_the_calibration_error_is_the_gap_between_said_and_seen():
    from measure_models import calibration_error  # noqa: PLC0415

    labels = np.array([1.0, 0, 0, 0, 1, 1, 1, 1])
    probabilities = np.array([0.25, 0.25, 0.25, 0.25, 0.95, 0.95, 0.95, 0.95])
    assert calibration_error(labels, probabilities) == pytest.approx((0 + 0.05) / 2)


def test_a_patient_is_known_by_number_whatever_germ_is_in_the_name():
    from kermany import patient_of  # noqa: PLC0415

    assert patient_of("PNEUMONIA/person87_bacteria_434.jpeg") == patient_of("PNEUMONIA/person87_virus_1.jpeg")
    assert patient_of("NORMAL/NORMAL2-IM-0941-0001.jpeg") == patient_of("NORMAL/IM-0941-0001-0002.jpeg")
    with pytest.raises(ValueError, match="does not name a patient"):
        patient_of("NORMAL/holiday.jpeg")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "few"),
    [
        ("train_phantom_radiograph.py", ["--films", "96", "--rows", "128"]),
        ("train_phantom_ct_nodule.py", ["--volumes", "32", "--crops", "3"]),
    ],
)
def test_a_script_goes_from_nothing_to_a_model_that_loads(script, few, tmp_path):
    command = [sys.executable, str(SCRIPTS / script), *few, "--epochs", "1", "--out", str(tmp_path / "model")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603 - ours
    assert result.returncode == 0, result.stderr
    model = load_folder(tmp_path / "model")
    assert model.head.deviation < 1e-4


OF_PLANTED_NETWORKS = ("choose_shortcut_threshold.py", "train_planted_networks.py")
OF_A_MODEL = sorted({path.name for path in SCRIPTS.glob("train_*.py")} - {*OF_PLANTED_NETWORKS})


@pytest.mark.parametrize(
    ("script", "options"),
    [
        *((script, ("--epochs", "--seed")) for script in OF_A_MODEL),
        *((script, ("--films",)) for script in OF_PLANTED_NETWORKS),
    ],
)
def test_a_script_explains_itself(script, options):
    result = subprocess.run(  # noqa: S603 - ours
        [sys.executable, str(SCRIPTS / script), "--help"], capture_output=True, text=True, check=True
    )
    assert not [option for option in options if option not in result.stdout]


def test_measuring_all_models_asks_for_the_real_radiographs():
    result = subprocess.run(  # noqa: S603 - ours
        [sys.executable, str(SCRIPTS / "measure_models.py")], capture_output=True, text=True, check=False
    )
    assert result.returncode == 2
    assert "give --data" in result.stderr
