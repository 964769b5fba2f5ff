"""Localisation in words, tables and pictures: one chapter of a report."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import CamlucidaError
from camlucida.evaluation.data.cohort import Cohort, Observed
from camlucida.evaluation.estimates import Estimated
from camlucida.evaluation.intervals import LEAST_PATIENTS
from camlucida.evaluation.localization import MEASURES, RIVALS, chance_of, measures
from camlucida.evaluation.localization.marked import marked
from camlucida.evaluation.localization.rivals import CENTRE_GAUSSIAN, SOBEL
from camlucida.evaluation.localization.standing import Cases, Standing, by_case, judged_by, standing
from camlucida.evaluation.measures import Measure
from camlucida.evaluation.report.case_picture import case_picture
from camlucida.evaluation.report.document import Block, Paragraph, Picture, Section, Sheet, Table, Tone
from camlucida.images.read import ImageFiles, read
from camlucida.records.method_name import spelling

BY_KEY = {measure.key: measure for measure in MEASURES}

FIRST = (
    measures.SHARE,
    measures.HIT_WITHIN_CELL,
    measures.IOU_OTSU,
    measures.AUPRC,
    measures.PEAK_DISTANCE,
    measures.PEAK_DISTANCE_PIXELS,
)
"""The measures of the first table; all of them stand in the details."""

INTERVALS = "In brackets the 95 % interval, from 1,000 draws of patients."

WORST = 8
"""Pictures of one finding at most."""

RIVAL_NAMES = {CENTRE_GAUSSIAN: "the middle of the image", SOBEL: "the edges of the image"}
RIVAL_ROWS = {CENTRE_GAUSSIAN: "Image middle", SOBEL: "Image edges"}

READING = (
    "Only images on which a reader marked the finding count, whether the model reports it or not. “By "
    "chance” is the same map, shifted to every place of the image. The middle of the image (a Gaussian) and "
    "its edges (Sobel) know nothing of the network: maps that are not better say nothing about where the "
    "model looks."
)


def localization_section(cohort: Cohort, estimates: Sequence[Estimated]) -> Section | None:
    """The chapter on localisation; None where no marked finding has a map.

    Parameters
    ----------
    estimates
        Of all cases, as `camlucida.evaluation.estimates.means` makes them; others are passed over.
    """
    own = {
        (one.finding, one.method, one.measure): one
        for one in estimates
        if one.measure in BY_KEY and not one.group
    }
    if not own:
        return None
    findings = list(dict.fromkeys(finding for finding, _, _ in own))
    methods = [method for method in _methods(cohort) if any(key[1] == method for key in own)]
    cases = by_case(cohort.observed)
    blocks: list[Block] = [Paragraph(READING)]
    for finding in findings:
        blocks += [
            Paragraph(*_said(one))
            for method in methods
            if (one := _standing(cases, own, finding, method)) is not None
        ]
        blocks.append(_table(own, finding, methods))
        pictures = worst_cases(cohort, finding, methods[0])
        if pictures:
            caption = f"{finding}: the marked cases in which {spelling(methods[0])} peaks farthest away"
            blocks.append(Sheet(pictures, caption))
    details = [
        _all(own, finding, method)
        for finding in findings
        for method in methods
        if (finding, method, measures.SUPPORTED) in own
    ]
    return Section("Localisation", blocks, details)


def worst_cases(cohort: Cohort, finding: str, method: str, most: int = WORST) -> list[Picture]:
    """The marked cases of a finding whose map peaks farthest from the marks, the worst first.

    Of maps that peak inside, those with the least evidence inside come first. Each is its image with the map
    over it and the outline of what was marked, which is drawn anew from the file. Maps without any support
    have no peak, and are not among them.
    """
    measured = [(_values(one, finding, method), one) for one in cohort.observed]
    peaked = [(values, one) for values, one in measured if _peak(values) is not None]
    worst = sorted(peaked, key=lambda row: _badness(row[0]), reverse=True)[:most]
    return [_picture(one, finding, method, _how_bad(values)) for values, one in worst]


def _values(one: Observed, finding: str, method: str) -> Mapping[str, float]:
    """What was measured of a case, by measure, where it is defined."""
    return {
        row.measure: row.value
        for row in one.measurements
        if row.finding == finding and row.method == method and row.value is not None
    }


def _peak(values: Mapping[str, float]) -> tuple[float, str] | None:
    """How far the peak is from the marks, and the unit."""
    keys = (measures.PEAK_DISTANCE, measures.PEAK_DISTANCE_PIXELS)
    return next(((values[key], BY_KEY[key].unit) for key in keys if key in values), None)


def _badness(values: Mapping[str, float]) -> tuple[float, float]:
    away = _peak(values)
    return away[0] if away else 0.0, -values.get(measures.SHARE, 0.0)


def _how_bad(values: Mapping[str, float]) -> str:
    distance, unit = _peak(values) or (0.0, "")
    said = f"peak {distance:.0f} {unit} away" if round(distance) else "peak inside"
    if measures.SHARE in values:
        said += f", {values[measures.SHARE]:.0%} of the evidence inside"
    return said


def _picture(one: Observed, finding: str, method: str, said: str) -> Picture:
    area = marked_area(one, finding)
    if area is not None and not area.any():
        said += "; marked on other slices"
    return case_picture(one, finding, method, f"{one.case.name}: {said}", marked=area)


def marked_area(one: Observed, finding: str) -> NDArray[np.bool_] | None:
    """What was marked (row, column), of a volume on the slice that is shown; None if it cannot be drawn."""
    try:
        image = read(ImageFiles(one.case.name, one.case.files))[0]
        found = marked([mark.on(image) for mark in one.case.marks if mark.finding == finding], finding)
    except (CamlucidaError, OSError):
        return None
    if found is None:
        return None
    return found.area if one.slice_index is None else found.area[one.slice_index]


Own = dict[tuple[str, str, str], Estimated]
"""Estimates by finding, method and measure."""


def _methods(cohort: Cohort) -> list[str]:
    return list(dict.fromkeys(method for one in cohort.observed for method in one.maps))


def _standing(cases: Cases, own: Own, finding: str, method: str) -> Standing | None:
    key = judged_by(measure for of, by, measure in own if (of, by) == (finding, method))
    return None if key is None else standing(cases, finding, method, BY_KEY[key])


def _said(one: Standing) -> tuple[str, Tone]:
    """What a method's maps know of a finding's place, and how that is meant."""
    figure = one.ahead_of[chance_of(one.method)]
    name, cases = (
        f"{spelling(one.method)} for {one.finding}",
        f"{figure.cases} cases of {figure.patients} patients",
    )
    by = f"{figure.text(one.measure.digits)} {one.measure.unit}".strip()
    ahead = f"{one.measure.title}: ahead of chance by {by}"
    if figure.patients < LEAST_PATIENTS:
        why = f"{cases} are too few for a verdict; it takes {LEAST_PATIENTS} patients"
        return f"{name}: {why}. {ahead}.", Tone.NEUTRAL
    if not one.surely_ahead_of(chance_of(one.method)):
        return f"{name}: no better than chance, as far as {cases} tell. {ahead}.", Tone.BAD
    not_beaten = [RIVAL_NAMES[rival] for rival in RIVALS if not one.surely_ahead_of(rival)]
    if not_beaten:
        rivals = " or ".join(not_beaten)
        return f"{name}: better than chance, but not surely than {rivals}. {ahead}; {cases}.", Tone.CAUTION
    rivals = " and than ".join(RIVAL_NAMES.values())
    return f"{name}: better than chance, than {rivals}. {ahead}; {cases}.", Tone.GOOD


def _table(own: Own, finding: str, methods: Sequence[str]) -> Table:
    shown = [BY_KEY[key] for key in FIRST if any((finding, method, key) in own for method in methods)]
    rows = []
    for method, name, brief in _rows(methods):
        cells = [_cell(own, finding, method, measure, brief) for measure in shown]
        if any(cell != "–" for cell in cells):
            rows.append((name, *cells))
    return Table(
        columns=("", *(_headed(measure) for measure in shown)),
        rows=rows,
        right=len(shown),
        caption=f"{finding}: {_cases(own, finding, methods)} marked cases",
        notes=(INTERVALS, *_unsupported(own, finding, methods)),
    )


def _unsupported(own: Own, finding: str, methods: Sequence[str]) -> Iterator[str]:
    """Which methods find nothing that argues for a marked finding, and how often."""
    for method in methods:
        supported = own.get((finding, method, measures.SUPPORTED))
        if supported is None or supported.estimate.value is None:
            continue
        cases = supported.estimate.cases
        without = round(cases * (1 - supported.estimate.value))
        if without:
            yield (
                f"{spelling(method)} finds nothing that argues for it in {without} of {cases} marked cases: "
                "they hit nothing, and are left out of the other figures."
            )


def _all(own: Own, finding: str, method: str) -> Table:
    """Every measure of a method, one a row; the method, chance and the rivals are columns."""
    columns = [
        (method, spelling(method), False),
        (chance_of(method), "By chance", True),
        *((rival, RIVAL_ROWS[rival], False) for rival in RIVALS),
    ]
    rows = [
        (_headed(measure), *(_cell(own, finding, of, measure, brief) for of, _, brief in columns))
        for measure in MEASURES
        if (finding, method, measure.key) in own
    ]
    return Table(
        columns=("", *(name for _, name, _ in columns)),
        rows=rows,
        right=len(columns),
        caption=f"{finding}: all measures of {spelling(method)}",
        notes=(INTERVALS,),
    )


def _rows(methods: Sequence[str]) -> Iterator[tuple[str, str, bool]]:
    """Methods and pseudo-methods as measured, as read, and whether the figure alone says enough."""
    for method in methods:
        yield method, spelling(method), False
        yield chance_of(method), f"{spelling(method)} by chance", True
    for rival in RIVALS:
        yield rival, RIVAL_ROWS[rival], False


def _headed(measure: Measure) -> str:
    return f"{measure.title}, {measure.unit}" if measure.unit else measure.title


def _cell(own: Own, finding: str, method: str, measure: Measure, brief: bool) -> str:
    found = own.get((finding, method, measure.key))
    if found is None or found.estimate.value is None:
        return "–"
    if brief:
        return f"{found.estimate.value:.{measure.digits}f}"
    return found.estimate.text(measure.digits)


def _cases(own: Own, finding: str, methods: Sequence[str]) -> int:
    counts = (own.get((finding, method, measures.SUPPORTED)) for method in methods)
    return max((one.estimate.cases for one in counts if one is not None), default=0)
