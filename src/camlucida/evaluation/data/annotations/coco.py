"""COCO's JSON: boxes, polygons and run lengths (https://cocodataset.org/#format-data)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import FileTooLarge, InputError, UnreadableFile
from camlucida.evaluation.data.annotations.gallery import Gallery
from camlucida.evaluation.data.annotations.marks import BoxMark, PolygonMark, Size, resized
from camlucida.evaluation.data.case import Mark
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.evaluation.data.told import Told
from camlucida.records import Annotation, AnnotationKind, Image
from camlucida.settings import settings

MOST_BYTES = 512 * 2**20
MOST_POINTS = 100_000  # of one polygon


@dataclass(frozen=True, slots=True)
class RunLengthMark(Mark):
    """A mask as lengths of runs down its columns, 0 and 1 in turn, 0 first; `shape` is (row, column)."""

    counts: tuple[int, ...]
    shape: tuple[int, int]

    def on(self, image: Image) -> Annotation:
        """The mask, nearest pixels where the image has another size.

        Raises
        ------
        InputError
            The image has other proportions, or is a volume.
        """
        if len(image.space) != 2:
            raise InputError("the image is a volume, and COCO's run lengths are of single images.")
        inside = resized(unpacked(self.counts, self.shape), image.space)
        return Annotation(self.finding, AnnotationKind.MASK, inside)


def unpacked(counts: Sequence[int], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Run lengths as a mask (row, column)."""
    values = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return values.reshape(shape[::-1]).T


def read(path: Path, gallery: Gallery, vocabulary: Vocabulary, told: Told) -> Iterator[tuple[int, Mark]]:
    """The marks of a COCO file: of each annotation its segmentation, or else its box.

    Raises
    ------
    UnreadableFile, FileTooLarge
        It is no JSON, has not COCO's lists, or has more than 512 MB.
    """
    content = _content(path)
    images = {_key(one.get("id")): one for one in _rows(content, "images")}
    names = {_key(one.get("id")): str(one.get("name", "")) for one in _rows(content, "categories")}
    for annotation in _rows(content, "annotations"):
        which = f"annotation {annotation.get('id', '?')!s:.20}"
        image = images.get(_key(annotation.get("image_id")), {})
        number = gallery.named(str(image.get("file_name", "")))
        word = names.get(_key(annotation.get("category_id")), "")
        finding = vocabulary.finding(word)
        if number is None:
            told.note(f"{path.name}: marks on images that are not in the data", which)
        elif finding is None:
            told.note(f"{path.name}: marks of what is no finding of the model (“{word:.40}”)", which)
        else:
            try:
                yield number, _mark(finding, annotation, image)
            except (InputError, ValueError, TypeError, KeyError, OverflowError):
                told.note(f"{path.name}: neither a box, nor polygons, nor run lengths of its image", which)


def _content(path: Path) -> Mapping[str, Any]:
    if path.stat().st_size > MOST_BYTES:
        raise FileTooLarge(f"{path.name} has more than {MOST_BYTES} bytes; cut it in parts.")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise UnreadableFile(f"{path.name} is no JSON.") from error
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise UnreadableFile(f"{path.name} is not COCO's JSON: it has no list of annotations.")
    return content


def _rows(content: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    rows = content.get(name)
    return [one for one in rows if isinstance(one, dict)] if isinstance(rows, list) else []


def _key(value: object) -> object:
    """An identifier as a dictionary takes it; what a hostile file has in its place is none."""
    return value if isinstance(value, int | str) else None


def _mark(finding: str, annotation: Mapping[str, Any], image: Mapping[str, Any]) -> Mark:
    size = _size(image)
    outline = annotation.get("segmentation")
    if isinstance(outline, dict):
        return _run_lengths(finding, outline)
    if outline:
        return PolygonMark(finding, tuple(_polygon(one) for one in outline), size)
    x, y, width, height = (float(number) for number in annotation["bbox"])
    return BoxMark(finding, x, y, width, height, size)


def _size(image: Mapping[str, Any]) -> Size | None:
    if not image.get("width") or not image.get("height"):
        return None
    return float(image["width"]), float(image["height"])


def _polygon(numbers: Sequence[float]) -> tuple[float, ...]:
    if not 6 <= len(numbers) <= 2 * MOST_POINTS or len(numbers) % 2:
        raise ValueError("a polygon has three points at least")
    return tuple(float(number) for number in numbers)


def _run_lengths(finding: str, outline: Mapping[str, Any]) -> RunLengthMark:
    rows, columns = (int(side) for side in outline["size"])
    packed = outline["counts"]
    counts = _counts(packed.encode("ascii")) if isinstance(packed, str) else [int(one) for one in packed]
    if min(rows, columns) < 1 or rows * columns > settings().max_pixels:
        raise ValueError("no size of an image")
    if min(counts) < 0 or sum(counts) != rows * columns:
        raise ValueError("the runs are not as long as the mask")
    return RunLengthMark(finding, tuple(counts), (rows, columns))


def _counts(packed: bytes) -> list[int]:
    """COCO's packed run lengths: 5 bits a letter, from the third on the difference to the last but one."""
    counts: list[int] = []
    letters = iter(packed)
    for letter in letters:
        value, shift, part = 0, 0, letter - 48
        while True:
            value |= (part & 0x1F) << shift
            shift += 5
            if not part & 0x20:
                break
            if shift > 35:
                raise ValueError("a run that is longer than any image")
            part = next(letters, 48) - 48
        if part & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
    return counts
