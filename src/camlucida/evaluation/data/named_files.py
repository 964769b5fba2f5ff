"""Which file a name in a table means: always one inside the folder that the user named."""

import os
from functools import cached_property
from pathlib import Path

from camlucida.errors import FileTooLarge, InputError

MOST_FILES = 4_000_000
"""Files that are looked through for a name, before it is said that the folder is too large."""


class NamedFiles:
    """The files of one folder, by the names that tables give them.

    A name is first taken as a path inside the folder. Where there is none, as the file's own name, with or
    without its ending, anywhere below: tables come from other discs, and archives are unpacked in parts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._inside = os.path.join(self.folder, "")  # noqa: PTH118 - text: a table has many thousand rows

    def find(self, name: str) -> Path | None:
        """The file or folder of this name; None where there is none, or more than one.

        Raises
        ------
        InputError
            The name leads out of the folder, and no file in it is called so.
        FileTooLarge
            There are more than four million files in the folder.
        """
        name = name.replace("\\", "/")
        if not name or "\0" in name:
            return None
        place = os.path.realpath(self._inside + name if name[0] != "/" else name)
        inside = place.startswith(self._inside)
        if inside and os.path.exists(place):  # noqa: PTH110
            return Path(place)
        elsewhere = self._below.get(Path(name).name)
        if elsewhere is None and not inside:
            raise InputError(
                f"The name leads out of the folder {self.folder.name}; name a folder that holds all images."
            )
        return elsewhere

    @cached_property
    def _below(self) -> dict[str, Path | None]:
        """All files by their names, with and without ending; None where several are called so."""
        found: dict[str, Path | None] = {}
        count = 0
        for parent, folders, names in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            count += len(names)
            if count > MOST_FILES:
                raise FileTooLarge(
                    f"The folder {self.folder.name} holds more than {MOST_FILES} files; name a smaller one."
                )
            for name in sorted(names):
                path = Path(parent, name)
                for called in {name, stem(name)}:
                    found[called] = None if called in found else path
        return {name: path for name, path in found.items() if path is None or self._is_own(path)}

    def _is_own(self, path: Path) -> bool:
        """A link may lead out of the folder."""
        return not path.is_symlink() or path.resolve().is_relative_to(self.folder)


def stem(name: str) -> str:
    """A file's name without its ending, of which .nii.gz is one; dots within the name stay."""
    for ending in (".nii.gz", ".seg.nrrd"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return Path(name).stem
