"""Which case a DICOM object speaks of: by the instances and the series that it refers to."""

from collections.abc import Iterator

from pydicom.dataset import Dataset

from camlucida.dicom import elements
from camlucida.evaluation.data.annotations.gallery import Gallery

DEEPEST = 12  # levels of items, and of content


def case_of(dataset: Dataset, gallery: Gallery) -> int | None:
    """The only case that an object refers to anywhere; None where it refers to none, or to several.

    By instances if any is known, else by the series.
    """
    by_instance = {
        number
        for uid in _all(dataset, "ReferencedSOPInstanceUID", 0)
        if (number := gallery.instance(uid)) is not None
    }
    if by_instance:
        return by_instance.pop() if len(by_instance) == 1 else None
    series = {
        number
        for item in elements.items(dataset, "ReferencedSeriesSequence")
        if (number := gallery.series(elements.text(item, "SeriesInstanceUID"))) is not None
    }
    return series.pop() if len(series) == 1 else None


def _all(dataset: Dataset, keyword: str, depth: int) -> Iterator[str]:
    """The element's text wherever it stands in the data set."""
    if keyword in dataset:
        yield elements.text(dataset, keyword)
    if depth < DEEPEST:
        for element in dataset:
            if element.VR == "SQ":
                for item in element.value:
                    yield from _all(item, keyword, depth + 1)
