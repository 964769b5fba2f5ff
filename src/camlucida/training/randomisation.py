"""Artefact randomisation: whether an image has the artefact is drawn by lot, whatever its label.

What tells nothing about the label is not learnt. Neither must the traces of pasting and of filling in tell:
every image is filled in where the artefact lies, before it is pasted or not. Pasted over itself, a
translucent one would be brighter, and tell.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camlucida.errors import InputError
from camlucida.images.artefact import COVERED, Artefact
from camlucida.saliency.trust.infill import filled

Level: TypeAlias = float | Sequence[float]
"""One value for all channels, or one for each."""


class ArtefactRandomisation:
    """A transform of batches: each image has the artefact's place filled in, and gets the artefact by lot.

    >>> randomise = ArtefactRandomisation([tag], black=-2.0, white=2.0)  # doctest: +SKIP
    >>> logits = network(randomise(images))  # doctest: +SKIP

    Use it in training only. Artefacts are drawn independently of each other, of the label, and of whether the
    image had them: afterwards a share of all images has each.

    Parameters
    ----------
    artefacts
        What to paste and to take out (`camlucida.images.artefact`).
    share
        Of the images that get an artefact, 0 to 1.
    black, white
        What the darkest and the brightest grey are in the network's input, (0 - mean) / std and
        (1 - mean) / std of a model card; one value a channel, or one for all.
    remove
        Whether its place is filled in first, from what surrounds it (push and pull). False where its place
        differs from image to image: then those that had it keep it, and it goes on telling something.
    spacing
        In mm, of the network's input along rows and columns; needed where an artefact's box is in mm.
    seed
        Of the lots.

    Raises
    ------
    InputError
        The share is no share, or only an artefact's place is known, so that it cannot be pasted.
    """

    def __init__(
        self,
        artefacts: Sequence[Artefact],
        *,
        share: float = 0.5,
        black: Level = 0.0,
        white: Level = 1.0,
        remove: bool = True,
        spacing: Sequence[float] | None = None,
        seed: int = 0,
    ) -> None:
        if not 0 <= share <= 1:
            raise InputError(f"The share of images that get the artefact is {share}; it is 0 to 1.")
        if share > 0:
            _refuse_what_cannot_be_pasted(artefacts)
        self.artefacts, self.share, self.remove = tuple(artefacts), share, remove
        self._black, self._white, self._spacing = black, white, spacing
        self._generator = torch.Generator().manual_seed(seed)
        self._planes: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}

    def __call__(self, images: Tensor) -> Tensor:
        """Images (batch, channel, *space) as others of the same shape; those given stay as they are."""
        for painted, alpha in self._of_size(tuple(images.shape[-2:])):
            drawn = torch.rand(len(images), generator=self._generator) < self.share
            images = self._changed(images, painted.to(images), alpha.to(images), drawn.to(images.device))
        return images

    def _changed(self, images: Tensor, painted: Tensor, alpha: Tensor, drawn: Tensor) -> Tensor:
        each = (-1, *[1] * (images.ndim - 1))
        black, white = (_a_channel(level, images) for level in (self._black, self._white))
        if self.remove:
            region = (alpha > COVERED).to(images).expand(1, 1, *images.shape[2:])
            images = filled(images, region)
        pasted = images * (1 - alpha) + black * alpha + (white - black) * painted
        return torch.where(drawn.view(each), pasted, images)

    def _of_size(self, size: tuple[int, ...]) -> list[tuple[Tensor, Tensor]]:
        """What is painted and where, of each artefact: (row, column)."""
        if size not in self._planes:
            planes = [artefact.planes(size, self._spacing) for artefact in self.artefacts]
            self._planes[size] = [(_tensor(painted), _tensor(alpha)) for painted, alpha in planes]
        return self._planes[size]


def _refuse_what_cannot_be_pasted(artefacts: Sequence[Artefact]) -> None:
    for artefact in artefacts:
        if artefact.brightness is None:
            raise InputError(
                f"Of the artefact “{artefact.name}” only the place is known, so that it cannot be pasted; "
                "give a picture of it with transparency, or share=0 to take it out of all images."
            )


def _a_channel(level: Level, images: Tensor) -> Tensor:
    values = torch.as_tensor(level, dtype=images.dtype, device=images.device)
    return values.reshape(1, -1, *[1] * (images.ndim - 2))


def _tensor(plane: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.array(plane))  # its own: what an artefact remembers is read-only
