"""Regions of images on the cells of a map: as they are, or with all cells that see something of them."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from camlucida.errors import InputError

Regions: TypeAlias = Tensor | Sequence[Tensor | None]
"""One mask an image: a tensor (batch, *space) or (batch, 1 or finding, *space), or a list with None for the
images that have none. True or 1 inside; all zero means none, too."""

Reach: TypeAlias = int | Sequence[int]
"""Pixels of the input, for all axes of space or one by one."""

_POOL: dict[int, Callable[..., Tensor]] = {
    2: functional.adaptive_avg_pool2d,
    3: functional.adaptive_avg_pool3d,
}
_WIDEN: dict[int, Callable[..., Tensor]] = {2: functional.max_pool2d, 3: functional.max_pool3d}


def stacked(regions: Regions, images: Tensor) -> Tensor:
    """Regions as one tensor (batch, 1 or finding, *space), 0..1, empty where there is none.

    Raises
    ------
    InputError
        There are more or fewer masks than images, or one has another shape than its image.
    """
    if not isinstance(regions, Tensor):
        regions = _joined(regions, images)
    axes = images.ndim - 2
    if regions.ndim == axes + 1:
        regions = regions[:, None]
    if len(regions) != len(images) or regions.shape[2:] != images.shape[2:]:
        raise InputError(
            f"The regions have shape {tuple(regions.shape)} and the images {tuple(images.shape)}; a region "
            "is a mask of its image as the network takes it, (batch, *space) or (batch, finding, *space)."
        )
    return regions.to(images.device, torch.float32)


def on_cells(regions: Tensor, grid: Sequence[int], overhang: Reach = 0) -> Tensor:
    """How much of each cell is meant: regions (batch, n, *space) to (batch, n, *grid), 0..1.

    Without overhang it is the share of the cell's own tile that lies in the region. With it, every cell that
    sees something of the region counts in full: whose tile, wider by so many pixels on each side, touches it.
    """
    axes = len(grid)
    reach = [overhang] * axes if isinstance(overhang, int) else list(overhang)
    if not any(reach):
        return _POOL[axes](regions, list(grid))
    return (_POOL[axes](_widened(regions, reach), list(grid)) > 0).to(regions.dtype)


def _widened(regions: Tensor, reach: Sequence[int]) -> Tensor:
    """A maximum over all pixels within reach, axis by axis."""
    for axis, (pixels, size) in enumerate(zip(reach, regions.shape[2:], strict=True)):
        if pixels:
            near = min(pixels, size - 1)
            width = [2 * near + 1 if other == axis else 1 for other in range(len(reach))]
            regions = _WIDEN[len(reach)](regions, width, 1, [side // 2 for side in width])
    return regions


def _joined(regions: Sequence[Tensor | None], images: Tensor) -> Tensor:
    given = [region for region in regions if region is not None]
    shape = given[0].shape if given else images.shape[2:]
    if any(region.shape != shape for region in given):
        shapes = ", ".join(sorted({str(tuple(region.shape)) for region in given}))
        raise InputError(f"The regions of one batch have different shapes ({shapes}); make them alike.")
    empty = torch.zeros(shape, device=images.device)
    return torch.stack([empty if region is None else region.to(empty) for region in regions])
