"""Any file or folder to images: DICOM, NIfTI, PNG and JPEG."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from os import R_OK, PathLike, access, walk
from pathlib import Path

from camlucida.dicom.read import is_dicom, read_dicom, series_of
from camlucida.errors import FileTooLarge, InputError, UnreadableFile
from camlucida.images import nifti, picture
from camlucida.records import Image
from camlucida.settings import settings


class Kind(StrEnum):
    """Which reader a file is for."""

    DICOM = "dicom"
    NIFTI = "nifti"
    PICTURE = "picture"
    UNKNOWN = "unknown"


SUFFIXES = {
    ".dcm": Kind.DICOM,
    ".dicom": Kind.DICOM,
    **dict.fromkeys(nifti.SUFFIXES, Kind.NIFTI),
    **dict.fromkeys(picture.SUFFIXES, Kind.PICTURE),
}
PICTURE_HEADS = (b"\x89PNG", b"\xff\xd8\xff")


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Files that belong together: one file, or the slices of one series.

    `name` is for messages to the one who gave the path; it holds nothing but what stands on his disc.
    """

    name: str
    paths: tuple[Path, ...]


def read_image(path: str | PathLike[str], *, frame: int | None = None) -> Image:
    """Read one image: a file, or a folder that holds the slices of one series.

    `frame`, counted from 1, chooses a frame of a multi-frame DICOM file or a volume of a 4D NIfTI file.

    Raises
    ------
    UnreadableFile
        There is no such file, it is damaged, or of a kind that camlucida does not read.
    FileTooLarge
        It is larger than the settings allow.
    InputError
        There is more than one image and nothing says which.
    """
    found = find_images([Path(path)])
    if len(found) > 1:
        names = ", ".join(files.name for files in found[:3])
        raise InputError(f"The folder holds {len(found)} images ({names}, …); give one file or one series.")
    return _the_frame(_read(found[0], frame), frame)


def find_images(paths: Iterable[str | PathLike[str]]) -> list[ImageFiles]:
    """What images there are, without reading their pixels; folders are walked to the bottom.

    DICOM files of one series come together. In folders, files of other kinds are passed over. A file that
    was named itself, a path that is not there and a folder without images are kept: reading says why not.
    """
    files = list(dict.fromkeys(file for path in paths for file in _files(Path(path))))
    groups = series_of([file for file in files if _kind(file) is Kind.DICOM])
    group_of = {file: group for group in groups for file in group}
    found = dict.fromkeys(group_of.get(file, (file,)) for file in files)
    return [ImageFiles(_name(group), group) for group in found]


def read(files: ImageFiles) -> list[Image]:
    """Read all images of one entry of `find_images`: more than one only for a multi-frame file.

    Raises
    ------
    UnreadableFile, FileTooLarge, InputError
        As `read_image`.
    """
    return _read(files, None)


def _read(files: ImageFiles, frame: int | None) -> list[Image]:
    first = files.paths[0]
    if first.is_dir():
        raise UnreadableFile("The folder holds no DICOM, NIfTI, PNG or JPEG file.")
    _check_sizes(files.paths)
    match _kind(first):
        case Kind.DICOM:
            return read_dicom(files.paths)
        case Kind.NIFTI:
            return [nifti.read_nifti(first, frame)]
        case Kind.PICTURE:
            return [picture.read_picture(first)]
        case Kind.UNKNOWN:
            raise UnreadableFile("The file is neither DICOM, NIfTI, PNG nor JPEG.")


def _the_frame(images: Sequence[Image], frame: int | None) -> Image:
    numbered = {image.source.frame_number: image for image in images}
    if frame is None and len(images) == 1:
        return images[0]
    if frame is None:
        raise InputError(f"The file holds {len(images)} frames; say which one with frame=1…{len(images)}.")
    if frame in numbered:
        return numbered[frame]
    if len(images) == 1 and None in numbered:
        raise InputError(f"There is no frame {frame}: this is one image (or one volume); leave frame out.")
    raise InputError(f"There is no frame {frame}; the file holds {len(images)}, counted from 1.")


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or all files in a folder that look like images; the path where there is none."""
    if not path.is_dir():
        yield path
        return
    yield from [file for file in _walk(path) if _kind(file) is not Kind.UNKNOWN] or [path]


def _walk(folder: Path) -> Iterator[Path]:
    """All files, sorted, without those that are hidden and without the index of a disc."""
    for parent, folders, names in walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and name.upper() != "DICOMDIR":
                yield Path(parent, name)


def _kind(path: Path) -> Kind:
    """What the content says, and where it says nothing, the name: a damaged file is an image still."""
    if not path.is_file() or not access(path, R_OK):
        return Kind.UNKNOWN
    if is_dicom(path):
        return Kind.DICOM
    name = path.name.lower()
    by_name = [kind for suffix, kind in SUFFIXES.items() if name.endswith(suffix)]
    if by_name:
        return by_name[0]
    with path.open("rb") as file:
        return Kind.PICTURE if file.read(8).startswith(PICTURE_HEADS) else Kind.UNKNOWN


def _name(group: tuple[Path, ...]) -> str:
    if len(group) == 1:
        return str(group[0])
    return f"{group[0].parent} ({len(group)} files from {group[0].name})"


def _check_sizes(paths: Sequence[Path]) -> None:
    bound = settings().max_file_bytes
    for path in paths:
        if not path.is_file():
            raise UnreadableFile("There is no such file or folder.")
        if not access(path, R_OK):
            raise UnreadableFile("You have no permission to read the file.")
        size = path.stat().st_size
        if size > bound:
            raise FileTooLarge(
                f"The file has {size} bytes, more than the {bound} allowed; set CAMLUCIDA_MAX_FILE_BYTES."
            )
