"""Methods side by side, as a report of blocks."""

from collections.abc import Iterator, Sequence

import numpy as np

from camlucida.evaluation.comparison import TIMED, Comparison
from camlucida.evaluation.comparison.contact_sheet import contact_sheet
from camlucida.evaluation.faithfulness.words import faithfulness_section
from camlucida.evaluation.intervals import LEAST_PATIENTS, Estimate
from camlucida.evaluation.localization import chance_of, measures
from camlucida.evaluation.localization.words import localization_section
from camlucida.evaluation.report.document import (
    Block,
    Document,
    Paragraph,
    Picture,
    Section,
    Table,
    Tone,
    Verdict,
)
from camlucida.evaluation.report.facts import facts_of
from camlucida.evaluation.sanity import MethodResult
from camlucida.evaluation.sanity.film_strip import film_strip
from camlucida.evaluation.sanity.words import COLUMNS, head_in_words, rows
from camlucida.records.method_name import spelling

HEADINGS = (
    "Method",
    "Sanity",
    "Time",
    "Forward",
    "Backward",
    "Memory, MB",
    "Moran's I",
    "One region",
    "Inside",
    "By chance",
    "Within a cell",
    "ROAD",
)
NOTES = (
    (
        "Sanity: whether the map changes when the network forgets what it learnt (Adebayo 2018, Arun 2021). "
        "Time: processor time with the inference it explains, in plain inferences. Forward, backward: passes "
        "through the whole network. Memory: beside that of inference."
    ),
    (
        "Moran's I, one region: whether the map hangs together; it describes, and judges nothing. Inside: "
        "share of the evidence inside what readers marked, beside what the same map gives by chance; within "
        "a cell: how often its peak is. ROAD: logits by which the order of the map beats a random order."
    ),
    (
        "Means over all findings and cases; the chapters below have intervals. What differs by less than "
        "they are wide does not differ."
    ),
)
FEW = 20
"""Cases, below which means of methods are told with a warning."""

SHEET_WORDS = (
    "Maps in logits are on the model's own scale, the others each on its own: their brightness says nothing "
    "across methods. A reader's mark is outlined."
)


def document(found: Comparison, data: str) -> Document:
    """The whole report; `data` is what the user called it."""
    return Document(
        title=f"Methods compared on {found.cohort.model}",
        subtitle="What maps cost, and what they are worth, on these images",
        facts=facts_of(
            found.cohort, data, ("Methods", ", ".join(spelling(one.method) for one in found.costs))
        ),
        verdicts=[*verdicts(found)],
        sections=[*_sections(found)],
    )


def verdicts(found: Comparison) -> Iterator[Verdict]:
    """Which maps do not depend on what was learnt, and which the network's own answers bear out."""
    results = found.sanity.methods if found.sanity is not None else ()
    failed = [one.method for one in results if one.passed is False]
    if failed:
        yield Verdict(
            f"Not to be read as explanations of this model: {_names(failed)}",
            "With every layer randomised they draw much the same maps: they show the image, not what the "
            "model has learnt.",
            Tone.BAD,
        )
    every = {method: _overall(found, method, "faithfulness.beyond-chance") for method in found.methods}
    beyond = {method: one for method, one in every.items() if one and one.patients >= LEAST_PATIENTS}
    borne_out = [method for method, one in beyond.items() if one.low is not None and one.low > 0]
    not_so = [method for method, one in beyond.items() if one.high is not None and one.high <= 0]
    if borne_out:
        yield Verdict(
            f"Borne out by the network: {_names(borne_out)}",
            "Filling in what these maps call strongest takes more from the logit than filling in at random; "
            "the whole 95 % interval is above chance.",
            Tone.GOOD,
        )
    if not_so:
        yield Verdict(
            f"No better than a random order: {_names(not_so)}",
            "Filling in what these maps call strongest takes no more from the logit than a random order.",
            Tone.CAUTION,
        )
    undecided = [method for method in found.methods if method not in {*borne_out, *not_so}]
    if undecided:
        yield Verdict(
            f"Not decided on these cases: {_names(undecided)}",
            "The interval of what filling in takes beyond chance holds 0, or fewer than "
            f"{LEAST_PATIENTS} patients have a finding that could be tried: --limit takes more.",
            Tone.NEUTRAL,
        )


def _names(methods: Sequence[str]) -> str:
    return ", ".join(map(spelling, methods))


def _sections(found: Comparison) -> Iterator[Section]:
    yield Section("All methods", [*_first(found)])
    sheet = contact_sheet(found.cohort.observed, found.methods)
    if sheet is not None:
        alt = f"The same cases by {_names(found.methods)}: a row a case, a column a method"
        yield Section("Side by side", [Picture(sheet, SHEET_WORDS, alt)])
    localisation = localization_section(found.cohort, found.estimates)
    if localisation is not None:
        yield localisation
    yield faithfulness_section(found.cohort.observed)
    yield _sanity(found)


def _first(found: Comparison) -> Iterator[Block]:
    yield table(found)
    if len(found.cohort.observed) < FEW:
        yield Paragraph(
            f"On {len(found.cohort.observed)} cases: others may well turn the order of methods. --limit "
            "takes more.",
            Tone.CAUTION,
        )
    for one in found.costs:
        if one.error:
            yield Paragraph(f"{spelling(one.method)} has no maps of this network: {one.error}")
    for refused in found.cohort.refused:
        yield Paragraph(f"Refused: {refused.case}: {refused.reason}", Tone.CAUTION)


def table(found: Comparison) -> Table:
    """All methods by all kinds of measures, under HEADINGS."""
    return Table(
        HEADINGS,
        [_row(found, method) for method in found.methods],
        right=len(HEADINGS) - 2,
        caption=f"Timed on {TIMED} images, measured on {len(found.cohort.observed)} cases",
        notes=NOTES,
    )


def _row(found: Comparison, method: str) -> tuple[str, ...]:
    cost = next(one for one in found.costs if one.method == method)

    def mean(key: str, of: str = method, digits: int = 2) -> str:
        one = _overall(found, of, key)
        return "–" if one is None or one.value is None else f"{one.value:.{digits}f}"

    return (
        spelling(method),
        sanity_of(found, method),
        f"{cost.time:.1f}",
        str(cost.forward),
        str(cost.backward),
        f"{cost.memory / 2**20:.1f}",
        mean("coherence.morans-i"),
        mean("coherence.one-region"),
        mean(measures.SHARE),
        mean(measures.SHARE, chance_of(method)),
        mean(measures.HIT_WITHIN_CELL),
        mean("faithfulness.beyond-chance"),
    )


def sanity_of(found: Comparison, method: str) -> str:
    """Pass, late, fail, or – where it was not tested."""
    result = _result(found, method)
    if result is None or result.passed is None:
        return "–"
    if not result.passed:
        return "fail"
    return "late" if result.held_out else "pass"


def _result(found: Comparison, method: str) -> MethodResult | None:
    every = found.sanity.methods if found.sanity is not None else ()
    return next((one for one in every if one.method == method), None)


def _overall(found: Comparison, method: str, key: str) -> Estimate | None:
    return next((one.estimate for one in found.overall if one.method == method and one.measure == key), None)


def _sanity(found: Comparison) -> Section:
    blocks: list[Block] = []
    if found.sanity is not None:
        blocks += [
            Paragraph(
                f"Layer by layer, from the head downwards, {found.sanity.images} images, seed "
                f"{found.sanity.seed}. Late: it passes, but only after the first step. "
                f"{head_in_words(found.sanity)}"
            ),
            Table(COLUMNS, rows(found.sanity), right=5, caption="The randomisation test"),
            Picture(
                np.asarray(film_strip(found.sanity)),
                "From the trained network to one that knows nothing",
                "A row a method, a column a step of the cascade, with the similarity beneath each map",
            ),
        ]
    blocks += [Paragraph(f"{spelling(method)}: not tested, {why}.") for method, why in found.untested.items()]
    return Section("Sanity: does the map depend on what was learnt?", blocks)
