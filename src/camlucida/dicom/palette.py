"""PALETTE COLOR to RGB: look-up tables, plain and segmented (DICOM PS3.3 C.7.6.3.1.5 and C.7.9)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from camlucida.dicom import elements
from camlucida.errors import UnreadableFile

CHANNELS = ("Red", "Green", "Blue")
MOST_ENTRIES = 65536
DISCRETE, LINEAR, INDIRECT = 0, 1, 2


def to_rgb(indices: NDArray[np.integer], dataset: Dataset, order: str) -> NDArray[np.uint8]:
    """RGB uint8 of shape (*indices.shape, 3); indices outside a table take its first or last entry.

    `order` is "<" or ">", the byte order of the file.

    Raises
    ------
    UnreadableFile
        A table is missing or damaged.
    """
    tables = [_table(dataset, channel, order) for channel in CHANNELS]
    shift = 8 if max(int(table.max()) for _, table in tables) > 255 else 0  # some 16-bit tables use 8 bits
    rgb = np.empty((*indices.shape, 3), np.uint8)
    for channel, (first, table) in enumerate(tables):
        entries = np.clip(indices.astype(np.int64) - first, 0, len(table) - 1)
        rgb[..., channel] = (table >> shift).astype(np.uint8)[entries]
    return rgb


def _table(dataset: Dataset, channel: str, order: str) -> tuple[int, NDArray[np.int64]]:
    """The first index that the table maps, and the table."""
    keyword = f"{channel}PaletteColorLookupTableDescriptor"
    descriptor = elements.numbers(dataset, keyword)
    if len(descriptor) != 3 or descriptor[2] not in (8, 16):
        raise UnreadableFile(f"{elements.naming(keyword)} is missing or damaged, so the colours are unknown.")
    count, first = int(descriptor[0]) % MOST_ENTRIES or MOST_ENTRIES, int(descriptor[1])
    segmented = f"Segmented{channel}PaletteColorLookupTableData"
    if segmented in dataset:
        words = elements.words(dataset, segmented, MOST_ENTRIES if descriptor[2] == 8 else 0, order)
        table = expand(words.tolist(), wide=descriptor[2] == 16)
    else:
        table = elements.words(dataset, f"{channel}PaletteColorLookupTableData", count, order)
    if len(table) < count:
        raise UnreadableFile(
            f"The {channel.lower()} palette has {len(table)} entries where {count} are declared."
        )
    return first, table[:count]


def expand(data: Sequence[int], *, wide: bool) -> NDArray[np.int64]:
    """Expand segmented look-up table data (PS3.3 C.7.9.2), at most 65,536 entries.

    `data` are the entries: of 16 bit if `wide`, otherwise of 8 bit.

    Raises
    ------
    UnreadableFile
        An unknown segment, one that begins with nothing to continue from, or too many entries.
    """
    table: list[int] = []
    position = 0
    while position + 2 < len(data):
        if data[position] == INDIRECT:
            start = _indirect_offset(data[position + 2 :], wide=wide)
            _run(data, start, data[position + 1], table)
            position += 4 if wide else 6
        else:
            position = _segment(data, position, table)
        if len(table) > MOST_ENTRIES:
            raise UnreadableFile("A segmented palette expands to more than 65,536 entries.")
    return np.asarray(table, np.int64)


def _run(data: Sequence[int], position: int, count: int, table: list[int]) -> None:
    """Append `count` segments from `position`; an indirect segment may not point at another (C.7.9.2.3)."""
    for _ in range(count):
        if position + 2 >= len(data) or len(table) > MOST_ENTRIES:
            raise UnreadableFile("A segmented palette points outside itself.")
        position = _segment(data, position, table)


def _segment(data: Sequence[int], position: int, table: list[int]) -> int:
    """Append one discrete or linear segment; return the place behind it."""
    kind, length = data[position], data[position + 1]
    if kind == DISCRETE:
        table.extend(data[position + 2 : position + 2 + length])
        return position + 2 + length
    if kind == LINEAR and table:
        steps = np.linspace(table[-1], data[position + 2], length + 1)[1:]
        table.extend(np.rint(steps).astype(int).tolist())
        return position + 3
    raise UnreadableFile("A segmented palette holds a segment that the standard does not know.")


def _indirect_offset(words: Sequence[int], *, wide: bool) -> int:
    """The place, in entries, that an indirect segment points at: its least significant word comes first."""
    if len(words) < (2 if wide else 4):
        raise UnreadableFile("A segmented palette is cut off.")
    if wide:
        return words[0] | words[1] << 16
    return words[0] | words[1] << 8 | words[2] << 16 | words[3] << 24
