"""One row of the user's table: an image, what is known of it, and who it is of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from camlucida.records import Annotation, Image


@dataclass(frozen=True, slots=True)
class Mark:
    """A reader's mark before its mask is drawn: until then boxes, points and names of files are small."""

    finding: str

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that it is drawn from, beside what stands in the mark itself."""
        return ()

    def on(self, image: Image) -> Annotation:
        """The mark on the image's pixel grid.

        Raises
        ------
        InputError
            It does not fit the image: a mask of another shape, a box beyond the edge.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Case:
    """An image with its reference standard.

    `labels` say of findings whether they are there; one that is not known is left out. `patient` groups cases
    for intervals: cases of one patient are drawn together; where the table names none, each case is its own.
    `columns` are the table's other columns (age, sex, site, view …), by which subgroups are made.
    """

    name: str
    files: tuple[Path, ...]
    labels: Mapping[str, bool]
    patient: str = field(repr=False)
    columns: Mapping[str, str] = field(default_factory=dict, repr=False)
    marks: Sequence[Mark] = ()
