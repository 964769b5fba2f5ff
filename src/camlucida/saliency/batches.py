"""Many passes of a network, a few at a time: as many as fit into bounded memory."""

from collections.abc import Iterator


def batches(count: int, each: int, limit: int, most: int | None = None) -> Iterator[range]:
    """The numbers 0 to count - 1 in runs of at most `limit` values, where one takes `each`; of one at least.

    `most` bounds a run's length, too, where more at a time are no faster.
    """
    fitting = max(1, limit // each)
    size = fitting if most is None else min(most, fitting)
    return (range(start, min(start + size, count)) for start in range(0, count, size))
