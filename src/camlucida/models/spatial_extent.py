"""Which tensors of a forward pass have spatial extent, and how the grid lies in them.

A shape alone does not tell: (1, 4, 16, 16) may be 4 channels of 16 × 16 cells, or the attention of 4 heads
between 16 tokens. So the grid is followed from the image through every function. A convolution or a pool
makes a new grid of a tensor that lies channels first; other functions hand on what they are given, shown
where the shape fits it: as it was, shrunk by the same factor along all axes (patches, merged tokens), or in
a row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod

from torch import Tensor

from camlucida.models.layout import Layout, Order

Grid = tuple[int, ...]

_MAKERS = ("conv", "max_pool", "avg_pool", "adaptive_", "fractional_max_pool", "lp_pool", "interpolate",
           "upsample", "pixel_", "grid_sample", "max_unpool")  # fmt: skip
_JOINS = ("cat", "concat", "concatenate")
_MOVES = (
    "reshape",
    "view",
    "flatten",
    "permute",
    "transpose",
    "contiguous",
    "clone",
    "unflatten",
    "rearrange",
)
_TURNS = ("permute", "transpose", "swapaxes", "movedim", "moveaxis", "swapdims", "__get__", "t")
_TOKEN_AXES = {Order.TOKENS: 1, Order.TOKENS_LAST: 2, Order.TOKENS_FIRST: 0}
_BATCH_AXES = {Order.TOKENS: 0, Order.TOKENS_LAST: 0, Order.TOKENS_FIRST: 1}


@dataclass(frozen=True, slots=True)
class Extent:
    """What is known of a tensor: the grids that its ancestors had, the latest first, and how it lies itself.

    `prefixes` are how many tokens stood before those of the grid in its ancestors. `layout` is None where the
    tensor shows none of the grids (pooled, cut into windows, split by heads).
    """

    grids: tuple[Grid, ...]
    layout: Layout | None = None
    prefixes: frozenset[int] = frozenset({0})

    @property
    def is_map(self) -> bool:
        """Whether there is more than one cell."""
        return self.layout is not None and prod(self.layout.grid) > 1


def of_input(example: Tensor) -> Extent:
    """The image itself: (batch, channel, *space)."""
    grid = tuple(example.shape[2:])
    return Extent((grid,), Layout(Order.CHANNELS_FIRST, grid))


@dataclass(frozen=True, slots=True)
class Given:
    """A tensor that a function was given; `extent` is None for one that does not come from the image."""

    extent: Extent | None
    shape: Grid


def follow(function: str, given: Sequence[Given], shape: Grid) -> Extent | None:
    """The extent of a function's result of this shape; None where nothing comes from the image."""
    parents = [one.extent for one in given if one.extent]
    if not parents:
        return None
    if function.startswith(_MAKERS) and _is_channels_first(parents[0]) and len(shape) == len(given[0].shape):
        return Extent((shape[2:],), Layout(Order.CHANNELS_FIRST, shape[2:]))
    if function in _JOINS and len(shape) == 3 and (axis := _lengthened(given, shape)) is not None:
        return _joined(given, shape, axis)
    grids = tuple(dict.fromkeys(grid for parent in parents for grid in parent.grids))
    prefixes = frozenset().union(*(parent.prefixes for parent in parents))
    layout = next(_layouts(function, parents, shape, grids), None)
    return Extent(grids if layout is None else (layout.grid,), layout, prefixes)


def _is_channels_first(extent: Extent) -> bool:
    return extent.layout is not None and extent.layout.order is Order.CHANNELS_FIRST


def _layouts(
    function: str, parents: Sequence[Extent], shape: Grid, grids: tuple[Grid, ...]
) -> Iterator[Layout]:
    """The ways in which a shape shows one of the grids, the likeliest first."""
    if 0 in shape or (shape[:1] != (1,) and shape[1:2] != (1,)):  # no batch of one any more: windows, say
        return
    order = _order_after(function, parents)
    for grid in grids:
        if len(shape) == len(grid) + 2:
            yield from _by_order(order, _as_cells(shape, grid))
        if len(shape) == 3:
            yield from _by_order(order, _as_tokens(shape, grid, parents))
    for grid in grids:
        if function not in _MOVES:
            continue
        if len(shape) == len(grid) + 2:
            yield from _by_order(order, _as_merged_cells(shape, grid))
        if len(shape) == 3:
            yield from _by_order(order, _as_patches(shape, grid))


def _order_after(function: str, parents: Sequence[Extent]) -> Order | None:
    """How the result is likely to lie where its shape fits two orders."""
    orders = [parent.layout.order for parent in parents if parent.layout]
    if not orders:
        return None
    turned = {
        Order.CHANNELS_FIRST: Order.CHANNELS_LAST,
        Order.CHANNELS_LAST: Order.CHANNELS_FIRST,
        Order.TOKENS: Order.TOKENS_LAST,
        Order.TOKENS_LAST: Order.TOKENS,
        Order.TOKENS_FIRST: Order.TOKENS,
    }
    flat = {Order.CHANNELS_FIRST: Order.TOKENS_LAST, Order.CHANNELS_LAST: Order.TOKENS}
    return turned[orders[0]] if function in _TURNS else flat.get(orders[0], orders[0])


def _by_order(likely: Order | None, layouts: Iterator[Layout]) -> list[Layout]:
    # Cells that stay cells keep their order too: TOKENS_LAST is to tokens what channels first is to cells.
    alike = {Order.TOKENS_LAST: Order.CHANNELS_FIRST, Order.TOKENS: Order.CHANNELS_LAST}
    wanted = {likely, alike.get(likely)} if likely else set()
    return sorted(layouts, key=lambda layout: layout.order not in wanted)


def _as_cells(shape: Grid, grid: Grid) -> Iterator[Layout]:
    if shape[0] != 1:
        return
    if shape[2:] == grid or prod(shape[2:]) == 1:  # one cell: what a pool leaves
        yield Layout(Order.CHANNELS_FIRST, shape[2:])
    if shape[1:-1] == grid:
        yield Layout(Order.CHANNELS_LAST, grid)


def _as_merged_cells(shape: Grid, grid: Grid) -> Iterator[Layout]:
    """Every second cell along each axis, say, as Swin merges its patches."""
    if shape[0] != 1:
        return
    for order, cells in ((Order.CHANNELS_FIRST, shape[2:]), (Order.CHANNELS_LAST, shape[1:-1])):
        step = max(1, *(round(many / few) for few, many in zip(cells, grid, strict=True)))
        steps = {1, step} if len(grid) == 3 else {step}  # 3D networks often keep their slices
        fits = all(
            few in {ceil(many / each) for each in steps} for few, many in zip(cells, grid, strict=True)
        )
        if fits and step > 1 and prod(cells) > 1:
            yield Layout(order, cells)


def _as_tokens(shape: Grid, grid: Grid, parents: Sequence[Extent]) -> Iterator[Layout]:
    """As many tokens as cells, or as many more as stood before them already."""
    prefixes = frozenset().union(*(parent.prefixes for parent in parents))
    for order, axis in _TOKEN_AXES.items():
        layout = Layout(order, grid, shape[axis] - prod(grid))
        if shape[_BATCH_AXES[order]] == 1 and layout.prefix in prefixes and layout.channels(shape) > 1:
            yield layout


def _as_patches(shape: Grid, grid: Grid) -> Iterator[Layout]:
    """An image that was cut into square patches without a convolution, a token each."""
    for order in (Order.TOKENS, Order.TOKENS_LAST) if shape[0] == 1 else ():
        count = shape[_TOKEN_AXES[order]]
        side = round((prod(grid) / count) ** (1 / len(grid)))
        patches = tuple(ceil(cells / side) for cells in grid) if side > 1 else ()
        if prod(patches) == count > 1:
            yield Layout(order, patches)


def proportional(cells: Grid, grid: Grid) -> bool:
    """Whether there are several cells, fewer than the grid's by about the same factor along every axis."""
    pairs = list(zip(cells, grid, strict=True))
    if not all(few <= many + 1 for few, many in pairs) or prod(cells) < 2:
        return False
    # Padding and rounding may win or lose a cell, so a stride is known only between two bounds.
    lowest = max(many / (few + 1) for few, many in pairs)
    highest = min(many / max(few - 1, 0.5) for few, many in pairs)
    anisotropy = 1 if len(pairs) == 2 else 32  # 3D networks often keep more slices than rows
    return lowest <= highest * anisotropy


def _lengthened(given: Sequence[Given], shape: Grid) -> int | None:
    """The token axis, if tokens were joined along it."""
    for one in given:
        if one.extent and one.extent.layout and one.extent.layout.order in _TOKEN_AXES:
            axis = _TOKEN_AXES[one.extent.layout.order]
            return axis if one.shape[axis] < shape[axis] else None
    return None


def _joined(given: Sequence[Given], shape: Grid, axis: int) -> Extent:
    """Tokens joined to others: those before the grid's are its prefix, if they do not come from the image.

    Attention pooling joins a token that is the mean of the others; what it says of the image would be missing
    from a map of the others, so no tensor shows a grid from there on.
    """
    place, extent = next((number, one.extent) for number, one in enumerate(given) if one.extent)
    layout = extent.layout
    if layout is None:
        return Extent(())
    prefix = layout.prefix + sum(one.shape[axis] for one in given[:place])
    if prefix + prod(layout.grid) != shape[axis]:  # tokens behind the grid's
        return Extent(())
    return Extent((layout.grid,), replace(layout, prefix=prefix), frozenset({0, prefix}))
