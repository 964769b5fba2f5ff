"""Last-layer retraining: the features stay, the linear layer after them is learnt anew on balanced groups.

Deep feature reweighting (Kirichenko, Izmailov and Wilson, ICLR 2023, arXiv 2204.02937, section 6): a network
that reads a shortcut has often learnt the disease too, and its last layer only weighs them wrongly. It is a
baseline: features that the shortcut is mixed into stay as they are.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import torch
from torch import Tensor, nn

from camlucida.errors import InputError, UnsupportedNetwork
from camlucida.models.cut import Logits, as_it_was, run_whole
from camlucida.models.limits import explainable
from camlucida.models.linear_head import Linear, biases, weights

STRENGTHS = (1.0, 0.7, 0.3, 0.1, 0.07, 0.03, 0.01)
"""The paper's: the weight C of the summed loss beside the sum of |weights|."""

STEPS = 2000
"""Most steps of the fit; it ends when a step changes nothing."""

SETTLED = 1e-9
"""The largest change of a weight at which the fit ends."""

LEAST = 4
"""Images of the smallest group: two for each half."""

Batches = Iterable[tuple[Tensor, Tensor, Tensor]]
"""Images (batch, channel, *space), labels (batch,) or (batch, finding), groups (batch,): a DataLoader."""


@dataclass(frozen=True, slots=True, eq=False)
class Retrained:
    """A network with a new last layer.

    `network` is a copy; the one given is as it was. `strength` is the C that was best for the worst group.
    `accuracies` by group are those of the half by which it was chosen, at probability one half: they flatter,
    and the operating point must be chosen anew. What the network is worth, other images tell.
    """

    network: nn.Module = field(repr=False)
    strength: float
    accuracies: Mapping[int, float]

    @property
    def worst(self) -> float:
        """Accuracy in the worst group."""
        return min(self.accuracies.values())


def retrain_last_layer(
    network: nn.Module,
    batches: Batches,
    *,
    finding: int = 0,
    softmax: bool = False,
    strengths: Sequence[float] = STRENGTHS,
    draws: int = 10,
    seed: int = 0,
    logits: Logits | None = None,
) -> Retrained:
    """A copy of the network whose last linear layer is learnt anew on groups of equal size.

    Logistic regression with an L1 penalty on standardised features; its strength is chosen on one half by the
    worst group of the other, and the weights of several balanced draws are averaged. Images the network was
    not trained on serve best.

    Parameters
    ----------
    batches
        Images, labels and groups (`group_numbers`); labels that are negative or NaN are not known, and left
        out.
    finding
        Which logit is learnt anew; the others stay. With `softmax` all are, and labels are classes (batch,).
    draws
        How many balanced draws are averaged.
    logits
        As in `camlucida.explain`, for a network that returns something else.

    Raises
    ------
    UnsupportedNetwork
        The logits do not come from a linear layer.
    InputError
        There is no image, a group has fewer than 4 images, or one label only.
    """
    network = explainable(network)
    layer, table = _read(network, batches, finding, logits, softmax=softmax)
    _refuse_small(table)
    mean, spread = table.features.mean(dim=0), table.features.std(dim=0)
    spread = torch.where(spread > 0, spread, 1.0)
    table = replace(table, features=(table.features - mean) / spread)
    generator = torch.Generator().manual_seed(seed)
    found = _tried(table, strengths, generator)
    strength = max(found, key=lambda one: (min(found[one].values()), -one))
    fits = [_fit(table.at(table.balanced(generator)), strength) for _ in range(draws)]
    weight, bias = (torch.stack(parts).mean(dim=0) for parts in zip(*fits, strict=True))
    weight = weight / spread
    repaired = copy.deepcopy(network)
    _write(repaired.get_submodule(layer), weight, bias - weight @ mean, None if softmax else finding)
    return Retrained(repaired, strength, found[strength])


def last_linear(network: nn.Module, example: Tensor, logits: Logits | None = None) -> str:
    """The path of the linear layer (or convolution of size 1) whose output are the logits.

    Raises
    ------
    UnsupportedNetwork
        The logits do not come from a linear layer, or one without a bias.
    """
    said: list[tuple[str, Tensor]] = []

    def note(path: str) -> Callable[..., None]:
        return lambda _layer, _inputs, output: said.append((path, output))

    handles = [
        module.register_forward_hook(note(path))
        for path, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv3d)
    ]
    try:
        with as_it_was(network), torch.no_grad():
            table = run_whole(network, example[:1], logits).logits
    finally:
        for handle in handles:
            handle.remove()
    for path, output in reversed(said):
        if output.numel() == table.numel() and torch.equal(output.reshape(table.shape), table):
            if network.get_submodule(path).bias is None:
                raise UnsupportedNetwork(
                    f"The last linear layer, “{path}”, has no bias; give it one of zeros."
                )
            return path
    raise UnsupportedNetwork(
        "The network's logits do not come straight from a linear layer, so there is no last layer to retrain."
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """What the last layer is given (n, feature), targets (n, 1) or (n, class), both float64; groups (n,)."""

    features: Tensor
    labels: Tensor
    groups: Tensor

    def at(self, some: Tensor) -> "_Table":
        return _Table(self.features[some], self.labels[some], self.groups[some])

    def of_each_group(self, generator: torch.Generator) -> list[Tensor]:
        """The indices of each group, shuffled."""
        places = [torch.nonzero(self.groups == group)[:, 0] for group in torch.unique(self.groups)]
        return [some[torch.randperm(len(some), generator=generator)] for some in places]

    def balanced(self, generator: torch.Generator) -> Tensor:
        """Indices of a draw in which every group is as large as the smallest."""
        each = self.of_each_group(generator)
        return torch.cat([some[: min(map(len, each))] for some in each])

    def halves(self, generator: torch.Generator) -> tuple["_Table", "_Table"]:
        """Each with half of every group."""
        each = self.of_each_group(generator)
        first, second = ([some[: len(some) // 2] for some in each], [some[len(some) // 2 :] for some in each])
        return self.at(torch.cat(first)), self.at(torch.cat(second))


def _read(
    network: nn.Module, batches: Batches, finding: int, logits: Logits | None, *, softmax: bool
) -> tuple[str, _Table]:
    """The last layer's path, and what it is given of images with a known label."""
    layer, parts = "", []
    for images, labels, groups in batches:
        layer = layer or last_linear(network, images, logits)
        wanted = labels if softmax or labels.ndim == 1 else labels[:, finding]
        known = (wanted >= 0).cpu()  # NaN is not
        given = _given(network, layer, images)
        parts.append((given[known], wanted.cpu()[known], groups.cpu()[known]))
    if not parts:
        raise InputError("There are no images to retrain the last layer on.")
    features, wanted, groups = (torch.cat(part) for part in zip(*parts, strict=True))
    classes = len(weights(_linear(network, layer)))
    targets = nn.functional.one_hot(wanted.long(), classes) if softmax else wanted[:, None]
    return layer, _Table(features, targets.double(), groups)


def _given(network: nn.Module, layer: str, images: Tensor) -> Tensor:
    """What a layer is given of images, (batch, feature), float64."""
    taken: list[Tensor] = []
    handle = network.get_submodule(layer).register_forward_pre_hook(lambda _, inputs: taken.append(inputs[0]))
    try:
        with as_it_was(network), torch.no_grad():
            network(images)
    finally:
        handle.remove()
    return taken[-1].flatten(1).double().cpu()


def _linear(network: nn.Module, layer: str) -> Linear:
    return cast("Linear", network.get_submodule(layer))


def _refuse_small(table: _Table) -> None:
    numbers, counts = torch.unique(table.groups, return_counts=True)
    if not len(numbers) or int(counts.min()) < LEAST:
        least = (
            f"group {int(numbers[counts.argmin()])} has {int(counts.min())}" if len(numbers) else "none has"
        )
        raise InputError(f"Each group needs at least {LEAST} images with a known label; {least}.")
    if len(torch.unique(table.labels, dim=0)) < 2:
        raise InputError("All images have the same label; there is nothing to learn from them.")


def _tried(
    table: _Table, strengths: Sequence[float], generator: torch.Generator
) -> dict[float, dict[int, float]]:
    """Of each strength, learnt on one half, the accuracy by group of the other."""
    first, second = table.halves(generator)
    first = first.at(first.balanced(generator))
    return {strength: _accuracies(_fit(first, strength), second) for strength in strengths}


def _fit(table: _Table, strength: float) -> tuple[Tensor, Tensor]:
    """Weights (k, feature) and biases (k,) with the least sum |w| + C · summed log loss; the bias is free.

    By FISTA (Beck and Teboulle, SIAM Journal on Imaging Sciences 2009), begun anew where it overshoots
    (O'Donoghue and Candès, Foundations of Computational Mathematics 2015).
    """
    ones = table.features.new_ones(len(table.features), 1)
    given = torch.cat([table.features, ones], dim=1)
    bend = 1 / 4 if table.labels.shape[1] == 1 else 1 / 2  # the log loss curves no more than this
    step = 1 / (strength * bend * torch.linalg.matrix_norm(given, 2).square())
    now = ahead = given.new_zeros(table.labels.shape[1], given.shape[1])
    pace = 1.0
    for _ in range(STEPS):
        wrong = _probabilities(given @ ahead.T) - table.labels
        moved = ahead - step * strength * wrong.T @ given
        shrunk = moved.sign() * (moved.abs() - step).clamp(min=0)
        shrunk[:, -1] = moved[:, -1]
        change = shrunk - now
        if float(((ahead - shrunk) * change).sum()) > 0:
            pace = 1.0
        faster = (1 + (1 + 4 * pace**2) ** 0.5) / 2
        ahead = shrunk + (pace - 1) / faster * change
        now, pace = shrunk, faster
        if float(change.abs().max()) < SETTLED:
            break
    return now[:, :-1], now[:, -1]


def _probabilities(scores: Tensor) -> Tensor:
    return scores.sigmoid() if scores.shape[1] == 1 else scores.softmax(dim=1)


def _accuracies(fit: tuple[Tensor, Tensor], table: _Table) -> dict[int, float]:
    weight, bias = fit
    scores = table.features @ weight.T + bias
    if scores.shape[1] == 1:
        right = (scores >= 0) == (table.labels >= 0.5)
    else:
        right = scores.argmax(dim=1, keepdim=True) == table.labels.argmax(dim=1, keepdim=True)
    return {
        int(group): float(right[table.groups == group].double().mean())
        for group in torch.unique(table.groups)
    }


@torch.no_grad()
def _write(module: nn.Module, weight: Tensor, bias: Tensor, finding: int | None) -> None:
    layer = cast("Linear", module)
    rows = slice(None) if finding is None else slice(finding, finding + 1)
    weights(layer)[rows].copy_(weight)
    biases(layer)[rows].copy_(bias)
