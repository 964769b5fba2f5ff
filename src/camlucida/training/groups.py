"""Groups of a shortcut: label × artefact, and each made to count as much as the others.

A network that reads the artefact is right in the large groups and wrong in the small ones.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.data import WeightedRandomSampler

from camlucida.errors import InputError


def group_numbers(*columns: Sequence[object] | Tensor) -> tuple[Tensor, tuple[tuple[object, ...], ...]]:
    """Which group each image is in, (n,) int64, and what the groups are: a value of each column, in order.

    >>> group_numbers([0, 0, 1], [True, False, False])[1]
    ((0, False), (0, True), (1, False))

    Raises
    ------
    InputError
        No column is given, or they have different lengths.
    """
    values = [column.tolist() if isinstance(column, Tensor) else list(column) for column in columns]
    lengths = sorted({len(column) for column in values})
    if len(lengths) != 1:
        raise InputError(f"The columns of groups have {lengths or 'no'} rows; give some of one length.")
    rows = list(zip(*values, strict=True))
    names = tuple(sorted(set(rows), key=lambda row: tuple(map(str, row))))
    numbers = {name: number for number, name in enumerate(names)}
    return torch.tensor([numbers[row] for row in rows]), names


def group_weights(groups: Tensor) -> Tensor:
    """A weight for each image (n,), so that all groups weigh the same together; their mean is 1.

    n / (number of groups · size of the group). For a loss of one value an image: `(weights * losses).mean()`.
    """
    _, place, counts = torch.unique(groups, return_inverse=True, return_counts=True)
    weights: Tensor = len(groups) / (len(counts) * counts[place].float())
    return weights


def group_sampler(groups: Tensor, *, seed: int = 0, count: int | None = None) -> WeightedRandomSampler:
    """Draws images for a DataLoader so that every group comes equally often; with replacement.

    `groups` (n,) are those of the training set, in its order; an epoch has `count` images, n if None.
    """
    generator = torch.Generator().manual_seed(seed)
    return WeightedRandomSampler(
        group_weights(groups).tolist(), count or len(groups), replacement=True, generator=generator
    )
