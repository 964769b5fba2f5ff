"""The windows and VOI LUTs that a file brings (PS3.3 C.11.2). They change what is seen, never the map."""

import numpy as np
from pydicom.dataset import Dataset

from camlucida.dicom import elements
from camlucida.errors import UnreadableFile
from camlucida.records import VoiLut, VoiLutFunction, Window

MOST_ENTRIES = 65536


def read_windows(view: Dataset, notes: list[str]) -> tuple[Window, ...]:
    """All usable windows of a frame, in the order of the file, in modality values.

    A damaged or impossible window is left out with a note: the image can be shown without it.
    """
    try:
        centers = elements.numbers(view, "WindowCenter")
        widths = elements.numbers(view, "WindowWidth")
    except UnreadableFile as error:
        notes.append(f"{error} The windows of the file are left out.")
        return ()
    if len(centers) != len(widths):
        notes.append(f"The file has {len(centers)} window centers but {len(widths)} window widths.")
    function = _function(view, notes)
    explanations = [str(one).strip() for one in elements.values(view, "WindowCenterWidthExplanation")]
    explanations += [""] * len(centers)
    found = [
        Window(center, width, function, explanation)
        for center, width, explanation in zip(centers, widths, explanations, strict=False)
    ]
    usable = tuple(window for window in found if _possible(window))
    if len(usable) < len(found):
        notes.append(f"{len(found) - len(usable)} window(s) of the file have an impossible width; left out.")
    return usable


def _possible(window: Window) -> bool:
    """PS3.3 C.11.2.1.2 and C.11.2.1.3: width at least 1 for LINEAR, above 0 for the others."""
    return window.width >= 1 if window.function is VoiLutFunction.LINEAR else window.width > 0


def _function(view: Dataset, notes: list[str]) -> VoiLutFunction:
    name = elements.text(view, "VOILUTFunction").upper()
    if name and name not in set(VoiLutFunction):
        notes.append("VOI LUT Function (0028,1056) has an unknown value; LINEAR is used.")
    return VoiLutFunction(name) if name in set(VoiLutFunction) else VoiLutFunction.LINEAR


def read_voi_luts(view: Dataset, order: str, notes: list[str]) -> tuple[VoiLut, ...]:
    """All usable VOI LUTs of a frame. A damaged one is left out with a note."""
    found = []
    try:
        sequence = elements.items(view, "VOILUTSequence")
    except UnreadableFile as error:
        notes.append(f"{error} The VOI LUTs of the file are left out.")
        return ()
    for item in sequence:
        try:
            found.append(_voi_lut(item, order))
        except UnreadableFile as error:
            notes.append(f"{error} This VOI LUT is left out.")
    return tuple(found)


def _voi_lut(item: Dataset, order: str) -> VoiLut:
    first, table, bits = read_table(item, order)
    return VoiLut(first, table, bits, elements.text(item, "LUTExplanation"))


def read_table(item: Dataset, order: str) -> tuple[int, np.ndarray, int]:
    """First value mapped, table (uint16) and bits of an item with LUT Descriptor and LUT Data.

    PS3.3 C.11.1.1 and C.11.2.1.1: 0 entries mean 65,536. The first value mapped is signed or not as the
    values that it maps; pydicom decides that by Pixel Representation.

    Raises
    ------
    UnreadableFile
        The table is missing or damaged.
    """
    descriptor = elements.numbers(item, "LUTDescriptor")
    if len(descriptor) != 3 or not 8 <= descriptor[2] <= 16:
        raise UnreadableFile("LUT Descriptor (0028,3002) is missing or damaged.")
    count, bits = int(descriptor[0]) % MOST_ENTRIES or MOST_ENTRIES, int(descriptor[2])
    table = elements.words(item, "LUTData", count, order)
    if len(table) < count:
        raise UnreadableFile(f"LUT Data (0028,3006) has {len(table)} entries where {count} are declared.")
    return int(descriptor[1]), table[:count].astype(np.uint16), bits
