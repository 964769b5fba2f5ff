"""NIfTI-1 and NIfTI-2: volumes in RAS+ coordinates, turned to the axes and the LPS coordinates of DICOM."""

import gzip
import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import nibabel
import nibabel.arrayproxy
import nibabel.orientations
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.imageglobals import logger as nibabel_logger
from nibabel.spatialimages import HeaderDataError, HeaderTypeError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from camlucida.errors import FileTooLarge, InputError, UnreadableFile
from camlucida.records import FileFormat, Image, Source
from camlucida.settings import settings

SUFFIXES = (".nii", ".nii.gz")

orientations: Any = nibabel.orientations  # they carry no types
unscaled_proxy: Any = nibabel.arrayproxy.ArrayProxy

# What nibabel, gzip and numpy raise on damaged files.
DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    OverflowError,
    zlib.error,
    struct.error,
    HeaderDataError,
    HeaderTypeError,
    ImageFileError,
    WrapStructError,
    orientations.OrientationError,
)
LARGEST_OFFSET = 16 * 2**20  # bytes of header extensions before the data
MILLIMETRES = {"meter": 1000.0, "micron": 0.001}

NO_PLACE_NOTE = "The file has no qform and no sform, so places on it have no patient coordinates."
SINGULAR_NOTE = "The file's affine is singular, so places on it have no patient coordinates."
NAN_NOTE = "The file holds values that are not numbers; they are read as the lowest value."


def read_nifti(path: Path, frame: int | None = None) -> Image:
    """A NIfTI volume as (slice, row, column), a single slice as (row, column).

    Axes are exchanged and flipped (never interpolated) to the order of an axial DICOM series: slices towards
    the head, rows towards the back, columns to the patient's left. `pixel_to_patient` is in LPS mm.
    `frame` chooses one volume of a 4D file, counted from 1.

    Raises
    ------
    UnreadableFile
        The file is damaged or truncated, or has a kind of value that is not a number.
    FileTooLarge
        The file has more values than the settings allow.
    InputError
        The file is 4D and `frame` does not say which volume.
    """
    with _reading():
        _check_header(path)
        return _read(path, frame)


def frames(path: Path) -> int:
    """How many volumes the file holds: 1 unless it is 4D."""
    with _reading():
        return math.prod(_check_header(path)[3:])


@contextmanager
def _reading() -> Iterator[None]:
    """Errors in our words; nibabel repairs headers aloud, on the terminal, which is kept quiet here."""
    before, nibabel_logger.disabled = nibabel_logger.disabled, True
    try:
        yield
    except InputError:
        raise
    except DAMAGED as damage:
        raise UnreadableFile("The NIfTI file is damaged or truncated; export it again.") from damage
    finally:
        nibabel_logger.disabled = before


def _check_header(path: Path) -> tuple[int, ...]:
    """The shape that the header tells, refused before anything is unpacked if it is absurd."""
    with _open(path) as file:
        start = file.read(540)
    nifti2 = len(start) >= 4 and 540 in (struct.unpack("<i", start[:4])[0], struct.unpack(">i", start[:4])[0])
    kind: Any = nibabel.Nifti2Header if nifti2 else nibabel.Nifti1Header
    header = kind(start[: 540 if nifti2 else 348])
    shape = tuple(int(n) for n in header.get_data_shape())
    if not shape or min(shape) < 1:
        raise UnreadableFile(
            f"The NIfTI header gives the shape {shape}; every axis needs at least one value."
        )
    _check_size(shape, header.get_data_dtype().itemsize)
    if not 0 <= header.get_data_offset() <= LARGEST_OFFSET:
        raise UnreadableFile(
            f"The NIfTI header puts the data at byte {header.get_data_offset()}; the file is damaged."
        )
    return shape


def _check_size(shape: tuple[int, ...], bytes_each: int) -> None:
    count, bounds = math.prod(shape), settings()
    if count > bounds.max_pixels:
        raise FileTooLarge(
            f"The NIfTI file has {count} values, more than the {bounds.max_pixels} allowed; "
            "crop it or set CAMLUCIDA_MAX_PIXELS."
        )
    if count * bytes_each > bounds.max_file_bytes:
        raise FileTooLarge(
            f"The NIfTI file unpacks to {count * bytes_each} bytes, more than the {bounds.max_file_bytes} "
            "allowed; crop it or set CAMLUCIDA_MAX_FILE_BYTES."
        )


def _open(path: Path) -> BinaryIO:
    packed = path.name.lower().endswith(".gz")
    return cast("BinaryIO", gzip.open(path)) if packed else path.open("rb")


@dataclass(frozen=True, slots=True)
class _Placed:
    """Values (slice, row, column), with where they are: mm and LPS, None where the file does not say."""

    values: NDArray[Any]
    spacing: tuple[float, ...] | None
    to_patient: NDArray[np.float64] | None
    notes: tuple[str, ...] = ()


def _read(path: Path, frame: int | None) -> Image:
    file = nibabel.load(path)
    values, slope, intercept = _stored(file, frame)
    placed = _flat(_placed(values, file))
    values, nan_notes = _finite(placed.values)
    return Image(
        values=np.ascontiguousarray(values),
        slope=slope,
        intercept=intercept,
        bits_stored=8 * values.dtype.itemsize,
        spacing=placed.spacing,
        pixel_to_patient=placed.to_patient,
        source=Source(FileFormat.NIFTI, str(path), frame_number=frame),
        notes=(*placed.notes, *nan_notes),
    )


def _stored(file: Any, frame: int | None) -> tuple[NDArray[Any], float, float]:
    """Values on (i, j, k) with slope and intercept; types that no screen takes become scaled float32."""
    proxy, shape = file.dataobj, file.shape
    if not np.issubdtype(file.get_data_dtype(), np.number) or file.get_data_dtype().kind == "c":
        raise UnreadableFile(
            f"The NIfTI file holds values of type {file.get_data_dtype()}; only integers and floats are read."
        )
    unscaled = unscaled_proxy(file.get_filename(), (shape, proxy.dtype, proxy.offset), mmap=False)
    values = np.asarray(unscaled[(..., *_volume(shape, frame))])
    values = values.reshape((*values.shape, 1, 1)[:3])
    slope, intercept = float(proxy.slope), float(proxy.inter)
    if values.dtype.kind in "iu" and values.dtype.itemsize <= 2:
        return _screen_type(values), slope, intercept
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is told by its note
        return (values.astype(np.float64) * slope + intercept).astype(np.float32), 1.0, 0.0


def _screen_type(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.itemsize == 1:
        return values.astype(np.uint8 if values.dtype.kind == "u" else np.int16)
    return values.astype(values.dtype.newbyteorder("="))


def _volume(shape: Sequence[int], frame: int | None) -> tuple[int, ...]:
    """Indices of the wanted volume on the axes after the third."""
    extra = tuple(shape[3:])
    count = math.prod(extra)
    if frame is None and count > 1:
        raise InputError(
            f"The NIfTI file is {len(shape)}D and holds {count} volumes; say which one with frame=1…{count}."
        )
    if frame is not None and not 1 <= frame <= count:
        raise InputError(f"There is no frame {frame}; the NIfTI file holds {count}, counted from 1.")
    where = np.unravel_index((frame or 1) - 1, extra, order="F") if extra else ()
    return tuple(int(index) for index in where)


def _placed(values: NDArray[Any], file: Any) -> _Placed:
    """Turned to (slice, row, column) of an axial series."""
    header = file.header
    unit = MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    if not (header["qform_code"] or header["sform_code"]):
        zooms = (*header.get_zooms(), 0.0, 0.0)[:3]
        return _Placed(values.T, _spacing([zoom * unit for zoom in zooms[::-1]]), None, (NO_PLACE_NOTE,))
    affine = np.asarray(file.affine, np.float64).copy()
    affine[:3] *= unit
    if not _is_usable(affine):
        return _Placed(values.T, None, None, (SINGULAR_NOTE,))
    return _axial(values, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def _is_usable(affine: NDArray[np.float64]) -> bool:
    """Whether it turns and stretches by sizes that occur: a nanometre to a kilometre, no flat axes."""
    if not np.isfinite(affine).all() or np.abs(affine).max() > 1e6:
        return False
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    return bool(sizes.min() > 1e-6 and abs(np.linalg.det(affine[:3, :3])) > 1e-6 * sizes.prod())


def _axial(values: NDArray[Any], ijk_to_lps: NDArray[np.float64]) -> _Placed:
    """Axes exchanged and flipped so that k, j, i run most nearly to the head, the back and the left."""
    orientation = orientations.io_orientation(ijk_to_lps)
    turned = orientations.apply_orientation(values, orientation)
    to_patient = ijk_to_lps @ orientations.inv_ornt_aff(orientation, values.shape)
    exchanged = to_patient[:, [2, 1, 0, 3]]  # from (i, j, k, 1) to (slice, row, column, 1)
    return _Placed(turned.T, _spacing(np.linalg.norm(exchanged[:3, :3], axis=0)), exchanged)


def _flat(placed: _Placed) -> _Placed:
    """A single slice as a 2D image, seen as radiologists do: a coronal or sagittal one with the head up."""
    values, spacing, to_patient = placed.values, placed.spacing, placed.to_patient
    if 1 not in values.shape:
        return placed
    thin = values.shape.index(1)
    kept = [axis for axis in range(3) if axis != thin]
    values = np.squeeze(values, thin)
    if to_patient is not None:
        to_patient = to_patient[:, [thin, *kept, 3]]
        if thin:
            flip = np.diag([1.0, -1.0, 1.0, 1.0])
            flip[1, 3] = len(values) - 1
            values, to_patient = values[::-1], to_patient @ flip
    return _Placed(values, spacing and tuple(spacing[axis] for axis in kept), to_patient, placed.notes)


def _spacing(sizes: Sequence[float] | NDArray[np.float64]) -> tuple[float, ...] | None:
    sizes = [float(size) for size in sizes]
    return tuple(sizes) if all(np.isfinite(size) and size > 0 for size in sizes) else None


def _finite(values: NDArray[Any]) -> tuple[NDArray[Any], tuple[str, ...]]:
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values, ()
    finite = np.isfinite(values)
    if not finite.any():
        raise UnreadableFile("The NIfTI file holds not a single finite value.")
    return np.where(finite, values, values[finite].min()), (NAN_NOTE,)
