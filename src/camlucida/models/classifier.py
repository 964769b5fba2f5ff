"""A network with its card: what it takes, what it says, and what is proven of its head."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, nan
from typing import Any

from torch import Tensor, nn

from camlucida.errors import InvalidModelCard, UnsuitableImage, UnsupportedNetwork
from camlucida.images.prepare import Prepared, prepare
from camlucida.models.card import ModelCard, Output, Task
from camlucida.models.cut import Logits
from camlucida.models.head import HeadProof
from camlucida.models.targets import mean_over
from camlucida.records import Image, Prediction


@dataclass(frozen=True, slots=True, eq=False)
class Classifier:
    """A network in evaluation mode, ready to be explained.

    `digest` is the model digest: SHA-256 over the weights and all of the card that changes the output.
    `head` says whether the maps add up to the logits.
    """

    module: nn.Module
    card: ModelCard
    digest: str
    head: HeadProof | None = None

    @property
    def logits(self) -> Logits | None:
        """From what the network returns to its logits (batch, finding); None where it returns just them."""
        return logits_adapter(self.card.logits)

    def check(self, image: Image, *, scalar: bool = False) -> None:
        """Refuse an image of a kind that this model does not take.

        Parameters
        ----------
        scalar
            The caller knows that a regression's numbers are no logits, and wants their maps all the same.

        Raises
        ------
        UnsuitableImage
            Another modality, or a volume where single images are taken, or the other way round.
        UnsupportedNetwork
            A regression, and `scalar` was not asked for.
        """
        if self.card.task is Task.REGRESSION and not scalar:
            raise UnsupportedNetwork(
                f"The model {self.card.name} is a regression: its outputs are no logits of findings. To "
                "explain them all the same, ask for it with scalar=True, or --scalar on the command line."
            )
        self._check_modality(image.modality)
        wanted, given = self.card.preparation.space, len(image.space)
        if given == wanted:
            return
        if given == 3:
            raise UnsuitableImage(
                f"The model {self.card.name} takes single images; this is a volume of {image.space[0]} "
                "slices."
            )
        raise UnsuitableImage(
            f"The model {self.card.name} takes volumes; this is a single image. Give the folder of the "
            "whole series."
        )

    def prepare(self, image: Image) -> Prepared:
        """The image as the network takes it: values (channel, *size), float32, and the way back.

        Raises
        ------
        UnsuitableImage
            As in `check`.
        """
        self.check(image, scalar=True)
        return prepare(image, self.card.preparation)

    def prediction(self, logits: Sequence[float]) -> Prediction:
        """All findings with logits and probabilities; for a regression the probabilities are NaN.

        Raises
        ------
        InvalidModelCard
            There are more or fewer logits than findings.
        """
        refuse_other_count(self.card, len(logits))
        values = tuple(float(logit) for logit in logits)
        return Prediction(self.card.findings, values, _probabilities(values, self.card))

    def _check_modality(self, modality: str) -> None:
        if self.card.modality and modality and modality not in self.card.modality:
            taken = " or ".join(filter(None, self.card.modality))
            raise UnsuitableImage(
                f"The model {self.card.name} takes {taken}; this image is {modality}. "
                "`camlucida models list` shows the models."
            )


def refuse_other_count(card: ModelCard, count: int) -> None:
    """Refuse a network whose number of logits is not the card's number of findings.

    Raises
    ------
    InvalidModelCard
        With both numbers.
    """
    if count != len(card.findings):
        raise InvalidModelCard(
            f"The network of {card.name} gives {count} logits, and its model.toml has {len(card.findings)} "
            "[[findings]]; give one for each, in the network's order."
        )


MEAN = "mean"
"""How the `logits` of a segmentation's card begin."""


@cache
def logits_adapter(where: str | None) -> Logits | None:
    """What takes the logits out of what a network returns: "key:NAME", "index:N", or None.

    "mean", or "mean of" one of them, takes the mean of each class's map in what a segmentation returns.
    """
    if where is None or where == MEAN:
        return mean_over() if where else None
    place = where.removeprefix(f"{MEAN} of ")
    kind, _, name = place.partition(":")
    key: str | int = name if kind == "key" else int(name)
    if place != where:
        return mean_over(key=key)

    def adapter(returned: Any) -> Tensor:
        try:
            tensor: Tensor = returned[key]
        except (KeyError, IndexError, TypeError) as error:
            raise InvalidModelCard(
                f"logits = “{where}”: the network returns a {type(returned).__name__} without {name}; name "
                "where its logits are."
            ) from error
        return tensor

    return adapter


def _probabilities(logits: tuple[float, ...], card: ModelCard) -> tuple[float, ...]:
    if card.task is Task.REGRESSION:
        return tuple(nan for _ in logits)
    if card.output is Output.SOFTMAX:
        highest = max(logits)
        weights = [exp(logit - highest) for logit in logits]
        return tuple(weight / sum(weights) for weight in weights)
    return tuple(_sigmoid(logit) for logit in logits)


def _sigmoid(logit: float) -> float:
    """1 / (1 + exp(-logit)), without overflow at either end."""
    if logit >= 0:
        return 1 / (1 + exp(-logit))
    return exp(logit) / (1 + exp(logit))
