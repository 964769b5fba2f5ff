"""Masks as files: PNG for images, NIfTI and NRRD for volumes, matched to cases by name or by a table.

In a folder, a mask is called as its image is, or so with "_mask", "_seg", "_label" or "_FINDING" behind; a
folder's name may be the finding's. In the patient's coordinates a mask may have another grid than its image:
the nearest of its cells is taken.
"""

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import FileTooLarge, InputError, MissingExtra, UnreadableFile
from camlucida.evaluation.data.annotations.gallery import Gallery
from camlucida.evaluation.data.annotations.marks import resized
from camlucida.evaluation.data.case import Mark
from camlucida.evaluation.data.labels import Vocabulary
from camlucida.evaluation.data.named_files import stem
from camlucida.evaluation.data.table import plain
from camlucida.evaluation.data.told import Told
from camlucida.images.nifti import NAN_NOTE, read_nifti
from camlucida.images.picture import read_picture
from camlucida.records import Annotation, AnnotationKind, Image
from camlucida.settings import settings

PICTURES, NIFTI, NRRD = (".png",), (".nii", ".nii.gz"), (".nrrd",)
SUFFIXES = (*PICTURES, *NIFTI, *NRRD)
NO_FINDING = ("mask", "seg", "segmentation", "label", "labels", "annotation")
"""What may stand behind an image's name in its mask's, and names no finding."""

TO_LPS = {
    "left-posterior-superior": (1.0, 1.0, 1.0),
    "lps": (1.0, 1.0, 1.0),
    "right-anterior-superior": (-1.0, -1.0, 1.0),
    "ras": (-1.0, -1.0, 1.0),
    "left-anterior-superior": (1.0, -1.0, 1.0),
    "las": (1.0, -1.0, 1.0),
}
"""NRRD's `space` and the signs that take it to LPS."""


SKIPS = ("line skip", "lineskip", "byte skip", "byteskip")
"""What may stand between a NRRD file's header and its values."""


NOT_NUMBERS = "the mask holds values that are not numbers; save 0 for what is not marked."


class Labelled(NamedTuple):
    """A mask's values on its own grid, and the matrix from its indices to the patient (LPS, mm), if known."""

    values: NDArray[Any]
    to_patient: NDArray[np.float64] | None


@dataclass(frozen=True, slots=True)
class MaskFileMark(Mark):
    """A mask in a file: where it is not 0, or where it has one value."""

    path: Path
    value: float | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """The mask's file."""
        return (self.path,)

    def on(self, image: Image) -> Annotation:
        """The mask on the image's grid.

        Raises
        ------
        UnreadableFile, FileTooLarge
            The file is damaged, or larger than the settings allow.
        InputError
            It is of another shape than the image, and nothing says where it lies; or it lies beside it.
        """
        labelled = read_mask(self.path)
        inside = labelled.values != 0 if self.value is None else labelled.values == self.value
        return Annotation(self.finding, AnnotationKind.MASK, _on_grid(inside, labelled.to_patient, image))


def read(folder: Path, gallery: Gallery, vocabulary: Vocabulary, told: Told) -> Iterator[tuple[int, Mark]]:
    """The masks of a folder or of one file; what cannot be matched is told."""
    for path in _masks(folder):
        number, finding = _whose(path, folder, gallery, vocabulary)
        if number is None:
            told.note("Masks whose names are no image's of the data", path.name)
        elif finding is None:
            told.note("Masks that name no finding of the model (a folder's name may be it)", path.name)
        else:
            yield number, MaskFileMark(finding, path)


def read_mask(path: Path) -> Labelled:
    """A mask's values: (row, column), or three axes."""
    name = path.name.lower()
    if path.stat().st_size > settings().max_file_bytes:
        raise FileTooLarge(f"the mask {path.name} is larger than CAMLUCIDA_MAX_FILE_BYTES allows.")
    if name.endswith(PICTURES):
        values = read_picture(path).values
        return Labelled(values.max(axis=-1) if values.ndim == 3 else values, None)
    if name.endswith(NIFTI):
        image = read_nifti(path)
        if NAN_NOTE in image.notes:  # they were read as the lowest value, which may be the mark's own
            raise InputError(NOT_NUMBERS)
        return Labelled(image.modality_values(), image.pixel_to_patient)
    return _read_nrrd(path)


def _masks(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        yield folder
        return
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if name.lower().endswith(SUFFIXES))


def _whose(
    path: Path, folder: Path, gallery: Gallery, vocabulary: Vocabulary
) -> tuple[int | None, str | None]:
    """The case and the finding that a mask's name and folders say."""
    by_folder = next(
        (
            one
            for part in reversed(path.relative_to(folder).parts[:-1] if path != folder else ())
            if (one := vocabulary.finding(part)) is not None
        ),
        None,
    )
    only = vocabulary.findings[0] if len(vocabulary.findings) == 1 else None
    name = stem(path.name)
    number = gallery.named(name)
    if number is not None:
        return number, by_folder or only
    for place in (place for place, letter in enumerate(name) if letter in "_-. "):
        number, behind = gallery.named(name[:place]), name[place + 1 :]
        if number is None:
            continue
        finding = vocabulary.finding(behind)
        if finding is not None or plain(behind) in NO_FINDING:
            return number, finding or by_folder or only
    return None, None


# --- onto the image's grid ----------------------------------------------------------------------------------


def _on_grid(
    inside: NDArray[np.bool_], to_patient: NDArray[np.float64] | None, image: Image
) -> NDArray[np.bool_]:
    if inside.ndim == 2 and len(image.space) == 2 and (to_patient is None or image.pixel_to_patient is None):
        return resized(inside, image.space)
    if to_patient is not None and image.pixel_to_patient is not None:
        return _by_patient(inside, to_patient, image)
    if inside.shape != image.space:
        sizes = (" × ".join(map(str, shape)) for shape in (inside.shape, image.space))
        raise InputError(
            "the mask has {} cells and the image {}, and nothing says where in the patient they lie.".format(
                *sizes
            )
        )
    return inside


def _by_patient(
    inside: NDArray[np.bool_], to_patient: NDArray[np.float64], image: Image
) -> NDArray[np.bool_]:
    """The nearest cell of the mask for each pixel; an image is a volume of one slice."""
    from scipy.ndimage import affine_transform  # noqa: PLC0415 - a tenth of a second that few need

    mask = inside.reshape((1,) * (3 - inside.ndim) + inside.shape)
    volume = (1,) * (3 - len(image.space)) + image.space
    to_mask = np.linalg.inv(to_patient) @ np.asarray(image.pixel_to_patient)
    drawn = affine_transform(
        mask.astype(np.uint8), to_mask[:3, :3], to_mask[:3, 3], volume, order=0, mode="constant"
    )
    if mask.any() and not drawn.any():
        raise InputError("the mask lies beside the image: it is of another image, or in other coordinates.")
    return np.asarray(drawn != 0).reshape(image.space)


# --- NRRD ---------------------------------------------------------------------------------------------------


def _read_nrrd(path: Path) -> Labelled:
    """A NRRD file with its values in it, raw or packed by gzip."""
    try:
        import nrrd  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtra(
            "Masks in NRRD need pynrrd. Install with `pip install 'camlucida[development]'`."
        ) from error
    try:
        with path.open("rb") as file:
            header = nrrd.read_header(file)
            return _labelled(header, _values(header, file))
    except (nrrd.NRRDError, OSError, EOFError, ValueError, TypeError, KeyError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise UnreadableFile(f"the mask {path.name} is damaged, or no NRRD file.") from error


def _values(header: dict[str, Any], file: Any) -> NDArray[Any]:
    """All values, (i, j, k): the first axis of a NRRD file runs fastest."""
    import nrrd.reader  # noqa: PLC0415

    if header.get("data file") or header.get("datafile"):
        raise InputError("the mask's values are in another file; save it as one .nrrd.")
    if any(header.get(name) for name in SKIPS):
        raise InputError("the mask's values do not follow its header; save it without line or byte skip.")
    sizes = tuple(int(size) for size in header["sizes"])
    kind = np.dtype(nrrd.reader._TYPEMAP_NRRD2NUMPY[header["type"]])  # noqa: SLF001 - its table of types
    if kind.itemsize > 1:
        kind = kind.newbyteorder({"big": ">"}.get(header.get("endian", "little"), "<"))
    count = math.prod(sizes)
    if min(sizes) < 1 or len(sizes) not in {2, 3} or count > settings().max_pixels:
        raise InputError(f"the mask has the sizes {sizes}; two or three axes are read, and a bounded number.")
    encoding = header["encoding"].lower()
    if encoding not in {"raw", "gzip", "gz"}:
        raise InputError(f"the mask is packed by {encoding}; raw and gzip are read.")
    source = file if encoding == "raw" else gzip.GzipFile(fileobj=file)
    content = source.read(count * kind.itemsize)  # no more, whatever it unpacks to
    values = np.frombuffer(content, kind, count).reshape(sizes, order="F")
    if kind.kind == "f" and not np.isfinite(values).all():
        raise InputError(NOT_NUMBERS)
    return values


def _labelled(header: dict[str, Any], values: NDArray[Any]) -> Labelled:
    """Without a place in the patient, its axes are turned to (slice, row, column)."""
    signs = TO_LPS.get(str(header.get("space", "")).lower())
    directions = np.asarray(header.get("space directions", np.nan), np.float64)
    if signs is None or directions.shape != (3, 3) or not np.isfinite(directions).all():
        return Labelled(values.T, None)
    matrix = np.eye(4)
    matrix[:3, :3] = directions.T
    matrix[:3, 3] = header.get("space origin", (0.0, 0.0, 0.0))
    matrix = np.diag([*signs, 1.0]) @ matrix
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-9:
        return Labelled(values.T, None)
    return Labelled(values, matrix)
