"""A model on the user's cases: how good what it says is, and what its maps are worth.

All cases are explained, and held against labels and marks. What is dear (faithfulness, robustness, the
randomisation test) is measured on a sample of the cases that the model reports or that have a finding: a map
of nothing has nothing to be faithful to.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from camlucida.errors import CamlucidaError, InputError, UnsupportedNetwork
from camlucida.evaluation.classification import (
    Classified,
    OneOfSeveral,
    answers,
    classified,
    one_of_several,
)
from camlucida.evaluation.classification.subgroups import Group, Subgroups, by_group, groups
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Cohort, Observed
from camlucida.evaluation.data.dataset import Dataset
from camlucida.evaluation.data.interest import reports
from camlucida.evaluation.data.observing import Progress, cohort
from camlucida.evaluation.data.seen import Measuring
from camlucida.evaluation.estimates import Estimated, means
from camlucida.evaluation.faithfulness import measuring as faithfulness
from camlucida.evaluation.localization import measure_localization
from camlucida.evaluation.measures import Topic
from camlucida.evaluation.robustness import measuring as robustness
from camlucida.evaluation.robustness import prediction_saliency_correlation
from camlucida.evaluation.sanity import LEAST_IMAGES, SanityReport, randomisation_test
from camlucida.evaluation.sanity.label_randomisation import LabelReport, label_randomisation_test
from camlucida.images.read import ImageFiles, read
from camlucida.models.card import Output, Task
from camlucida.models.classifier import Classifier
from camlucida.saliency.known_networks import admitted
from camlucida.saliency.methods import find_method
from camlucida.saliency.subject import Subject, of_classifier

PARTS = (Topic.CLASSIFICATION, Topic.LOCALISATION, Topic.FAITHFULNESS, Topic.SANITY, Topic.ROBUSTNESS)
"""What can be evaluated."""

USUAL_COLUMNS = ("age", "sex", "view", "scanner", "site")
"""By these subgroups are made where nobody says by which: those that the data have."""

SAMPLE = 32
"""Cases on which what is dear is measured."""

MOST_RANDOMISED = 16
"""Images of the randomisation test: the maps of all of its steps are held."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be evaluated.

    `subgroups` are columns of the data; None: the usual ones that are there. `sample` are the cases for what
    is dear.
    """

    methods: tuple[str, ...] = ("grad-cam",)
    parts: tuple[Topic, ...] = PARTS
    subgroups: tuple[str, ...] | None = None
    sample: int = SAMPLE
    seed: int = 0
    runtime: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What was found.

    `findings` are those of which a label is known in some case; `together` is there where exactly one finding
    is the case (softmax). `sampled` is how many cases what is dear was measured on. `notes` say what could
    not be done, and why.
    """

    plan: Plan
    cohort: Cohort
    findings: tuple[Classified, ...]
    together: OneOfSeveral | None
    subgroups: tuple[Subgroups, ...]
    sampled: int
    sanity: SanityReport | None
    label_sanity: LabelReport | None
    estimates: tuple[Estimated, ...]
    notes: tuple[str, ...] = field(default=())


Stage = Callable[[str], Progress]
"""Begins a stage, by its name, and gives what is told of its progress."""


def evaluate(
    model: Classifier,
    dataset: Dataset,
    plan: Plan,
    *,
    stage: Stage | None = None,
    kept_in: Path | None = None,
) -> Evaluation:
    """Show a model the cases, and measure what it says and where its evidence lies.

    Parameters
    ----------
    stage
        Told when a stage begins; what it gives is called with (done, of how many).
    kept_in
        As in `observe`: a run that was stopped goes on from there.

    Raises
    ------
    UnsupportedNetwork
        A regression: it reports no finding.
    InputError
        Not one case could be used, or a column for subgroups is not there.
    UnknownMethod, MissingExtra, UnsuitableRuntime
        As in `observe`.
    """
    if model.card.task is Task.REGRESSION:
        raise UnsupportedNetwork(
            f"The model {model.card.name} is a regression: it reports no findings that could be evaluated."
        )
    begin = stage or (lambda _name: lambda _done, _whole: None)
    plan = replace(plan, methods=tuple(dict.fromkeys(find_method(name)[0] for name in plan.methods)))
    columns = _columns(dataset.cases, plan.subgroups)
    plan = replace(plan, subgroups=columns)

    def observed(cases: Sequence[Case], measuring: Sequence[Measuring], name: str) -> Cohort:
        return cohort(
            model,
            cases,
            plan.methods,
            measuring,
            runtime=plan.runtime,
            progress=begin(name),
            kept_in=kept_in,
        )

    whole = observed(dataset.cases, list(_cheap(plan)), "Cases")
    if not whole.observed:
        first = whole.refused[0].reason if whole.refused else "There are none."
        raise InputError(f"Not one of {len(dataset.cases)} cases could be used; the first: {first}")
    chosen = sample(whole.observed, plan.sample, plan.seed)
    dear = list(_dear(plan))
    if dear and chosen:
        closely = observed([whole.observed[place].case for place in chosen], dear, "Sample")
        whole = _joined(whole, closely)
    tested = _subjects(model, [whole.observed[place].case for place in chosen], plan)
    notes: list[str] = []
    sanity = _weights_randomised(tested, plan, begin, notes)
    label_sanity = _labels_randomised(model, tested, whole.observed, plan, begin, notes)
    every = _classified(model, whole.observed, plan)
    together = _together(model, whole.observed, plan)
    by_column = tuple(_by_column(model, whole.observed, plan))
    return Evaluation(
        plan=plan,
        cohort=whole,
        findings=every,
        together=together,
        subgroups=by_column,
        sampled=len(chosen) if dear else 0,
        sanity=sanity,
        label_sanity=label_sanity,
        estimates=(
            *(row for one in every for row in one.rows()),
            *(together.rows() if together else ()),
            *(row for one in by_column for row in one.estimates()),
            *means(whole.observed, seed=plan.seed),
            *(prediction_saliency_correlation(whole.observed) if Topic.ROBUSTNESS in plan.parts else ()),
            *_maps_by_group(whole.observed, plan),
        ),
        notes=tuple(notes),
    )


def sample(observed: Sequence[Observed], count: int, seed: int = 0) -> list[int]:
    """Places of some cases, in their order: drawn from those with a finding that is there or reported."""
    worth = [place for place, one in enumerate(observed) if _reports(one) or any(one.case.labels.values())]
    drawn = np.random.default_rng(seed).permutation(len(worth))[:count]
    return sorted(worth[number] for number in drawn)


def _reports(one: Observed) -> bool:
    return any(reports(one.prediction, index) for index in range(len(one.prediction.findings)))


def _cheap(plan: Plan) -> Iterator[Measuring]:
    if Topic.LOCALISATION in plan.parts:
        yield measure_localization


def _dear(plan: Plan) -> Iterator[Measuring]:
    if Topic.FAITHFULNESS in plan.parts:
        yield faithfulness()
    if Topic.ROBUSTNESS in plan.parts:
        yield robustness()


def _joined(whole: Cohort, closely: Cohort) -> Cohort:
    """All cases, with what was measured of the sample too."""
    more = {one.case.files: one.measurements for one in closely.observed}
    return replace(
        whole,
        observed=tuple(
            replace(one, measurements=(*one.measurements, *more.get(one.case.files, ())))
            for one in whole.observed
        ),
    )


def _classified(model: Classifier, observed: Sequence[Observed], plan: Plan) -> tuple[Classified, ...]:
    """The findings of which something is known."""
    if Topic.CLASSIFICATION not in plan.parts:
        return ()
    known = _known(model, observed)
    return tuple(classified(answers(observed, name, model.card.output), seed=plan.seed) for name in known)


def _known(model: Classifier, observed: Iterable[Observed]) -> list[str]:
    named = {name for one in observed for name in one.case.labels}
    return [finding.name for finding in model.card.findings if finding.name in named]


def _together(model: Classifier, observed: Sequence[Observed], plan: Plan) -> OneOfSeveral | None:
    if Topic.CLASSIFICATION not in plan.parts or model.card.output is not Output.SOFTMAX:
        return None
    return one_of_several(observed, seed=plan.seed)


def _by_column(model: Classifier, observed: Sequence[Observed], plan: Plan) -> Iterator[Subgroups]:
    if Topic.CLASSIFICATION not in plan.parts:
        return
    for column in plan.subgroups or ():
        for name in _known(model, observed):
            known = [one for one in observed if name in one.case.labels]
            values = [one.case.columns.get(column, "") for one in known]
            yield by_group(answers(known, name, model.card.output), column, values, seed=plan.seed)


def _maps_by_group(observed: Sequence[Observed], plan: Plan) -> Iterator[Estimated]:
    """Measures of the methods' maps in each subgroup; of chance and rivals there is nothing to say there."""
    measured = [
        replace(one, measurements=tuple(row for row in one.measurements if row.method in plan.methods))
        for one in observed
    ]
    for group in _groups(measured, plan.subgroups or ()):
        yield from means(
            [one for one, there in zip(measured, group.members, strict=True) if there],
            group.title,
            seed=plan.seed,
        )


def _groups(observed: Sequence[Observed], columns: Iterable[str]) -> Iterator[Group]:
    for column in columns:
        yield from groups(column, [one.case.columns.get(column, "") for one in observed])


def _columns(cases: Sequence[Case], asked: Sequence[str] | None) -> tuple[str, ...]:
    """The columns for subgroups; asked for by name, one that is not there is an error."""
    there = dict.fromkeys(name for case in cases for name in case.columns)
    if asked is None:
        return tuple(name for name in USUAL_COLUMNS if name in there)
    unknown = next((name for name in asked if name not in there), None)
    if unknown is not None:
        raise InputError(
            f"The data have no column “{unknown}” for subgroups; they have: {', '.join(there) or 'none'}."
        )
    return tuple(dict.fromkeys(asked))


def _subjects(model: Classifier, cases: Sequence[Case], plan: Plan) -> list[Subject]:
    """Some of the sample, for tests of methods that ask a changed network."""
    if Topic.SANITY not in plan.parts:
        return []
    network = admitted(model.module)
    images = [read(ImageFiles(case.name, case.files))[0] for case in cases[:MOST_RANDOMISED]]
    return [of_classifier(model, network, [image], None, scalar=False) for image in images]


def _weights_randomised(
    tested: Sequence[Subject], plan: Plan, begin: Stage, notes: list[str]
) -> SanityReport | None:
    """The cascade; why there is none goes into `notes`."""
    if Topic.SANITY not in plan.parts:
        return None
    if len(tested) < LEAST_IMAGES:
        notes.append(f"No randomisation test: it takes {LEAST_IMAGES} images with a finding, or reported.")
        return None
    try:
        return randomisation_test(tested, plan.methods, plan.seed, begin("Randomising weights"))
    except CamlucidaError as error:
        notes.append(f"No randomisation of weights: {error}")
        return None


def _labels_randomised(
    model: Classifier,
    tested: Sequence[Subject],
    observed: Sequence[Observed],
    plan: Plan,
    begin: Stage,
    notes: list[str],
) -> LabelReport | None:
    """The last layer on shuffled labels; why that cannot be done goes into `notes`."""
    if len(tested) < LEAST_IMAGES:
        return None
    embeddings = np.stack([one.embedding for one in observed])
    names = [finding.name for finding in model.card.findings]
    present = np.array([[one.case.labels.get(name, np.nan) for name in names] for one in observed], float)
    try:
        return label_randomisation_test(
            tested, embeddings, present, plan.methods, plan.seed, begin("Randomising labels")
        )
    except CamlucidaError as error:
        notes.append(f"No randomisation of labels: {error}")
        return None
