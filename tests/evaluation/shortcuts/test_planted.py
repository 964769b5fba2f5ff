"""Twenty networks whose truth is known: ten have learnt an artefact with a finding, ten have not.

The threshold was chosen on other networks: of other seeds, trained on other films. With `-s` every verdict is
told; the figures of docs/how-to/find-shortcuts.md are these.
"""

import sys

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import planted_shortcuts as planted
from camlucida.evaluation.shortcuts.removal import without
from camlucida.evaluation.shortcuts.verdict import Judgement, judge
from camlucida.evaluation.shortcuts.zones import ZONES, found_on
from camlucida.images.artefact import phantom_artefact
from camlucida.models.load import load_model

FILMS = 50
pytestmark = pytest.mark.slow


def regions(artefact, model):
    """Inputs (film, 1, 64, 64), half of them with the artefact, and the same without each zone."""
    random = np.random.default_rng(0)
    carries = random.permutation(FILMS) < FILMS // 2
    inputs, emptied = [], {key: [] for key in ZONES}
    for film, has in zip(planted.films(FILMS), carries, strict=True):
        image = phantom_artefact(artefact).paste(film.image) if has else film.image
        prepared = model.prepare(image)
        inputs.append(torch.from_numpy(prepared.values)[None])
        found = {one.zone.key: one for one in found_on(image, ZONES)}
        for key, zone in ZONES.items():
            there = key in found
            values = without(inputs[-1], found[key].on_input(prepared), zone.filling) if there else inputs[-1]
            emptied[key].append(values)
    return torch.cat(inputs), {key: torch.cat(values) for key, values in emptied.items()}


@torch.no_grad()
def verdicts(model, inputs, emptied):
    """By finding."""
    logits = model.module(inputs).double().numpy()
    effects = {key: logits - model.module(values).double().numpy() for key, values in emptied.items()}
    patients = [f"patient {number}" for number in range(FILMS)]
    return {
        name: judge(name, {key: one[:, index] for key, one in effects.items()}, logits[:, index], patients)
        for index, name in enumerate(planted.FINDINGS)
    }


def say(line):
    """With -s."""
    sys.stdout.write(f"{line}\n")


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """(row of the truth, finding, verdict) of all networks."""
    folder, shown, rows = tmp_path_factory.mktemp("planted"), {}, []
    for row in planted.truth()["networks"]:
        model = load_model(str(planted.model_folder(row["name"], folder)))
        if row["artefact"] not in shown:
            shown[row["artefact"]] = regions(row["artefact"], model)
        for finding, verdict in verdicts(model, *shown[row["artefact"]]).items():
            rows.append((row, finding, verdict))
            say(
                f"{row['name']:32s} {finding:12s} true {row['effect'][finding]:+.2f} {verdict.judgement:13s} "
                f"{verdict.score:5.2f} ({verdict.low:.2f} to {verdict.high:.2f}) by {verdict.zone}"
            )
    return rows


def test_reliant_networks_are_told_from_clean_ones(judged):
    own = [(row, verdict) for row, finding, verdict in judged if finding == row["finding"]]
    reliant = [row["reliant"] for row, _ in own]
    area = roc_auc_score(reliant, [verdict.score for _, verdict in own])
    say(f"AUROC {area:.3f} over {len(own)} networks, {FILMS} films each")
    assert area >= 0.95
    told = [verdict.judgement for row, verdict in own if row["reliant"]]
    assert told.count(Judgement.RELIANT) >= 9


def test_clean_networks_are_hardly_flagged(judged):
    clean = [verdict.judgement for row, _, verdict in judged if not row["reliant"]]
    flagged = clean.count(Judgement.RELIANT)
    say(f"{flagged} false flags of {len(clean)} findings of clean networks")
    assert flagged / len(clean) <= 0.05


def test_the_score_is_near_the_true_effect_in_logits(judged):
    own = [
        (abs(row["effect"][finding]), verdict.score)
        for row, finding, verdict in judged
        if row["reliant"] and finding == row["finding"]
    ]
    true, scores = np.transpose(own)
    assert np.median(np.abs(scores - true) / true) < 0.25
