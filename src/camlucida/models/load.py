"""From a name or a folder to a classifier: card, network, weights, and the proof of the head."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camlucida.errors import InvalidModelCard, InvalidWeights, UnknownModel
from camlucida.models.build import build
from camlucida.models.card import CARD, ModelCard, Output, file_inside, read_card
from camlucida.models.classifier import MEAN, Classifier, logits_adapter, refuse_other_count
from camlucida.models.cut import Cut, run
from camlucida.models.exported import load_exported
from camlucida.models.head import HeadProof, prove
from camlucida.models.onnx_graph import load_onnx
from camlucida.models.registry import Registered, Registry, shipped_models
from camlucida.models.target_layer import find_cut
from camlucida.models.weights import load_weights
from camlucida.records import HeadKind
from camlucida.settings import settings

_MANY_VALUES = 2_000_000  # of one input, from which the proof is made on fewer
_REMEMBERED = 4  # made-up inputs whose logits are kept, to be compared when the model is checked


def load_model(name_or_path: str | Path) -> Classifier:
    """Load a model by its registered name, "name@version", a shipped name, or its folder.

    A registered model is checked against its digests and brings the proof made when it was registered; any
    other is proven now.

    Raises
    ------
    UnknownModel
        Nothing of this name is registered or shipped.
    ModelChanged
        The registered files are not what they were.
    InvalidModelCard, InvalidWeights, UnsupportedNetwork, NoTargetLayer
        The model cannot be used; the sentence says why.
    """
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or "\\" in text:
        return load_folder(Path(text))
    registry = Registry(settings().home)
    registered = registry.find(text)
    if registered is not None:
        return load_registered(registered)
    if text in shipped_models():
        return load_folder(shipped_models()[text])
    if (Path(text) / CARD).is_file():
        return load_folder(Path(text))
    raise UnknownModel(registry.unknown(text))


def load_folder(folder: Path) -> Classifier:
    """The model in a folder, proven now; see `load_model` for what is raised."""
    if not (folder / CARD).is_file():
        raise UnknownModel(f"“{folder}” holds no {CARD}; a model is a folder with a {CARD} and its weights.")
    card = read_card(folder)
    module = network(folder, card)
    proven = try_out(module, card)
    return Classifier(_on_device(module), card, model_digest(folder, card), proven.head)


def load_registered(registered: Registered) -> Classifier:
    """A registered model with the proof it was registered with; see `load_model` for what is raised."""
    registered.verify()
    card = read_card(registered.folder)
    module = network(registered.folder, card)
    proof = HeadProof(**{**registered.head, "kind": HeadKind(registered.head["kind"])})
    return Classifier(_on_device(module), card, registered.digest, proof)


def network(folder: Path, card: ModelCard) -> nn.Module:
    """The network of a card with its weights, in evaluation mode, on the CPU, its parameters frozen."""
    weights = file_inside(folder, card.weights)
    if card.architecture is None:
        module = load_onnx(weights) if weights.suffix == ".onnx" else load_exported(weights)
    else:
        module = build(card.architecture, card.architecture_arguments)
        load_weights(module, weights)
    return module.requires_grad_(requires_grad=False)


def model_digest(folder: Path, card: ModelCard) -> str:
    """SHA-256, hexadecimal, over the weights' bytes and all of the card that changes the output."""
    sha256 = hashlib.sha256(card.determining.encode())
    with file_inside(folder, card.weights).open("rb") as file:
        sha256.update(hashlib.file_digest(file, "sha256").digest())
    return sha256.hexdigest()


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying a model out has shown: where it is split, what its head is, what it said of the inputs."""

    cut: Cut
    head: HeadProof
    logits: tuple[tuple[float, ...], ...]
    cautions: tuple[str, ...]


def try_out(
    module: nn.Module,
    card: ModelCard,
    count: int | None = None,
    prepared: Iterable[NDArray[np.float32]] = (),
    step: Callable[[], None] = lambda: None,
) -> Trial:
    """Find the target layer and prove the head on made-up inputs, the same ones each time, and on images.

    Parameters
    ----------
    count
        How many made-up inputs; None for two, or one where it is large.
    prepared
        Images as `Classifier.prepare` gives them: (channel, *size).
    step
        Called after each input.

    Raises
    ------
    InvalidModelCard, InvalidWeights, UnsupportedNetwork, NoTargetLayer
        The network does not do what its card says, or cannot be explained.
    """
    made_up = _affordable(card) if count is None else count
    first = list(islice(_inputs(card, made_up), _REMEMBERED))
    adapter = logits_adapter(card.logits)
    cut = _find_cut(module, first[0], card)
    outputs = [run(module, image, cut, lambda tensor: tensor, adapter) for image in first]
    for output in outputs:
        _refuse_contradiction(card, output.logits, output.activation)
    cautions = _cautions(card, all(output.looks_like_probabilities for output in outputs))
    return Trial(
        cut,
        prove(module, cut, _every(card, made_up, prepared, step), adapter, made_up=made_up),
        tuple(tuple(output.logits[0].tolist()) for output in outputs),
        cautions,
    )


def _affordable(card: ModelCard) -> int:
    return 2 if prod(card.preparation.size) < _MANY_VALUES else 1


def _every(
    card: ModelCard, made_up: int, prepared: Iterable[NDArray[np.float32]], step: Callable[[], None]
) -> Iterator[Tensor]:
    for image in chain(_inputs(card, made_up), (torch.from_numpy(values)[None] for values in prepared)):
        yield image
        step()


def _inputs(card: ModelCard, count: int) -> Iterator[Tensor]:
    """Smooth noise, brought to the range that the preparation gives; (1, channel, *size)."""
    preparation = card.preparation
    generator = torch.Generator().manual_seed(0)
    each = (1, -1, *[1] * preparation.space)
    mean, std = torch.tensor(preparation.mean).reshape(each), torch.tensor(preparation.std).reshape(each)
    mode = "bilinear" if preparation.space == 2 else "trilinear"
    for _ in range(count):
        coarse = torch.rand((1, preparation.channels, *[5] * preparation.space), generator=generator)
        smooth = nn.functional.interpolate(coarse, size=preparation.size, mode=mode, align_corners=False)
        grain = torch.rand(smooth.shape, generator=generator) * 0.1
        yield ((smooth + grain).clamp(0, 1) - mean) / std


def _find_cut(module: nn.Module, example: Tensor, card: ModelCard) -> Cut:
    try:
        return find_cut(module, example, card.target_layer, logits=logits_adapter(card.logits))
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError) as error:
        shape = "×".join(str(side) for side in example.shape)
        raise InvalidModelCard(
            f"The network of {card.name} does not take an input of {shape} as [input] says "
            f"({type(error).__name__}: {str(error).partition(chr(10))[0]}); check channels and size."
        ) from error


def _refuse_contradiction(card: ModelCard, logits: Tensor, activation: str | None) -> None:
    refuse_other_count(card, logits.shape[1])
    if not bool(torch.isfinite(logits).all()):
        raise InvalidWeights(
            f"The network of {card.name} gives NaN or infinite logits on plain inputs; check its weights "
            "and the mean and std of [input]."
        )
    if activation is not None and activation != card.output:
        raise InvalidModelCard(
            f"The network of {card.name} ends in a {activation}, and its model.toml says output = "
            f"“{card.output}”; write output = “{activation}”."
        )


def _cautions(card: ModelCard, looks_like_probabilities: bool) -> tuple[str, ...]:
    cautions = []
    if looks_like_probabilities:
        cautions.append(
            "All outputs lie between 0 and 1: if they are probabilities already, they are no logits; take "
            "the network's last activation away."
        )
    if (card.logits or "").startswith(MEAN):
        cautions.append(
            "Logits are means over a segmentation's map, so a probability is that of the mean logit, of no "
            "place on the image."
        )
    if card.output is Output.SOFTMAX and len(card.findings) == 1:
        cautions.append("A softmax over one finding is always 1: output = “sigmoid” is meant.")
    return tuple(cautions)


def _on_device(module: nn.Module) -> nn.Module:
    wanted = settings().device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return module.to(wanted)
