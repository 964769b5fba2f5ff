"""Print what each threshold of `camlucida shortcuts` would say of planted networks of other seeds and films.

The verdict's threshold (`THRESHOLD` of camlucida.evaluation.shortcuts.verdict) is chosen here, on networks
that no test looks at; how often it is wrong is counted on those of tests/planted, which it was not chosen on.
It takes three minutes on one core.
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from train_planted_networks import (
    CLEAN,
    FINDINGS,
    PREPARATION,
    RELIANT,
    Films,
    Plan,
    drawn,
    labels_of,
    planted,
    prepared,
)

from camlucida.evaluation.shortcuts.removal import without
from camlucida.evaluation.shortcuts.verdict import Judgement, judge
from camlucida.evaluation.shortcuts.zones import ZONES, found_on
from camlucida.images.artefact import phantom_artefact
from camlucida.images.prepare import prepare
from camlucida.models.architectures import SmallResNet
from camlucida.records import Image

TRAINED_ON = 2_000_000  # the first phantom patient: no other script reaches there
JUDGED_ON = 3_000_000
SEED = 5_000
THRESHOLDS = (0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)  # logits


class Scored(NamedTuple):
    """A finding of a network: has it learnt the artefact with it, and what is the score."""

    reliant: bool
    own: bool
    score: float
    flagged: tuple[bool, ...]  # by each of THRESHOLDS


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--films", type=int, default=320, help="films to train on")
    parser.add_argument("--judged", type=int, default=50, help="films to judge each network on")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(1)
    seeds = range(TRAINED_ON, TRAINED_ON + given.films)
    images = drawn(TRAINED_ON, given.films, given.workers, None)
    films = Films(torch.stack([prepared(image) for image in images]), labels_of(seeds))
    judged = drawn(JUDGED_ON, given.judged, given.workers, None)
    rows = [row for plan in (*RELIANT, *CLEAN) for row in _scored(planted(films, plan, SEED), plan, judged)]
    _tell(rows)


def _scored(network: SmallResNet, plan: Plan, judged: list[Image]) -> Iterator[Scored]:
    plain, emptied = _with_and_without(judged, plan.artefact)
    with torch.no_grad():
        logits = network(plain).double().numpy()
        effects = {key: logits - network(values).double().numpy() for key, values in emptied.items()}
    patients = [f"patient {number}" for number in range(len(judged))]
    for index, name in enumerate(FINDINGS):
        zones = {key: effect[:, index] for key, effect in effects.items()}
        verdicts = [judge(name, zones, logits[:, index], patients, threshold=one) for one in THRESHOLDS]
        own = name == plan.finding
        print(f"{plan.name:32s} {name:14s} {verdicts[0].score:5.2f} by {verdicts[0].zone}", flush=True)
        flagged = tuple(one.judgement is Judgement.RELIANT for one in verdicts)
        yield Scored(plan in RELIANT and own, own, verdicts[0].score, flagged)


def _with_and_without(judged: list[Image], artefact: str) -> tuple[Tensor, Mapping[str, Tensor]]:
    """Inputs (film, 1, 64, 64), half of them with the artefact; and the same with each zone filled in."""
    carries = np.random.default_rng(0).permutation(len(judged)) < len(judged) // 2
    inputs: list[Tensor] = []
    emptied: dict[str, list[Tensor]] = {key: [] for key in ZONES}
    for plain, has in zip(judged, carries, strict=True):
        image = phantom_artefact(artefact).paste(plain) if has else plain
        input_ = prepare(image, PREPARATION)
        inputs.append(torch.from_numpy(input_.values)[None])
        found = {one.zone.key: one for one in found_on(image, ZONES)}
        for key, zone in ZONES.items():
            there = found.get(key)
            filled = (
                inputs[-1] if there is None else without(inputs[-1], there.on_input(input_), zone.filling)
            )
            emptied[key].append(filled)
    return torch.cat(inputs), {key: torch.cat(values) for key, values in emptied.items()}


def _tell(rows: list[Scored]) -> None:
    own = [row for row in rows if row.own]
    area = roc_auc_score([row.reliant for row in own], [row.score for row in own])
    print(f"AUROC of reliant against clean: {area:.3f} over {len(own)} networks")
    reliant = [row for row in rows if row.reliant]
    clean = [row for row in rows if not row.reliant]
    for place, threshold in enumerate(THRESHOLDS):
        found = sum(row.flagged[place] for row in reliant)
        false = sum(row.flagged[place] for row in clean)
        print(
            f"threshold {threshold}: {found} of {len(reliant)} found, {false} of {len(clean)} falsely flagged"
        )


if __name__ == "__main__":
    main()
