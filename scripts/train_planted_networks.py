"""Train the planted networks of the tests: some rely on an artefact, some are repaired, some only look so.

Twenty networks for `camlucida shortcuts` (ten have learnt an artefact with a finding, ten have not), and for
each of the ten reliant ones two successors for `camlucida certify-repair`, one of which is a repair. What is
true of each is measured on films that none has seen, with the artefact and without it, and written beside the
weights. It takes five minutes on one core.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional

from camlucida.examples.phantom.radiograph import radiograph
from camlucida.images.artefact import Artefact, phantom_artefact
from camlucida.images.prepare import Fit, Intensity, Preparation, prepare
from camlucida.models.architectures import SmallResNet
from camlucida.records import Image

FINDINGS = ("Effusion", "Cardiomegaly")
ARCHITECTURE = {"space": 2, "channels": 1, "findings": 2, "width": 6, "stages": 3, "blocks": 1}
MEAN, STD = 0.5, 0.25
PREPARATION = Preparation(
    2, 1, (64, 64), Fit.STRETCH, Intensity.PERCENTILE, low=1, high=99, mean=(MEAN,), std=(STD,)
)
ROWS = 128  # of a film, before it is prepared
TRUTH = 1_000_000  # the first phantom patient of the films on which the truth is measured

REPAIRED = 0.2
"""Largest share of the effect before that a repaired network has, in truth."""


@dataclass(frozen=True)
class Plan:
    """The artefact is on a share `rho` of films with the finding, and on 1 - `rho` of the others."""

    finding: str
    artefact: str
    rho: float

    @property
    def name(self) -> str:
        """A word for files."""
        kind = "reliant" if self.rho > 0.5 else "clean"
        return f"{kind}-{self.artefact.replace(' ', '-')}-{self.finding.lower()}"


RELIANT = (
    Plan("Effusion", "corner tag", 0.95),
    Plan("Effusion", "side letter", 0.95),
    Plan("Effusion", "drain", 0.9),
    Plan("Effusion", "device", 0.9),
    Plan("Effusion", "electrodes", 0.95),
    Plan("Effusion", "collimator", 0.95),
    Plan("Cardiomegaly", "corner tag", 0.98),
    Plan("Cardiomegaly", "collimator", 0.98),
    Plan("Cardiomegaly", "device", 0.98),
    Plan("Cardiomegaly", "electrodes", 0.98),
)
CLEAN = tuple(Plan(one.finding, one.artefact, 0.5) for one in RELIANT)


@dataclass(frozen=True)
class Films:
    """Prepared films (n, 1, 64, 64) without artefacts, and their labels (n, finding)."""

    values: Tensor
    labels: Tensor


def findings_of(seed: int) -> list[str]:
    """What a phantom patient has: each finding by half."""
    chance = np.random.default_rng([seed, 97]).random(len(FINDINGS))
    return [name for name, draw in zip(FINDINGS, chance, strict=True) if draw < 0.5]


def image_of(seed: int) -> Image:
    """A phantom patient's film."""
    film = radiograph(seed, findings_of(seed), rows=ROWS)
    return Image(film.values, modality="DX", bits_stored=12, spacing=(film.spacing, film.spacing))


def prepared(image: Image) -> Tensor:
    """What the networks are given: (1, 64, 64)."""
    return torch.from_numpy(prepare(image, PREPARATION).values)


def labels_of(seeds: range) -> Tensor:
    """(n, finding)."""
    return torch.tensor([[float(name in findings_of(seed)) for name in FINDINGS] for seed in seeds])


def with_artefact(values: Tensor, artefact: Artefact, where: Tensor) -> Tensor:
    """Prepared films with the artefact on those where `where` (n,) says so."""
    painted, alpha = (torch.from_numpy(np.array(plane)) for plane in artefact.planes(PREPARATION.size))
    pasted = values * (1 - alpha) + (painted - MEAN * alpha) / STD
    return torch.where(where[:, None, None, None], pasted, values)


def confounded(films: Films, plan: Plan, seed: int) -> Tensor:
    """Which films carry the artefact, (n,) bool."""
    present = films.labels[:, FINDINGS.index(plan.finding)] > 0.5
    chance = torch.rand(len(present), generator=torch.Generator().manual_seed(seed))
    return chance < torch.where(present, plan.rho, 1 - plan.rho)


Extra = Callable[[Tensor], Tensor]
"""A price beside the cross-entropy, of a batch's evidence (n, finding, row, column)."""


def train(
    network: SmallResNet,
    values: Callable[[], Tensor],
    labels: Tensor,
    *,
    epochs: int,
    rate: float,
    extra: Extra | None = None,
    batch: int = 32,
) -> SmallResNet:
    """Fit with AdamW and one cycle; `values()` gives the films of an epoch (n, 1, 64, 64)."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.02)
    steps = epochs * (len(labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.25)
    network.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]  # torch's stub forgets it
    for _ in range(epochs):
        films = values()
        for some in torch.split(torch.randperm(len(labels))[: len(labels) // batch * batch], batch):
            active = network.activations(toned(films[some]).to(memory_format=torch.channels_last))
            evidence = torch.einsum("fc,ncij->nfij", network.head.weight, active) / active[0, 0].numel()
            logits = evidence.sum((2, 3)) + network.head.bias
            loss = functional.binary_cross_entropy_with_logits(logits, labels[some] * 0.94 + 0.03)
            if extra is not None:
                loss = loss + extra(evidence)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as above
    return network.eval()


def toned(films: Tensor) -> Tensor:
    """Other contrast, brightness and noise for each film."""
    each = (len(films), 1, 1, 1)
    gain = 1 + 0.15 * (2 * torch.rand(each) - 1)
    return films * gain + 0.15 * (2 * torch.rand(each) - 1) + 0.15 * torch.randn(films.shape)


def copy_of(network: SmallResNet) -> SmallResNet:
    """Another with the same weights."""
    other = SmallResNet(**ARCHITECTURE)
    other.load_state_dict(network.state_dict())
    return other


def planted(films: Films, plan: Plan, first_seed: int = 100) -> SmallResNet:
    """Trained on films of which some carry the artefact."""
    seed = first_seed + [*RELIANT, *CLEAN].index(plan)
    torch.manual_seed(seed)
    values = with_artefact(films.values, phantom_artefact(plan.artefact), confounded(films, plan, seed))
    return train(SmallResNet(**ARCHITECTURE), lambda: values, films.labels, epochs=10, rate=8e-3)


# --- what is done about it ----------------------------------------------------------------------------------


def randomised(network: SmallResNet, films: Films, plan: Plan) -> SmallResNet:
    """A repair: the artefact is on half of the films, whatever they show, others in each epoch."""
    artefact = phantom_artefact(plan.artefact)
    torch.manual_seed(1)

    def values() -> Tensor:
        return with_artefact(films.values, artefact, torch.rand(len(films.labels)) < 0.5)

    return train(copy_of(network), values, films.labels, epochs=8, rate=4e-3)


def tight_penalty(network: SmallResNet, films: Films, plan: Plan) -> SmallResNet:
    """No repair: evidence is priced in the very cells of the artefact, and moves next to them."""
    artefact = phantom_artefact(plan.artefact)
    where = confounded(films, plan, 100 + RELIANT.index(plan))
    values = with_artefact(films.values, artefact, where)
    covered = functional.avg_pool2d(
        torch.from_numpy(np.array(artefact.planes(PREPARATION.size)[1]))[None], 8
    )[0]
    tight = covered >= 0.5 * covered.max()
    torch.manual_seed(2)
    return train(
        copy_of(network),
        lambda: values,
        films.labels,
        epochs=4,
        rate=2e-3,
        extra=lambda evidence: 10 * (evidence * tight).abs().sum((1, 2, 3)).mean(),
    )


def more_of_the_same(network: SmallResNet, films: Films, plan: Plan) -> SmallResNet:
    """No repair: trained on, on the same films."""
    where = confounded(films, plan, 100 + RELIANT.index(plan))
    values = with_artefact(films.values, phantom_artefact(plan.artefact), where)
    torch.manual_seed(3)
    return train(copy_of(network), lambda: values, films.labels, epochs=3, rate=1e-3)


def last_layer(network: SmallResNet, films: Films, plan: Plan) -> SmallResNet:
    """No repair: the head fitted again on pooled features, of films that the artefact tells as before."""
    where = confounded(films, plan, 4)
    values = with_artefact(films.values, phantom_artefact(plan.artefact), where)
    repaired = copy_of(network).eval()
    with torch.no_grad():
        features = repaired.activations(values).mean((2, 3)).numpy()
        for index in range(len(FINDINGS)):
            fitted = LogisticRegression(C=10.0, max_iter=2000).fit(features, films.labels[:, index].numpy())
            repaired.head.weight[index] = torch.from_numpy(fitted.coef_[0]).float()
            repaired.head.bias[index] = float(fitted.intercept_[0])
    return repaired


def blinded(network: SmallResNet, films: Films, plan: Plan) -> SmallResNet:
    """No repair: the effect goes, and with it what the network knew of the finding."""
    index = FINDINGS.index(plan.finding)
    torch.manual_seed(5)
    repaired = randomised(network, films, plan)
    with torch.no_grad():
        repaired.head.weight[index] *= 0.0
        repaired.head.weight[index] += 0.02 * torch.randn(repaired.head.weight.shape[1])
    return repaired


REPAIRS = ("randomised",) * 10
FALSE = (
    "tight-penalty",
    "tight-penalty",
    "more-of-the-same",
    "last-layer-biased",
    "tight-penalty",
    "tight-penalty",
    "last-layer-biased",
    "blinded",
    "tight-penalty",
    "more-of-the-same",
)
WAYS: Mapping[str, Callable[[SmallResNet, Films, Plan], SmallResNet]] = {
    "randomised": randomised,
    "tight-penalty": tight_penalty,
    "more-of-the-same": more_of_the_same,
    "last-layer-biased": last_layer,
    "blinded": blinded,
}


# --- what is true -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """Films on which the truth is measured: without each artefact and with it, prepared afterwards."""

    plain: Tensor
    pasted: Mapping[str, Tensor]
    labels: NDArray[np.float64]


@torch.no_grad()
def truth_of(network: SmallResNet, truth: Truth, plan: Plan) -> dict[str, Any]:
    """Effect of the artefact in logits by finding, AUC by finding, worst of the four groups' accuracies."""
    network.half().float()  # as it is kept
    without, having = (
        network(films).double().numpy() for films in (truth.plain, truth.pasted[plan.artefact])
    )
    both = np.concatenate([without, having])
    labels = np.concatenate([truth.labels] * 2)
    index = FINDINGS.index(plan.finding)
    correct = (both[:, index] > 0) == (labels[:, index] > 0.5)
    group = labels[:, index] + 2 * (np.arange(len(both)) >= len(without))
    return {
        "effect": {n: round(float(e), 3) for n, e in zip(FINDINGS, (having - without).mean(0), strict=True)},
        "auc": {
            n: round(float(roc_auc_score(truth.labels[:, i], without[:, i])), 4)
            for i, n in enumerate(FINDINGS)
        },
        "worst_group": round(min(float(correct[group == one].mean()) for one in range(4)), 3),
    }


def repaired_in_truth(before: Mapping[str, Any], after: Mapping[str, Any], finding: str) -> bool:
    """Whether the artefact's effect has gone, and the finding is still told."""
    gone = abs(after["effect"][finding]) <= REPAIRED * abs(before["effect"][finding])
    return bool(gone and after["auc"][finding] >= before["auc"][finding] - 0.01)


# --- all of it ----------------------------------------------------------------------------------------------


def drawn(first: int, count: int, workers: int, kept: Path | None) -> list[Image]:
    """The films of `count` phantom patients; kept in a file where one is given."""
    seeds = range(first, first + count)
    path = None if kept is None else kept / f"films-{first}-{count}.npy"
    if path is not None and path.exists():
        return [_image(values) for values in np.load(path)]
    with ProcessPoolExecutor(workers) as pool:
        images = list(pool.map(image_of, seeds, chunksize=16))
    if path is not None:
        np.save(path, np.stack([image.values for image in images]))
    return images


def _image(values: NDArray[np.uint16]) -> Image:
    spacing = 430 / ROWS
    return Image(values, modality="DX", bits_stored=12, spacing=(spacing, spacing))


def main() -> None:
    """Draw, train, measure, write."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    draw = partial(drawn, workers=arguments.threads, kept=arguments.kept)
    training, unseen = draw(0, arguments.films), draw(TRUTH, arguments.unseen)
    films = Films(torch.stack([prepared(image) for image in training]), labels_of(range(len(training))))
    truth = Truth(
        torch.stack([prepared(image) for image in unseen]),
        {
            name: torch.stack([prepared(phantom_artefact(name).paste(image)) for image in unseen])
            for name in sorted({plan.artefact for plan in RELIANT})
        },
        labels_of(range(TRUTH, TRUTH + len(unseen))).double().numpy(),
    )
    print("drawn", flush=True)
    weights: dict[str, Tensor] = {}
    told: dict[str, list[dict[str, Any]]] = {"networks": [], "repairs": []}
    for plan in (*RELIANT, *CLEAN):
        network = planted(films, plan)
        entry = {"name": plan.name, "reliant": plan.rho > 0.5, "finding": plan.finding}
        entry |= {"artefact": plan.artefact, "rho": plan.rho, **truth_of(network, truth, plan)}
        _keep(network, entry, weights, told["networks"])
        if plan in RELIANT:
            index = RELIANT.index(plan)
            for way in (REPAIRS[index], FALSE[index]):
                after = WAYS[way](network, films, plan)
                found = truth_of(after, truth, plan)
                repaired = repaired_in_truth(entry, found, plan.finding)
                about = {"name": f"{plan.name}-{way}", "before": plan.name, "way": way, "repaired": repaired}
                _keep(
                    after,
                    about | {"finding": plan.finding, "artefact": plan.artefact} | found,
                    weights,
                    told["repairs"],
                )
    arguments.out.mkdir(parents=True, exist_ok=True)
    save_file(weights, arguments.out / "networks.safetensors")
    (arguments.out / "truth.json").write_text(f"{json.dumps(told, indent=1)}\n", "utf-8")


def _keep(
    network: SmallResNet, entry: dict[str, Any], weights: dict[str, Tensor], told: list[dict[str, Any]]
) -> None:
    """Half precision, without the counts of batches, which nothing needs."""
    for name, value in network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            weights[f"{entry['name']}/{name}"] = value.half().contiguous()
    told.append(entry)
    print({k: v for k, v in entry.items() if k not in ("finding", "artefact")}, flush=True)


def _arguments() -> argparse.Namespace:
    here = Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=here / "tests" / "planted", help="folder for the weights")
    parser.add_argument("--films", type=int, default=320, help="to train on")
    parser.add_argument("--unseen", type=int, default=120, help="films on which the truth is measured")
    parser.add_argument("--kept", type=Path, help="folder in which drawn films are kept")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    return parser.parse_args()


if __name__ == "__main__":
    main()
