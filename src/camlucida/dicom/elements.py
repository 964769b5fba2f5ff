"""Reads single data elements as plain Python values, and says which element is wrong when one is.

pydicom converts values when they are looked at, and a damaged value raises whatever the conversion raises.
Everything in this folder looks at data elements through these functions only.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence

from camlucida.errors import UnreadableFile

LARGEST = 1e12  # no physical quantity in an image is larger; beyond it float32 arithmetic would overflow


def naming(keyword: str) -> str:
    """The element's name and tag as the standard writes them: `Rows (0028,0010)`."""
    tag = tag_for_keyword(keyword) or 0
    return f"{dictionary_description(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def value(dataset: Dataset, keyword: str) -> Any:
    """The element's value as pydicom converts it, None where it is missing or empty.

    Raises
    ------
    UnreadableFile
        The value cannot be converted.
    """
    try:
        element = dataset.get(tag_for_keyword(keyword) or 0)
        found = None if element is None else element.value
    except Exception:  # noqa: BLE001 - a conversion of a hostile value may raise anything
        raise UnreadableFile(f"{naming(keyword)} has a damaged value.") from None
    if found is None or (isinstance(found, str | bytes | MultiValue | Sequence) and len(found) == 0):
        return None
    return found


def values(dataset: Dataset, keyword: str) -> list[Any]:
    """All values of a multi-valued element; an empty list where it is missing."""
    found = value(dataset, keyword)
    if found is None:
        return []
    return list(found) if isinstance(found, MultiValue | list | tuple) else [found]


def numbers(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """All values as finite numbers; an empty tuple where the element is missing.

    Raises
    ------
    UnreadableFile
        A value is not a finite number below 1e12.
    """
    try:
        found = tuple(float(one) for one in values(dataset, keyword))
    except (TypeError, ValueError, OverflowError):
        raise UnreadableFile(f"{naming(keyword)} is not a number.") from None
    if not all(math.isfinite(one) and abs(one) <= LARGEST for one in found):
        raise UnreadableFile(f"{naming(keyword)} is not a finite number below 1e12.")
    return found


def number(dataset: Dataset, keyword: str) -> float | None:
    """The single value as a finite number; None where the element is missing.

    Raises
    ------
    UnreadableFile
        There are several values, or one that is not a number.
    """
    found = numbers(dataset, keyword)
    if len(found) > 1:
        raise UnreadableFile(f"{naming(keyword)} has {len(found)} values where one is expected.")
    return found[0] if found else None


def integer(dataset: Dataset, keyword: str) -> int | None:
    """The single value as a whole number; None where the element is missing.

    Raises
    ------
    UnreadableFile
        The value is not a whole number.
    """
    found = number(dataset, keyword)
    if found is not None and found != int(found):
        raise UnreadableFile(f"{naming(keyword)} is not a whole number.")
    return None if found is None else int(found)


def text(dataset: Dataset, keyword: str) -> str:
    """The value as text without surrounding blanks and zero bytes; several values joined by a backslash.

    A damaged text is an empty one: no text decides about pixels.
    """
    try:
        return "\\".join(str(one) for one in values(dataset, keyword)).replace("\0", "").strip()
    except Exception:  # noqa: BLE001 - undecodable characters may raise anything, and text is never needed
        return ""


def item(dataset: Dataset | None, keyword: str, index: int = 0) -> Dataset | None:
    """One item of a sequence; None where there is none."""
    found = items(dataset, keyword)
    return found[index] if index < len(found) else None


def items(dataset: Dataset | None, keyword: str) -> list[Dataset]:
    """The items of a sequence; an empty list where there is none, or where the element is no sequence."""
    found = None if dataset is None else value(dataset, keyword)
    return list(found) if isinstance(found, Sequence) else []


def words(dataset: Dataset, keyword: str, count: int, order: str = "<") -> NDArray[np.int64]:
    """The unsigned numbers of a look-up table's data, whether kept as bytes (OW, OB) or as numbers (US).

    Bytes hold entries of 8 bit if they are too few for `count` entries of 16 bit (PS3.3 C.7.6.3.1.6);
    `order` is "<" or ">", the byte order of the file.

    Raises
    ------
    UnreadableFile
        The element is missing or holds no numbers.
    """
    found = value(dataset, keyword)
    if found is None:
        raise UnreadableFile(f"{naming(keyword)} is missing.")
    if isinstance(found, bytes | bytearray):
        width = np.dtype("u1" if len(found) < 2 * count else order + "u2")
        return np.frombuffer(found, width, len(found) // width.itemsize).astype(np.int64)
    try:
        return np.asarray(values(dataset, keyword), np.int64) & 0xFFFF
    except (TypeError, ValueError, OverflowError):
        raise UnreadableFile(f"{naming(keyword)} holds something that is not a number.") from None
