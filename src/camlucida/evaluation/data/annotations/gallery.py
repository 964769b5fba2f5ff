"""Which case a file of annotations means: by the name of its image, or by its SOP Instance UID."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from camlucida.dicom.container import open_dataset, reading
from camlucida.dicom.elements import text
from camlucida.dicom.read import is_dicom
from camlucida.errors import CamlucidaError
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.named_files import stem


class Gallery:
    """The cases, by all that they are called by."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = cases

    def named(self, name: str) -> int | None:
        """The number of the case whose image is called so; None where none is, or several are.

        As in the table, as a path's last part, or that without its ending.
        """
        name = name.replace("\\", "/")
        exact = self._exact.get(name)
        if exact is not None:
            return exact
        last = name.rpartition("/")[2]
        return self._by_name.get(last) if last in self._by_name else self._by_name.get(stem(last))

    def stems(self) -> Iterable[str]:
        """All names of images without their endings."""
        return (name for name, number in self._by_name.items() if number is not None)

    def instance(self, uid: str) -> int | None:
        """The number of the case that an SOP Instance UID belongs to, by its files' headers."""
        return self._by_instance.get(uid)

    def series(self, uid: str) -> int | None:
        """The number of the only case of a series; None where there are several."""
        return self._by_series.get(uid)

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {case.name.replace("\\", "/"): number for number, case in enumerate(self.cases)}

    @cached_property
    def _by_name(self) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for number, case in enumerate(self.cases):
            last = Path(case.name).name
            names = {last, stem(last)}
            if len(case.files) == 1:
                names |= {case.files[0].name, stem(case.files[0].name)}
            for name in names:
                found[name] = number if found.get(name, number) == number else None
        return found

    @cached_property
    def _by_instance(self) -> dict[str, int]:
        return {instance: number for instance, _, number in self._headers}

    @cached_property
    def _by_series(self) -> dict[str, int | None]:
        found: dict[str, int | None] = {}
        for _, series, number in self._headers:
            found[series] = number if found.get(series, number) == number else None
        return found

    @cached_property
    def _headers(self) -> list[tuple[str, str, int]]:
        """SOP Instance UID, Series Instance UID and the case's number, for all DICOM files."""
        files = [(path, number) for number, case in enumerate(self.cases) for path in case.files]
        return [(*uids, number) for path, number in files if (uids := _uids(path)) is not None]


def _uids(path: Path) -> tuple[str, str] | None:
    if not is_dicom(path):
        return None
    try:
        with reading(path.name, []):
            dataset = open_dataset(path, pixels=False)
            return text(dataset, "SOPInstanceUID"), text(dataset, "SeriesInstanceUID")
    except (CamlucidaError, OSError):  # told when its pixels are read
        return None
