"""A data set as DICOM JSON, what is large in it as addresses (PS3.18 F.2 and F.2.6)."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.retrieving.frames import DEFERRED_BYTES, PIXEL_DATA
from camlucida.errors import UnreadableFile

INLINE_BYTES = 1024  # larger values of these VRs are addresses
BULK = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
DEEPEST = 64  # sequences in sequences
PIXELS = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})

Address = Callable[[str], str]


def metadata(path: Path, address: Address) -> dict[str, Any]:
    """All elements of an instance but the file meta group; pixel data is always an address.

    `address` makes a BulkDataURI of a place in the data set: `7FE00010`, or `00089215/1/00420011` for what
    lies in the first item of a sequence. Values that break DICOM's rules are left out.

    Raises
    ------
    UnreadableFile
        The file is damaged.
    """
    with reading("The instance", []):
        return _described(open_dataset(path, defer=DEFERRED_BYTES), address, "", 0)


def bulk_data(path: Path, place: str) -> bytes:
    """The bytes that `metadata` gave an address for, little-endian.

    Raises
    ------
    UnreadableFile
        There is no such element, or it holds no bulk data.
    """
    with reading("The instance", []):
        dataset = open_dataset(path, defer=DEFERRED_BYTES)
        *steps, last = place.split("/")
        for tag, number in zip(steps[::2], steps[1::2], strict=True):
            items = _element(dataset, tag).value
            if not isinstance(items, Sequence) or not 1 <= int(number) <= len(items):
                raise UnreadableFile("there is no such bulk data in this instance.")
            dataset = items[int(number) - 1]
        value = _element(dataset, last).value
        if not isinstance(value, bytes):
            raise UnreadableFile("there is no such bulk data in this instance.")
        return value


def _element(dataset: Dataset, tag: str) -> DataElement:
    found = dataset.get(int(tag, 16))
    if not isinstance(found, DataElement):
        raise UnreadableFile("there is no such bulk data in this instance.")
    return found


def _described(dataset: Dataset, address: Address, place: str, depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        raise UnreadableFile(f"sequences lie in each other more than {DEEPEST} deep.")
    return dict(_elements(dataset, address, place, depth))


def _elements(
    dataset: Dataset, address: Address, place: str, depth: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    for tag in sorted(dataset.keys()):
        name = f"{tag:08X}"
        if tag.element == 0 or tag.group <= 2:  # group lengths mean nothing in JSON
            continue
        raw: Any = dataset.get_item(tag, keep_deferred=True)
        if isinstance(raw, RawDataElement) and (tag in PIXELS or _is_large(raw)):
            yield name, {"vr": _vr(raw), "BulkDataURI": address(place + name)}
            continue
        try:
            element = dataset[tag]
            if element.VR == "SQ":
                items = [
                    _described(item, address, f"{place}{name}/{number}/", depth + 1)
                    for number, item in enumerate(element.value, 1)
                ]
                yield name, {"vr": "SQ", **({"Value": items} if items else {})}
            else:
                yield name, _value(element, address, place + name)
        except UnreadableFile:
            raise
        except Exception:  # noqa: BLE001, S112 - a value that breaks the rules has no JSON; the file keeps it
            continue


def _value(element: DataElement, address: Address, place: str) -> dict[str, Any]:
    if element.VR in BULK and isinstance(element.value, bytes) and len(element.value) > INLINE_BYTES:
        return {"vr": element.VR, "BulkDataURI": address(place)}
    described = element.to_json_dict(None, INLINE_BYTES)
    if element.VR in ("FL", "FD", "DS") and "Value" in described:
        described["Value"] = [_number(one) for one in described["Value"]]
    if element.tag == 0x00080005:
        described["Value"] = ["ISO_IR 192"]  # what JSON is written in
    return described


def _number(value: Any) -> Any:
    """PS3.18 F.2.3: what is no number stands as a word."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _is_large(raw: RawDataElement) -> bool:
    return raw.value is None and raw.length > 0 and _vr(raw) in BULK


def _vr(raw: RawDataElement) -> str:
    """The VR of the file; of the dictionary where the file names none, or UN (PS3.5 6.2.2 note 2)."""
    if raw.VR not in (None, "UN"):
        return str(raw.VR)
    try:
        found = dictionary_VR(raw.tag)
    except KeyError:
        return "UN"
    return "OW" if found == "OB or OW" else found
