"""What the training scripts share: augmentation, the loop, calibration and the model folder.

Training runs in bfloat16 where the processor has it and in channels-last order; inference is float32.
"""

import copy
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from camlucida.models.architectures import SmallResNet
from camlucida.models.card import read_card


@dataclass(frozen=True)
class Augmentation:
    """Largest random changes of a training image: shares of its size, radians, and of its contrast."""

    shift: float = 0.05
    zoom: float = 0.1
    turn: float = 0.08
    mirror: bool = True  # left and right, the last axis
    gamma: float = 0.3
    contrast: float = 0.2
    noise: float = 0.02
    erase: float = 0.0  # probability of a grey box


@dataclass(frozen=True)
class Recipe:
    """How long and how hard to train."""

    epochs: int
    batch: int = 32
    rate: float = 4e-3
    decay: float = 0.05
    head: float = 1.0  # times the rate, for the linear layer: small things in many cells need large weights
    sparsity: float = 0.0  # weight of mean |evidence| in the loss: evidence only where it is needed
    smoothing: float = 0.0  # of the labels
    average: float = 0.99  # of the weights over steps (exponential moving average)


def fix_seeds(seed: int) -> None:
    """The same weights from the same data on the same machine."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - third-party code may draw from the global generator
    torch.manual_seed(seed)


def progress() -> Progress:
    """The progress bar of all scripts."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )


def augmented(images: Tensor, how: Augmentation) -> Tensor:
    """Randomly moved and toned images `(batch, channel, *space)`, values about 0..1, same shape."""
    return _toned(_moved(images, _movement(images, how), "bilinear"), how)


def augmented_with_cells(images: Tensor, cells: Tensor, how: Augmentation) -> tuple[Tensor, Tensor]:
    """The same, and cells `(batch, finding, *native)` moved with their images."""
    movement = _movement(images, how)
    return _toned(_moved(images, movement, "bilinear"), how), _moved(cells, movement, "nearest")


def _moved(images: Tensor, movement: Tensor, mode: str) -> Tensor:
    grid = functional.affine_grid(movement, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode, padding_mode="border", align_corners=False)


def _spread(count: int, width: float) -> Tensor:
    return (torch.rand(count) * 2 - 1) * width


def _movement(images: Tensor, how: Augmentation) -> Tensor:
    """A random affine matrix for each image; turns are about the last two axes' normal."""
    count, space = len(images), images.ndim - 2
    turn, zoom = _spread(count, how.turn), 1 + _spread(count, how.zoom)
    matrix = torch.zeros(count, space, space + 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = torch.cos(turn) * zoom
    matrix[:, 0, 1], matrix[:, 1, 0] = -torch.sin(turn) * zoom, torch.sin(turn) * zoom
    if space == 3:
        matrix[:, 2, 2] = 1
    if how.mirror:
        matrix[:, :, 0] *= torch.where(torch.rand(count) < 0.5, -1.0, 1.0)[:, None]
    matrix[:, :, -1] = _spread(count * space, 2 * how.shift).reshape(count, space)
    return matrix


def _toned(images: Tensor, how: Augmentation) -> Tensor:
    """Random gamma, contrast, brightness, noise and grey boxes."""
    each = (len(images), *[1] * (images.ndim - 1))
    toned = images.clamp(min=0).pow(torch.exp(_spread(len(images), how.gamma)).view(each))
    gain = (1 + _spread(len(images), how.contrast)).view(each)
    toned = (toned - 0.5) * gain + 0.5 + _spread(len(images), how.contrast / 2).view(each)
    toned = toned + torch.randn_like(toned) * (torch.rand(each) * how.noise)
    for image in toned[torch.rand(len(images)) < how.erase]:
        _erase(image)
    return toned


def _erase(image: Tensor) -> None:
    box = [slice(None)]
    for size in image.shape[1:]:
        width = random.randint(size // 16, size // 4)  # noqa: S311 - no secret is drawn here
        start = random.randint(0, size - width)  # noqa: S311
        box.append(slice(start, start + width))
    image[tuple(box)] = random.random()  # noqa: S311


def fit(
    network: SmallResNet,
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    augmentation: Augmentation,
    normalisation: tuple[float, float],
    cells: Tensor | None = None,
) -> SmallResNet:
    """Train `network` on prepared `images (n, channel, *space)` and `labels (n, finding)`.

    `normalisation` is mean and standard deviation of the model's card; images are augmented in
    0..1, before it. `cells (n, finding, *native)`, where given, say in which native cells a finding lies.
    Gives the average of the weights over the last steps, in evaluation mode.
    """
    mean, deviation = normalisation
    layout = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
    network.to(memory_format=layout).train()  # type: ignore[call-overload]  # torch's stub forgets it
    average = copy.deepcopy(network).requires_grad_(requires_grad=False)
    steps = recipe.epochs * (len(images) // recipe.batch)
    optimizer, schedule = _optimizer(network, recipe, steps)
    with progress() as bar:
        task = bar.add_task("training", total=steps)
        for _ in range(recipe.epochs):
            order = torch.randperm(len(images))[: len(images) // recipe.batch * recipe.batch]
            for some in torch.split(order, recipe.batch):
                batch, places = images[some].float() * deviation + mean, None
                if cells is None:
                    batch = augmented(batch, augmentation)
                else:
                    batch, places = augmented_with_cells(batch, cells[some].float(), augmentation)
                batch = ((batch - mean) / deviation).to(memory_format=layout)
                loss = _loss(network, batch, labels[some], places, recipe)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                schedule.step()
                _follow(average, network, recipe.average)
                bar.update(task, advance=1, description=f"loss {loss.item():.3f}")
    average.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as above
    return average.eval()


def locate(
    network: SmallResNet, images: Tensor, cells: Tensor, crop: tuple[int, ...], recipe: Recipe
) -> None:
    """Teach `network` first where findings are, on crops of `crop` native cells: small, so many and quick.

    `images (n, channel, *space)` are prepared, `cells (n, finding, *native)` say where findings are. Every
    other crop holds a finding. `recipe.epochs` counts passes with one crop an image.
    """
    layout = torch.channels_last if images.ndim == 4 else torch.channels_last_3d
    network.to(memory_format=layout).train()  # type: ignore[call-overload]  # torch's stub forgets it
    torch.nn.init.zeros_(network.head.weight)
    optimizer, schedule = _optimizer(network, recipe, recipe.epochs * (len(images) // recipe.batch))
    with progress() as bar:
        for _ in bar.track(range(schedule.total_steps), description="learning where"):
            some = torch.randint(len(images), (recipe.batch,)).tolist()
            crops = [_crop(images[n], cells[n], crop, centred=bool(k % 2)) for k, n in enumerate(some)]
            batch = torch.stack([image for image, _ in crops]).float()
            batch = (batch + torch.randn_like(batch) * 0.05).to(memory_format=layout)
            with torch.autocast("cpu", torch.bfloat16):
                active = network.activations(batch)
            evidence = torch.einsum("fc,bcp->bfp", network.head.weight, active.flatten(2).float())
            places = torch.stack([place for _, place in crops]).flatten(2)
            loss = _misplaced(evidence / cells[0, 0].numel(), places)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()


def _crop(image: Tensor, cells: Tensor, crop: tuple[int, ...], *, centred: bool) -> tuple[Tensor, Tensor]:
    """A crop along the borders of cells, around a cell of a rare finding if `centred`; mirrored or not."""
    rare = [where for where in cells.nonzero() if where[0] == cells.flatten(1).sum(1).nonzero()[0, 0]]
    chosen = rare[random.randrange(len(rare))][1:].tolist() if centred and rare else None  # noqa: S311
    for axis, (size, length) in enumerate(zip(cells.shape[1:], crop, strict=True), start=1):
        low, high = 0, size - length
        if chosen is not None:
            low, high = max(low, chosen[axis - 1] - length + 1), min(high, chosen[axis - 1])
        start, cell = random.randint(low, high), image.shape[axis] // size  # noqa: S311
        cells = cells.narrow(axis, start, length)
        image = image.narrow(axis, start * cell, length * cell)
    turned = [axis for axis in (-1, -2) if random.random() < 0.5]  # noqa: S311
    return image.flip(turned), cells.flip(turned)


def _optimizer(
    network: SmallResNet, recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.OneCycleLR]:
    body = [parameter for name, parameter in network.named_parameters() if not name.startswith("head.")]
    groups: list[dict[str, Any]] = [{"params": body}, {"params": network.head.parameters()}]
    optimizer = torch.optim.AdamW(groups, lr=recipe.rate, weight_decay=recipe.decay)
    rates = [recipe.rate, recipe.rate * recipe.head]
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=steps, pct_start=0.2)


def _loss(
    network: SmallResNet, batch: Tensor, labels: Tensor, places: Tensor | None, recipe: Recipe
) -> Tensor:
    """Binary cross-entropy of every finding, and the price of evidence."""
    with torch.autocast("cpu", torch.bfloat16):
        active = network.activations(batch)
    evidence = torch.einsum("fc,bcp->bfp", network.head.weight, active.flatten(2).float())
    logits = evidence.mean(2) + network.head.bias
    target = labels * (1 - recipe.smoothing) + recipe.smoothing / 2
    loss = functional.binary_cross_entropy_with_logits(logits, target)
    loss = loss + recipe.sparsity * evidence.abs().mean()
    if places is None:
        return loss
    return loss + _misplaced(evidence / evidence.shape[2], places.flatten(2))


def _misplaced(evidence: Tensor, places: Tensor) -> Tensor:
    """How far the logits `(batch, finding, cell)` are from: one where the finding lies, none elsewhere.

    Cells with the finding weigh as much as all the others, however few they are.
    """
    there = places > 0.5
    share = there.float().mean((0, 2), keepdim=True).clamp(min=1e-4)
    weight = torch.where(there, 0.5 / share, 0.5)
    return functional.binary_cross_entropy_with_logits(6 * (evidence - 0.5), there.float(), weight)


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, share: float) -> None:
    for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.is_floating_point():
            kept.lerp_(new, 1 - share)
        else:
            kept.copy_(new)


@torch.no_grad()
def logits_of(network: nn.Module, images: Tensor) -> NDArray[np.float64]:
    """Logits `(n, finding)` in float32 arithmetic."""
    network.eval()
    return torch.cat([network(some.float()) for some in torch.split(images, 64)]).double().numpy()


def calibrate(network: SmallResNet, logits: NDArray[np.float64], labels: NDArray[np.float64]) -> None:
    """Fold Platt's slope and offset of each finding into the head (Platt 1999, with his targets).

    His targets, (n + 1) / (n + 2) and 1 / (n + 2), keep the logits of findings that are told apart without an
    error as modest as so few cases allow. The order of the images stays as it was, so no AUC changes.
    """
    z = torch.as_tensor(logits)
    present, absent = labels.sum(0), (1 - labels).sum(0)
    y = torch.as_tensor(np.where(labels == 1, (present + 1) / (present + 2), 1 / (absent + 2)))
    slope, offset = torch.ones(z.shape[1], dtype=z.dtype), torch.zeros(z.shape[1], dtype=z.dtype)
    parameters = [slope.requires_grad_(), offset.requires_grad_()]
    optimizer = torch.optim.LBFGS(parameters, max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(z * slope + offset, y)
        torch.autograd.backward(loss)
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]  # torch's own
    with torch.no_grad():
        network.head.weight.mul_(slope.float()[:, None])
        network.head.bias.mul_(slope.float()).add_(offset.float())


def youden_point(probabilities: NDArray[np.float64], labels: NDArray[np.float64]) -> float:
    """The probability with the largest sensitivity + specificity - 1 (Youden, Cancer 1950)."""
    order = np.unique(probabilities)
    scores = [
        (probabilities[labels == 1] >= t).mean() + (probabilities[labels == 0] < t).mean() for t in order
    ]
    best = int(np.argmax(scores))
    return float((order[best] + order[max(best - 1, 0)]) / 2)


def operating_points(probabilities: NDArray[np.float64], labels: NDArray[np.float64]) -> list[float]:
    """One operating point a finding, by Youden's index."""
    return [youden_point(p, y) for p, y in zip(probabilities.T, labels.T, strict=True)]


def shipped(name: str) -> Path:
    """The folder of a model that ships with camlucida."""
    return Path(__file__).resolve().parent.parent / "src" / "camlucida" / "examples" / "models" / name


def write_folder(network: SmallResNet, card: str, folder: Path) -> None:
    """Write weights.safetensors and model.toml, and read the card back to see that it is one."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    (folder / "model.toml").write_text(card, encoding="utf-8")
    read_card(folder)
