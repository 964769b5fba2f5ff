"""An evaluation as a report: first whether the model may be used on images like these, then why."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from camlucida.evaluation.classification.domain import judgements, verdicts
from camlucida.evaluation.classification.words import classification_section, subgroups_section
from camlucida.evaluation.classification.worst_cases import worst_cases_section
from camlucida.evaluation.data.cohort import Observed
from camlucida.evaluation.data.dataset import Dataset
from camlucida.evaluation.evaluation import Evaluation
from camlucida.evaluation.faithfulness.words import faithfulness_section
from camlucida.evaluation.localization.words import localization_section
from camlucida.evaluation.measures import Topic
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
from camlucida.evaluation.report.facts import DIGITS
from camlucida.evaluation.robustness.words import robustness_section
from camlucida.evaluation.sanity.film_strip import film_strip
from camlucida.evaluation.sanity.label_words import label_blocks
from camlucida.evaluation.sanity.words import COLUMNS, head_in_words, rows
from camlucida.models.classifier import Classifier
from camlucida.records.method_name import spelling
from camlucida.version import __version__

UNLABELLED = (
    "Of no finding of the model do the data say in which cases it is there. Whether the model may be used on "
    "images like these, nobody can say without labels."
)
UNASKED = (
    "Whether the model may be used on images like these is said by the part “classification”, which was left "
    "out."
)

MANY_REFUSED = 0.1
"""Share of refused cases from which the first page says so: those left may be others than those refused."""

MOST_LISTED = 200


def as_document(
    evaluation: Evaluation, model: Classifier, dataset: Dataset, data: str, date: str
) -> Document:
    """The report.

    Parameters
    ----------
    data
        What the user calls the data: the name of the table or folder.
    date
        When it was made, as it is to be shown.
    """
    cohort, plan = evaluation.cohort, evaluation.plan
    card = model.card
    return Document(
        title=f"Evaluation of {card.title or card.name}",
        subtitle=f"{cohort.model} on {data}",
        facts=[
            ("Model", cohort.model),
            ("Model digest", cohort.digest[:DIGITS]),
            ("Data", data),
            ("Cases", _cases(evaluation)),
            ("Methods", ", ".join(map(spelling, plan.methods))),
            ("Measured closely", _sampled(evaluation)),
            ("Date", date),
            ("camlucida", f"{__version__}, seed {plan.seed}"),
        ],
        verdicts=list(_verdicts(evaluation)),
        sections=list(_sections(evaluation, dataset)),
        footnotes=list(_footnotes(model)),
    )


def _cases(evaluation: Evaluation) -> str:
    observed, refused = evaluation.cohort.observed, evaluation.cohort.refused
    patients = len({one.case.patient for one in observed})
    return f"{len(observed)} of {patients} patients" + (f"; {len(refused)} refused" if refused else "")


def _sampled(evaluation: Evaluation) -> str:
    if not evaluation.sampled:
        return "–"
    return f"{evaluation.sampled} cases, drawn from those with a finding that is there or reported"


def _verdicts(evaluation: Evaluation) -> Iterator[Verdict]:
    if evaluation.findings:
        yield from verdicts(judgements(evaluation.findings))
    else:
        asked = Topic.CLASSIFICATION in evaluation.plan.parts
        yield Verdict("Not judged on these images", UNLABELLED if asked else UNASKED, Tone.CAUTION)
    refused, whole = len(evaluation.cohort.refused), len(evaluation.cohort.observed)
    if refused > MANY_REFUSED * (refused + whole):
        yield Verdict(
            f"{refused} of {refused + whole} cases could not be used",
            "What is said here is of the others only. The last chapter says why they were refused.",
            Tone.CAUTION,
        )
    if evaluation.sanity is not None:
        yield from _randomised(evaluation)


def _randomised(evaluation: Evaluation) -> Iterator[Verdict]:
    """Methods that draw much the same map of a network that has learnt nothing."""
    report = evaluation.sanity
    failed = [one for one in report.methods if one.passed is False] if report else []
    if failed:
        names = ", ".join(spelling(one.method) for one in failed)
        why = "; ".join(f"{spelling(one.method)} {one.verdict}" for one in failed)
        yield Verdict(f"Do not read maps of {names} of this model", f"Randomisation test: {why}.", Tone.BAD)


def _sections(evaluation: Evaluation, dataset: Dataset) -> Iterator[Section]:
    plan, observed = evaluation.plan, evaluation.cohort.observed
    names = [one.answers.finding for one in evaluation.findings]
    chapters: list[Section | None] = []
    if Topic.CLASSIFICATION in plan.parts:
        chapters.append(classification_section(evaluation.findings, evaluation.together))
        chapters.append(subgroups_section(evaluation.subgroups))
    if names:
        chapters.append(worst_cases_section(observed, names, plan.methods[0]))
    if Topic.LOCALISATION in plan.parts:
        chapters.append(localization_section(evaluation.cohort, evaluation.estimates) or UNMARKED)
    if Topic.FAITHFULNESS in plan.parts:
        chapters.append(faithfulness_section(_with(observed, Topic.FAITHFULNESS)))
    if Topic.SANITY in plan.parts:
        chapters.append(_sanity(evaluation))
    if Topic.ROBUSTNESS in plan.parts:
        chapters.append(robustness_section(_with(observed, Topic.ROBUSTNESS)))
    yield from filter(None, chapters)
    yield _data(evaluation, dataset)


UNMARKED = Section(
    "Localisation",
    [
        Paragraph(
            "No reader's marks were given, so nobody can say whether the evidence lies in the right place."
        )
    ],
)


def _with(observed: Sequence[Observed], topic: Topic) -> list[Observed]:
    """The cases of which something was measured on this topic, with that alone."""
    rows = [tuple(row for row in one.measurements if row.measure.startswith(f"{topic}.")) for one in observed]
    return [replace(one, measurements=some) for one, some in zip(observed, rows, strict=True) if some]


def _sanity(evaluation: Evaluation) -> Section | None:
    report = evaluation.sanity
    if report is None:
        return None
    strip = Picture(
        film_strip(report),
        "",
        "One image's maps by each method, of the trained network and after each step of the randomisation.",
    )
    verdicts = [
        Paragraph(f"{spelling(one.method)} {one.verdict}.", TONES[one.passed]) for one in report.methods
    ]
    return Section(
        "Randomisation tests",
        [
            Paragraph(RANDOMISED.format(images=report.images)),
            *verdicts,
            Table(COLUMNS, rows(report), right=5),
            Paragraph(head_in_words(report)),
            *(label_blocks(evaluation.label_sanity) if evaluation.label_sanity else ()),
        ],
        [strip],
    )


RANDOMISED = (
    "The weights are randomised layer by layer from the head downwards, on {images} images (Adebayo et al., "
    "NeurIPS 2018). A method passes if its map of a network that has forgotten all is less like that of the "
    "trained one than 50 random pairs of maps are like each other (Arun et al., Radiology: AI 2021)."
)
TONES = {True: Tone.GOOD, False: Tone.BAD, None: Tone.CAUTION}


def _data(evaluation: Evaluation, dataset: Dataset) -> Section:
    """What could not be used, and why."""
    refused = evaluation.cohort.refused
    notes = [*dataset.notes, *evaluation.notes]
    blocks: list[Block] = [Paragraph(note) for note in notes]
    details: list[Block] = []
    if refused:
        reasons = Counter(one.reason for one in refused)
        blocks.append(
            Table(
                ("Why", "Cases"),
                [(reason, str(count)) for reason, count in reasons.most_common(20)],
                right=1,
                caption=f"{len(refused)} cases were refused",
            )
        )
        more = (
            (f"and {len(refused) - MOST_LISTED} more: report.json has all",)
            if len(refused) > MOST_LISTED
            else ()
        )
        details.append(
            Table(("Case", "Why"), [(one.case, one.reason) for one in refused[:MOST_LISTED]], notes=more)
        )
    unmarked = [(one.case.name, note) for one in evaluation.cohort.observed for note in one.notes]
    if unmarked:
        details.append(
            Table(("Case", "Note"), unmarked[:MOST_LISTED], caption="Marks that could not be used")
        )
    return Section("The data", blocks or [Paragraph("Every case could be used.")], details)


def _footnotes(model: Classifier) -> Iterator[str]:
    yield "All figures are of these cases. Intervals are of 95 %, from 1000 resamples of patients."
    if model.card.limits:
        yield f"The model card says: {model.card.limits}"
