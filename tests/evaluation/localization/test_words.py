"""The chapter on localisation: what it says, and when it says nothing."""

from dataclasses import dataclass, replace
from pathlib import Path

import nibabel
import numpy as np
import PIL.Image
import pytest

from camlucida.evaluation.data.case import Case, Mark
from camlucida.evaluation.data.cohort import Cohort, Observed
from camlucida.evaluation.estimates import means
from camlucida.evaluation.localization import chance_of, measures
from camlucida.evaluation.localization.standing import by_case, judged_by, standing
from camlucida.evaluation.localization.words import localization_section, worst_cases
from camlucida.evaluation.report.case_picture import MARK
from camlucida.evaluation.report.document import Paragraph, Sheet, Table, Tone
from camlucida.records import Annotation, Finding, Geometry, Measurement, Prediction, SaliencyMap
from camlucida.records.annotation import AnnotationKind
from camlucida.records.geometry import resizing

AUPRC = next(measure for measure in measures.MEASURES if measure.key == measures.AUPRC)
PEAK = next(measure for measure in measures.MEASURES if measure.key == measures.PEAK_DISTANCE)
METHODS = ("grad-cam", chance_of("grad-cam"), "centre-gaussian", "sobel")


@dataclass(frozen=True)
class Corner(Mark):
    """The upper left quarter of the image."""

    def on(self, image):
        inside = np.zeros(image.space, np.bool_)
        inside[: image.space[0] // 2, : image.space[1] // 2] = True
        return Annotation(self.finding, AnnotationKind.BOX, inside)


@dataclass(frozen=True)
class FirstSlices(Mark):
    """A block in the first half of a volume."""

    def on(self, image):
        inside = np.zeros(image.space, np.bool_)
        inside[: image.space[0] // 2, 10:20, 10:20] = True
        return Annotation(self.finding, AnnotationKind.MASK, inside)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("films") / "film.png"
    PIL.Image.fromarray(np.full((40, 40), 90, np.uint8)).save(path)
    return path


def observed(
    number, auprc, film=Path("none.png"), share=0.5, measure=measures.AUPRC, away=0.0, supported=True
):
    """One case: the measure's value by method, in the order of METHODS."""
    rows = [Measurement(f"{number}.png", "A", *at) for at in zip(METHODS, [measure] * 4, auprc, strict=True)]
    rows += [
        Measurement(f"{number}.png", "A", "grad-cam", key, value)
        for key, value in (
            (measures.SHARE, share),
            (measures.SUPPORTED, float(supported)),
            (measures.PEAK_DISTANCE_PIXELS, away if supported else None),
        )
    ]
    geometry = Geometry((4, 4), (40, 40), resizing((40, 40), (4, 4)))
    one = SaliencyMap(
        ("A",), np.eye(4, dtype=np.float32)[None], (1.0,), (0.0,), (0.0,), "grad-cam", "x", geometry
    )
    return Observed(
        Case(f"{number}.png", (film,), {"A": True}, f"patient {number}", marks=(Corner("A"),)),
        Prediction((Finding("A", None, 0.5),), (1.0,), (0.7,)),
        {"grad-cam": one},
        tuple(rows),
        np.full((40, 40), 90, np.uint8),
        np.zeros(2, np.float32),
    )


def cohort(*cases):
    return Cohort("model", "digest", tuple(cases), ())


def said(*cases):
    section = localization_section(cohort(*cases), means(cases))
    return next(block for block in section.blocks[1:] if isinstance(block, Paragraph))


def cases(offsets, count=12, **options):
    """Values that wander from case to case, each method so much above a common one."""
    random = np.random.default_rng(0)
    return [
        observed(n, [random.normal(0.3, 0.02) + offset for offset in offsets], **options)
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("offsets", "tone", "words"),
    [
        ((0.3, 0, 0, 0), Tone.GOOD, "better than chance, than the middle of the image and than the edges"),
        ((0.3, 0, 0.3, 0), Tone.CAUTION, "but not surely than the middle of the image."),
        ((0.3, 0, 0.4, 0.4), Tone.CAUTION, "the middle of the image or the edges of the image."),
        ((0.0, 0, 0, 0), Tone.BAD, "no better than chance, as far as 12 cases of 12 patients tell"),
    ],
)
def test_a_method_is_held_to_chance_and_to_the_rivals(offsets, tone, words):
    paragraph = said(*cases(offsets))
    assert paragraph.tone is tone
    assert words in paragraph.text


def test_of_few_patients_there_is_no_verdict():
    paragraph = said(*cases((0.3, 0, 0, 0), count=9))
    assert paragraph.tone is Tone.NEUTRAL
    assert "too few for a verdict" in paragraph.text


def test_differences_are_taken_case_by_case():
    """Easy and hard cases differ by far more than the methods do: only the pairs tell that one is better."""
    every = [observed(n, [n / 20 + 0.02, n / 20, 0, 0]) for n in range(12)]
    ahead = standing(by_case(every), "A", "grad-cam", AUPRC).ahead_of[chance_of("grad-cam")]
    assert ahead.value == pytest.approx(0.02)
    undefined = [*every, observed(99, [None, 0.5, 0, 0])]
    again = standing(by_case(undefined), "A", "grad-cam", AUPRC).ahead_of[chance_of("grad-cam")]
    assert again.cases == 12


def test_of_a_distance_less_is_better():
    every = [observed(n, [10 + n, 30 + n, 20, 20], measure=measures.PEAK_DISTANCE) for n in range(10)]
    assert standing(by_case(every), "A", "grad-cam", PEAK).ahead_of[chance_of("grad-cam")].value == 20
    assert judged_by([measures.PEAK_DISTANCE, measures.SUPPORTED]) == measures.PEAK_DISTANCE
    assert judged_by([measures.PEAK_DISTANCE, measures.AUPRC]) == measures.AUPRC


def test_tables_have_methods_chance_and_rivals_with_intervals():
    section = localization_section(cohort(*(every := cases((0.3, 0, 0, 0)))), means(every))
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert table.columns == ("", "Evidence inside", "AUPRC", "Distance of the peak, pixels")
    assert table.caption == "A: 12 marked cases"
    names = ["Grad-CAM", "Grad-CAM by chance", "Image middle", "Image edges"]
    assert [row[0] for row in table.rows] == names
    assert table.rows[0][2].startswith("0.59")
    assert "to" in table.rows[0][2]
    assert "to" not in table.rows[1][2]
    assert all(len(row) == len(details.columns) for details in section.details for row in details.rows)


def test_the_worst_cases_come_first_with_the_outline_of_the_mark(film):
    figures = ((0.9, 0.0, True), (0.1, 0.0, True), (0.5, 7.0, True), (None, 0.0, False))
    every = [
        observed(n, [0.3] * 4, film, share, away=away, supported=supported)
        for n, (share, away, supported) in enumerate(figures)
    ]
    pictures = worst_cases(cohort(*every), "A", "grad-cam", most=2)
    assert [picture.caption for picture in pictures] == [
        "2.png: peak 7 pixels away, 50% of the evidence inside",
        "1.png: peak inside, 10% of the evidence inside",
    ]
    drawn = np.argwhere((np.asarray(pictures[0].picture) == MARK).all(axis=-1))
    assert drawn.max() == 19  # the quarter's edge
    section = localization_section(cohort(*every), means(every))
    assert isinstance(section.blocks[-1], Sheet)
    assert len(section.blocks[-1].pictures) == 3
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert "nothing that argues for it in 1 of 4 marked cases" in table.notes[1]


def test_of_a_volume_the_outline_is_that_of_the_slice_shown(tmp_path):
    path = tmp_path / "volume.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((40, 40, 6), np.int16), np.eye(4)), path)
    flat = observed(1, [0.3] * 4, path)
    geometry = Geometry((3, 4, 4), (6, 40, 40), resizing((6, 40, 40), (3, 4, 4)))
    values = np.ones((1, 3, 4, 4), np.float32)
    volume = replace(
        flat,
        case=replace(flat.case, marks=(FirstSlices("A"),)),
        maps={"grad-cam": replace(flat.maps["grad-cam"], values=values, geometry=geometry)},
    )
    for slice_index, said in ((1, "inside"), (4, "inside; marked on other slices")):
        shown = replace(volume, slice_index=slice_index)
        (picture,) = worst_cases(cohort(shown), "A", "grad-cam")
        assert picture.caption.endswith(said)
        assert (np.asarray(picture.picture) == MARK).all(axis=-1).any() == (slice_index == 1)


def test_a_file_that_has_gone_is_shown_without_its_outline():
    (picture,) = worst_cases(cohort(observed(1, [0.3] * 4, Path("gone.png"))), "A", "grad-cam")
    assert not (np.asarray(picture.picture) == MARK).all(axis=-1).any()


def test_without_marks_there_is_no_chapter():
    one = replace(observed(1, [0.3] * 4), measurements=())
    assert localization_section(cohort(one), means([one])) is None
