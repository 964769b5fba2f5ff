"""Methods side by side on one model and one's own cases: what they cost, and what their maps are worth."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from camlucida.errors import CamlucidaError, UnsuitableImage
from camlucida.evaluation import faithfulness
from camlucida.evaluation.comparison.coherence import measure_coherence
from camlucida.evaluation.comparison.cost import Cost, costs
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Cohort
from camlucida.evaluation.data.observing import cohort
from camlucida.evaluation.estimates import Estimated, means
from camlucida.evaluation.intervals import Estimate
from camlucida.evaluation.localization import measure_localization
from camlucida.evaluation.sanity import SanityReport, randomisation_test
from camlucida.images.read import ImageFiles, read
from camlucida.models.classifier import Classifier
from camlucida.saliency.known_networks import admitted
from camlucida.saliency.methods import find_method
from camlucida.saliency.subject import Subject, of_classifier

METHODS = (
    "grad-cam",
    "grad-cam++",
    "score-cam",
    "layercam",
    "hirescam",
    "gradient",
    "deconvolution",
    "integrated gradients",
    "gradientshap",
    "lime",
    "kernelshap",
    "occlusion",
)
"""Those that are compared if nothing is asked."""

TIMED = 2
"""Images on which methods are timed."""

RANDOMISED = 6
"""Images on which weights are randomised."""

DEAREST = 60.0
"""Inferences that a method may cost to be put to the randomisation test, which asks for it at every step."""

Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much."""


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """What came of each method.

    `costs` are of all methods that were asked for; one that has no maps of this network has an error.
    `sanity` is None where nothing was tested, and `untested` says why of single methods. `overall` are means
    over all findings, `estimates` for each finding and the costs.
    """

    cohort: Cohort
    costs: tuple[Cost, ...]
    sanity: SanityReport | None
    untested: Mapping[str, str]
    estimates: tuple[Estimated, ...]
    overall: tuple[Estimated, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that have maps of this network."""
        return tuple(one.method for one in self.costs if not one.error)


def compare(
    model: Classifier,
    cases: Sequence[Case],
    methods: Sequence[str] = METHODS,
    *,
    sanity: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
    kept_in: Path | None = None,
) -> Comparison:
    """Costs, coherence, localisation, faithfulness and the randomisation test of methods.

    Parameters
    ----------
    sanity
        Whether weights are randomised as well; of methods dearer than `DEAREST` never.
    kept_in
        As in `camlucida.evaluation.data.observing.observe`.

    Raises
    ------
    UnknownMethod
        There is no such method.
    UnsuitableImage
        The model takes none of the images.
    """
    keys = tuple(dict.fromkeys(find_method(name)[0] for name in methods))
    subjects = list(islice(_subjects(model, cases), RANDOMISED))
    if not subjects:
        raise UnsuitableImage(f"The model {model.card.name} takes none of the {len(cases)} images.")
    found = costs(subjects[:TIMED], keys, _stage(progress, "Timing methods"))
    able = [one.method for one in found if not one.error]
    if not able:
        raise UnsuitableImage(f"No method has maps of this network. {found[0].method}: {found[0].error}")
    seen = cohort(
        model,
        cases,
        able,
        [measure_localization, faithfulness.measuring(), measure_coherence],
        progress=_stage(progress, "Explaining cases"),
        kept_in=kept_in,
    )
    untested = _untested(found, len(subjects), asked=sanity)
    tested = [method for method in able if method not in untested]
    report = randomisation_test(subjects, tested, seed, _stage(progress, "Randomising")) if tested else None
    return Comparison(
        cohort=seen,
        costs=found,
        sanity=report,
        untested=untested,
        estimates=(*means(seen.observed, seed=seed), *_of_costs(found, min(TIMED, len(subjects)))),
        overall=means(seen.observed, by_finding=False, seed=seed),
    )


def _subjects(model: Classifier, cases: Sequence[Case]) -> Iterator[Subject]:
    """Of the first images that the model takes; the others are refused when they are explained."""
    network = admitted(model.module)
    for case in cases:
        try:
            (image,) = read(ImageFiles(case.name, case.files))
            yield of_classifier(model, network, [image], None, scalar=False)
        except (CamlucidaError, OSError, ValueError):
            continue


def _untested(found: Sequence[Cost], images: int, *, asked: bool) -> dict[str, str]:
    """Why methods are not put to the randomisation test."""
    if not asked:
        return {one.method: "not asked for" for one in found if not one.error}
    if images < 2:
        return {one.method: "it takes two images" for one in found if not one.error}
    return {
        one.method: f"too dear: {one.time:.0f} inferences an image, at every step"
        for one in found
        if not one.error and one.time > DEAREST
    }


def _of_costs(found: Sequence[Cost], images: int) -> Iterator[Estimated]:
    for one in found:
        if one.error:
            continue
        values = {
            "time": one.time,
            "forward": one.forward,
            "backward": one.backward,
            "memory": one.memory / 2**20,
        }
        for key, value in values.items():
            known = Estimate(float(value), None, None, images, images, "No interval: timed, not sampled.")
            yield Estimated(f"cost.{key}", "", one.method, "", known)


def _stage(progress: Progress | None, stage: str) -> Callable[[int, int], None] | None:
    if progress is None:
        return None
    return lambda done, whole: progress(stage, done, whole)
