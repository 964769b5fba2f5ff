"""What to explain of networks that answer with maps or with boxes: adapters for `logits=`.

Each takes what the network returned and gives logits (batch, finding). Its `description` goes into the
provenance of the map. A regression needs no adapter: its outputs are explained as they are, with scalar=True.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camlucida.errors import UnknownFinding, UnsuitableImage, UnsupportedNetwork
from camlucida.models.cut import Logits

LEAST = 1e-6
"""Probabilities are kept this far from 0 and 1, where log-odds have no end; a box that is absent has it."""

Mask = Tensor | NDArray[np.bool_]
Key = str | int


def mean_over(mask: Mask | None = None, *, key: Key | None = None) -> "MeanOver":
    """Of a segmentation: the mean logit of each class over a region (Seg-Grad-CAM, without its factor |M|).

    Vinogradova, Dibrov and Myers, AAAI 2020 (arXiv 2002.11434), eq. 2, explain the sum over a set of pixels;
    the mean is the same map in logits of one pixel.

    Parameters
    ----------
    mask
        (*space), true where the region is, on the grid of the network's output; None: all of it.
    key
        Where the network returns several things: a dict's key ("out" for torchvision), or a number.
    """
    region = None if mask is None else torch.as_tensor(np.asarray(mask)).bool()
    if region is not None and not region.any():
        raise UnsuitableImage("The mask is empty, so there is nothing to take a mean over; mark a region.")
    return MeanOver(region, key)


@dataclass(frozen=True, eq=False, slots=True)
class MeanOver:
    """(batch, class, *space) to (batch, class)."""

    region: Tensor | None
    key: Key | None = None

    @property
    def description(self) -> str:
        """What is differentiated."""
        where = "all of the output" if self.region is None else f"{int(self.region.sum())} px of the output"
        return f"mean logit over {where}"

    @property
    def everywhere(self) -> Logits:
        """The same without the region, by which the target layer is chosen: it is one for all regions."""
        return MeanOver(None, self.key)

    def __call__(self, returned: Any) -> Tensor:
        """The classes' mean logits.

        Raises
        ------
        UnsupportedNetwork
            The network returns no map for each class.
        UnsuitableImage
            The mask is of another size.
        """
        maps = _entry(returned, self.key)
        if not isinstance(maps, Tensor) or maps.ndim not in {4, 5}:
            shape = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
            raise UnsupportedNetwork(
                f"The network returns {shape}, not (batch, class, *space); mean_over is for segmentations."
            )
        if self.region is None:
            return maps.flatten(2).mean(dim=2)
        if maps.shape[2:] != self.region.shape:
            raise UnsuitableImage(
                f"The mask has shape {tuple(self.region.shape)}, and the network's output "
                f"{tuple(maps.shape[2:])}; bring the mask to it, by nearest neighbour."
            )
        return maps.flatten(2)[:, :, self.region.flatten().to(maps.device)].mean(dim=2)


def box(
    bounds: Sequence[float], label: int, *, size: tuple[int, int] | None = None, overlap: float = 0.5
) -> "Box":
    """Of a detection: the log-odds that there is a box with this label at this place.

    Parameters
    ----------
    bounds
        (x0, y0, x1, y1) in pixels of the network's input: take those of a detection that the network made.
    label
        As the network counts its labels; in torchvision 0 is the background.
    size
        (rows, columns) of the input, for networks whose boxes are shares of it (DETR).
    overlap
        The least intersection over union of the box that is followed; below it the box is absent.
    """
    return Box((bounds[0], bounds[1], bounds[2], bounds[3]), label, size, overlap)


@dataclass(frozen=True, eq=False, slots=True)
class Box:
    """What a detector returns to (batch, 1): the detection nearest to one place, whatever its rank is.

    torchvision's detectors return a list of dicts with boxes, labels and scores, which are probabilities;
    DETR and its kin return logits (batch, query, class) and pred_boxes, centres and sizes from 0 to 1.
    """

    bounds: tuple[float, float, float, float]
    label: int
    size: tuple[int, int] | None = None
    overlap: float = 0.5

    @property
    def description(self) -> str:
        """What is differentiated."""
        return f"box {','.join(f'{bound:g}' for bound in self.bounds)} label {self.label}"

    def __call__(self, returned: Any) -> Tensor:
        """The box's log-odds, or its logit where the network returns logits: (batch, 1).

        Raises
        ------
        UnsupportedNetwork
            This is not what a detector returns.
        """
        if isinstance(returned, list | tuple) and returned and isinstance(returned[0], Mapping):
            return torch.stack([self._of_detections(image) for image in returned])[:, None]
        return self._of_queries(*_queries(returned))[:, None]

    def _of_detections(self, image: Mapping[str, Tensor]) -> Tensor:
        missing = [key for key in ("boxes", "labels", "scores") if key not in image]
        if missing:
            raise UnsupportedNetwork(
                f"The detections have no “{missing[0]}” (they have {', '.join(image)}); box() takes those of "
                "torchvision."
            )
        scores = image["scores"]
        shared = _shared_area(image["boxes"], self.bounds) * (image["labels"] == self.label)
        if not len(shared) or shared.max() < self.overlap:
            return scores.new_tensor(LEAST).logit() + 0 * scores.sum()  # still a number of this network's
        return torch.logit(scores[int(shared.argmax())], eps=LEAST)

    def _of_queries(self, logits: Tensor, boxes: Tensor) -> Tensor:
        if self.label >= logits.shape[2]:
            raise UnknownFinding(
                f"There is no label {self.label}; the network has {logits.shape[2]}, counted from 0."
            )
        if self.size is None:
            raise UnsupportedNetwork(
                "This network's boxes are shares of its input; say how large that is: box(…, size=(rows, "
                "columns))."
            )
        rows, columns = self.size
        half = boxes[..., 2:] / 2
        corners = torch.cat([boxes[..., :2] - half, boxes[..., :2] + half], dim=-1)
        scaled = corners * corners.new_tensor([columns, rows, columns, rows])
        nearest = _shared_area(scaled, self.bounds).argmax(dim=1)
        return logits[torch.arange(len(logits), device=logits.device), nearest, self.label]


def _entry(returned: Any, key: Key | None) -> Any:
    if key is None:
        return getattr(returned, "logits", returned)
    try:
        return returned[key]
    except (KeyError, IndexError, TypeError) as error:
        inside = f" with {', '.join(map(str, returned))}" if isinstance(returned, Mapping) else ""
        raise UnsupportedNetwork(
            f"The network returns a {type(returned).__name__}{inside}, without “{key}”; name another key."
        ) from error


def _queries(returned: Any) -> tuple[Tensor, Tensor]:
    """Logits (batch, query, class) and boxes (batch, query, 4) of DETR and its kin."""
    for names in (("logits", "pred_boxes"), ("pred_logits", "pred_boxes")):
        logits, boxes = (
            returned.get(name) if isinstance(returned, Mapping) else getattr(returned, name, None)
            for name in names
        )
        if isinstance(logits, Tensor) and isinstance(boxes, Tensor):
            return logits, boxes
    raise UnsupportedNetwork(
        f"The network returns a {type(returned).__name__}, neither detections (a list of dicts with boxes, "
        "labels, scores) nor logits with pred_boxes; write a function for logits=… that gives (batch, 1)."
    )


def _shared_area(boxes: Tensor, bounds: Sequence[float]) -> Tensor:
    """Intersection over union of boxes (…, 4: x0, y0, x1, y1) and one other: (…)."""
    boxes = boxes.detach()
    one = boxes.new_tensor(list(bounds))
    low, high = torch.maximum(boxes[..., :2], one[:2]), torch.minimum(boxes[..., 2:], one[2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = (boxes[..., 2:] - boxes[..., :2]).prod(dim=-1) + (one[2:] - one[:2]).prod()
    return shared / (areas - shared)
