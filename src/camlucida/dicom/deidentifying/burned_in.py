"""Whether pixels may show a name: what the header says of them, and a look for lines of letters.

PS3.15 E.3.1 (Clean Pixel Data Option): no program can promise that an image holds no writing. The header
decides; the look only warns. It finds white or black printed characters in a row, as consoles burn them in;
it does not find handwriting, faint, slanted, antialiased or very large letters, or a face.
"""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from camlucida.dicom import elements, pixels
from camlucida.dicom.container import reading
from camlucida.errors import InputError

# The pixels of these come from a detector; other devices print names, or film a screen, paper or a face.
PLAIN_MODALITIES = frozenset({"CR", "CT", "DX", "IO", "MG", "MR", "PT", "PX"})
NOT_PICTURES = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.66.4",  # Segmentation
        "1.2.840.10008.5.1.4.1.1.66.7",  # Label Map Segmentation
        "1.2.840.10008.5.1.4.1.1.30",  # Parametric Map
        "1.2.840.10008.5.1.4.1.1.481.2",  # RT Dose
    }
)
SECONDARY_CAPTURE = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.7(\.[0-9]+)?")  # and the multi-frame ones
DOCUMENTS = "1.2.840.10008.5.1.4.1.1.104."  # encapsulated PDF, CDA, STL …
VOICE = "1.2.840.10008.5.1.4.1.1.9.4."  # Basic Voice Audio and General Audio
DIRECTORY = "1.2.840.10008.1.3.10"
LETTERS = 5  # in a row
MOST_LETTERS = 5000
SMALLEST, LARGEST = 5, 80  # height of a letter, pixels
LARGEST_LOOKED_AT = 40_000_000  # pixels of a frame


def refusal(dataset: Dataset) -> str | None:
    """Why an instance is not shared unless someone has looked at its pixels; None where it may be."""
    if not _has_pixels(dataset) or elements.text(dataset, "SOPClassUID") in NOT_PICTURES:
        return None
    burned_in = elements.text(dataset, "BurnedInAnnotation").upper()
    if burned_in == "YES":
        return "Burned In Annotation (0028,0301) is YES: its pixels may show who it is"
    doubt = _doubt(dataset)
    if burned_in == "NO" or doubt is None:
        return None
    return f"it is {doubt}, and does not say that its pixels show no name"


def _doubt(dataset: Dataset) -> str | None:
    """What kind of image this is, if it is one on which names are often seen."""
    if SECONDARY_CAPTURE.fullmatch(elements.text(dataset, "SOPClassUID")):
        return "a Secondary Capture"
    if "ConversionType" in dataset:
        return "a digitized film or a captured screen"
    if elements.text(dataset, "Modality").upper() not in PLAIN_MODALITIES:
        return "of a modality that often prints names onto images, or films paper or faces"
    if elements.text(dataset, "ImageType").upper().split("\\")[1:2] == ["SECONDARY"]:
        return "a secondary image (a dose sheet, a captured screen)"
    return None


def hopeless(dataset: Dataset) -> str | None:
    """Why an instance is never shared: what it holds cannot be cleaned by attribute, nor looked at here."""
    sop_class = elements.text(dataset, "SOPClassUID")
    if sop_class.startswith(DOCUMENTS) or "EncapsulatedDocument" in dataset:
        return "it holds a document (PDF, CDA, STL), which may name anyone"
    if sop_class.startswith(VOICE):
        return "it holds a voice"
    if sop_class == DIRECTORY or "DirectoryRecordSequence" in dataset:
        return "it is a DICOMDIR, the index of a disc; give the files that it lists"
    return None


def shows_lettering(dataset: Dataset) -> bool:
    """Whether the first frame seems to bear a line of printed characters; False where it cannot be read."""
    if not _has_pixels(dataset) or elements.text(dataset, "SOPClassUID") in NOT_PICTURES:
        return False
    try:
        with reading("pixels", []):
            layout = pixels.read_layout(dataset)
            if layout.rows * layout.columns > LARGEST_LOOKED_AT:
                return False
            frame = next(iter(pixels.read_frames(dataset, layout)))
    except InputError:
        return False
    return has_lettering(frame.max(axis=-1) if frame.ndim == 3 else frame)


def has_lettering(frame: NDArray[Any]) -> bool:
    """Whether letters of one brightness stand in a row on a grey frame (row, column), white or black."""
    low, high = frame.min(), frame.max()
    return bool(low < high) and (_rows_of_letters(frame == high) or _rows_of_letters(frame == low))


def _rows_of_letters(mask: NDArray[np.bool_]) -> bool:
    """Whether at least `LETTERS` pieces of similar height stand side by side."""
    from scipy import ndimage  # noqa: PLC0415 - half a second that commands without pixels spare

    labels, _count = ndimage.label(mask, structure=np.ones((3, 3)))
    found = [box for box in (_letter(piece) for piece in ndimage.find_objects(labels)) if box is not None]
    if len(found) > MOST_LETTERS:  # a page of text
        return True
    letters = np.array(found, np.int64).reshape(-1, 3)
    for top, height, left in letters:
        tops, heights, lefts = letters.T
        beside = (abs(tops - top) <= height / 4) & (abs(heights - height) <= height / 4)
        beside &= (lefts >= left) & (lefts - left <= 1.6 * LETTERS * height)
        if np.count_nonzero(beside) >= LETTERS:
            return True
    return False


def _letter(found: tuple[slice, ...]) -> tuple[int, int, int] | None:
    """Top, height and left of a piece that has the size and proportions of a letter."""
    rows, columns = found
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if not (SMALLEST <= height <= LARGEST and width <= 1.5 * height):
        return None
    return rows.start, height, columns.start


def _has_pixels(dataset: Dataset) -> bool:
    return any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"))
