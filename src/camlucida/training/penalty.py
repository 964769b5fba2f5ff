"""Losses that ask for evidence to lie elsewhere. A cleaner map is no proof of a cured network.

A penalty inside the tight mask of a marker took the marker's share of the map from 23 % to 0 %, while the
marker kept 2.5 of its 3.0 logits: the neighbouring cells see it too. Widen the region by the overhang, and
let `camlucida certify-repair` ask the network itself.
"""

import torch
from torch import Tensor
from torch.nn import functional

from camlucida.errors import InputError
from camlucida.training.regions import Reach, Regions, on_cells, stacked


def region_penalty(maps: Tensor, regions: Regions, images: Tensor, *, overhang: Reach = 0) -> Tensor:
    """How many logits, for and against, come from where evidence must not come from: a scalar, in logits.

    The sum over a region's cells of |evidence|, its mean over all findings and images that have a region.
    Both signs count, cell by cell: evidence for in one cell does not pay for evidence against in the next.
    A batch without any region costs nothing.

    Parameters
    ----------
    maps
        Signed maps (batch, finding, *grid) with their graph, from `LiveEvidence`.
    regions
        Where evidence must not lie. To keep it inside an organ, give all that is outside of it.
    images
        What the network was given: (batch, channel, *space).
    overhang
        Pixels that a cell sees beyond its tile (`camlucida.models.receptive_field.overhang`): all cells that
        see something of the region then count in full. 0: each cell by the share of its tile in the region,
        which lets the neighbours go on reading the marker.

    Raises
    ------
    InputError
        The regions do not fit the images, or the findings.
    """
    masks = stacked(regions, images)
    if masks.shape[1] not in {1, maps.shape[1]}:
        raise InputError(
            f"There are regions for {masks.shape[1]} findings and maps of {maps.shape[1]}; give one region "
            "for all findings, or one for each."
        )
    cells = on_cells(masks, maps.shape[2:], overhang).to(maps)
    logits = (cells * maps.abs()).flatten(2).sum(dim=2)
    present = cells.flatten(2).any(dim=2).expand_as(logits)
    return (logits * present).sum() / present.sum().clamp(min=1)


def right_reasons(logits: Tensor, images: Tensor, regions: Regions, *, softmax: bool = False) -> Tensor:
    """Right for the right reasons: squared input gradients where the answer must not come from, a scalar.

    Sum over the pixels of (A · d/dx sum_k log p_k)^2 (Ross, Hughes and Doshi-Velez, IJCAI 2017, eq. 1), its
    mean over the images that have a region. For findings with a sigmoid the two classes are the finding and
    its absence. It takes a second derivative of the whole network: about three times the time of a plain
    step. Where all p are one half it is blind: log p and log(1 - p) then cancel.

    Parameters
    ----------
    logits
        (batch, finding), of a forward pass of the images.
    images
        (batch, channel, *space), which must ask for gradients: `images.requires_grad_()` before the pass.
    regions
        Where the answer must not come from; one mask for all findings.
    softmax
        The findings exclude each other.

    Raises
    ------
    InputError
        The images ask for no gradients, or the regions do not fit them.
    """
    if not images.requires_grad:
        raise InputError(
            "The images ask for no gradients; call images.requires_grad_() before the network is run on them."
        )
    masks = stacked(regions, images)
    if masks.shape[1] != 1:
        raise InputError(
            f"There are regions for {masks.shape[1]} findings; these gradients are of all findings together, "
            "so give one region an image."
        )
    log = functional.log_softmax(logits, dim=1) if softmax else _log_both(logits)
    (gradients,) = torch.autograd.grad(log.sum(), images, create_graph=True)
    squared = (masks.to(images) * gradients).square().flatten(1).sum(dim=1)
    return squared.sum() / masks.flatten(1).any(dim=1).sum().clamp(min=1)


def _log_both(logits: Tensor) -> Tensor:
    """Of the finding and of its absence, log p and log(1 - p)."""
    return functional.logsigmoid(logits) + functional.logsigmoid(-logits)
