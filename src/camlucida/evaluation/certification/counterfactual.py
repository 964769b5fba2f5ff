"""The same image without an artefact and with it: what two models make of the difference.

This is the artefact's effect itself, not an estimate from a map: nothing but the artefact differs, so
whatever differs in the logit is the artefact's doing. It is pasted into images that do not carry it and taken
out of those that do, before anything is prepared for the network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from camlucida.errors import CamlucidaError, InputError, sentence
from camlucida.evaluation.classification import log_odds
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Refused
from camlucida.evaluation.data.seen import Seen
from camlucida.evaluation.localization import localization
from camlucida.evaluation.localization.marked import Marked, marked
from camlucida.evaluation.localization.measures import SHARE
from camlucida.images.artefact import Artefact
from camlucida.images.read import ImageFiles, read
from camlucida.models.classifier import Classifier
from camlucida.records import Image, SaliencyMap
from camlucida.rendering.upsample import resample
from camlucida.saliency.explain import explain_batch

MAPS = 100
"""Cases of which maps are computed, the first ones: they cost most, and decide least."""


@dataclass(frozen=True, slots=True)
class Versions:
    """What one model makes of one image.

    `without` and `having` are log-odds of the finding, without the artefact and with it. `share` is the share
    of the map's support that lies on the artefact, where it is on the image; `inside` the share inside the
    reader's marks, without the artefact. None: no map was computed, it has no support, or nothing is marked.
    """

    without: float
    having: float
    share: float | None = None
    inside: float | None = None

    @property
    def effect(self) -> float:
        """What the artefact adds to the logit."""
        return self.having - self.without


@dataclass(frozen=True, slots=True)
class Twin:
    """One case as two models see it, without the artefact and with it.

    `present` says whether the finding is there, `carries` whether the image as it is has the artefact.
    """

    case: str
    patient: str = field(repr=False)
    present: bool
    carries: bool
    before: Versions
    after: Versions


def twins(
    before: Classifier,
    after: Classifier,
    cases: Sequence[Case],
    artefact: Artefact,
    finding: str,
    carries: Callable[[Case], bool],
    *,
    method: str = "grad-cam",
    maps: int = MAPS,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Twin | Refused]:
    """Show two models every case whose label is known, without the artefact and with it.

    Parameters
    ----------
    carries
        Whether a case's image as it is has the artefact.
    maps
        Of how many cases maps are computed; 0 for none.
    progress
        Called with (done, of how many).
    """
    labelled = [case for case in cases if finding in case.labels]
    for done, case in enumerate(labelled, start=1):
        try:
            yield _twin(before, after, case, artefact, finding, carries(case), method if done <= maps else "")
        except (CamlucidaError, OSError, MemoryError) as error:
            yield Refused(case.name, sentence(error))
        if progress is not None:
            progress(done, len(labelled))


def both_versions(image: Image, artefact: Artefact, *, carries: bool) -> tuple[Image, Image]:
    """The image without the artefact and with it; one of them is the image as it is.

    Raises
    ------
    InputError, MissingGeometry
        As `Artefact.paste` and `Artefact.planes`.
    """
    return (artefact.remove(image), image) if carries else (image, artefact.paste(image))


def _twin(
    before: Classifier,
    after: Classifier,
    case: Case,
    artefact: Artefact,
    finding: str,
    carries: bool,
    method: str,
) -> Twin:
    images = read(ImageFiles(case.name, case.files))
    if len(images) > 1:
        raise InputError(f"The file holds {len(images)} images; a case has one.")
    versions = both_versions(images[0], artefact, carries=carries)
    where = marked([mark.on(images[0]) for mark in case.marks if mark.finding == finding], finding)
    seen = [_versions(model, versions, artefact, finding, method, where) for model in (before, after)]
    return Twin(case.name, case.patient, case.labels[finding], carries, *seen)


def _versions(
    model: Classifier,
    versions: tuple[Image, Image],
    artefact: Artefact,
    finding: str,
    method: str,
    where: Marked | None,
) -> Versions:
    seen = [Seen("", image, model, {}, {}) for image in versions]
    logits = seen[0].score(torch.cat([one.inputs for one in seen]))
    without, having = (log_odds(model.prediction(row), finding, model.card.output) for row in logits)
    if not method:
        return Versions(without, having)
    maps = [
        one.explanation.saliency_map
        for one in explain_batch(model, list(versions), method=method, finding=finding)
    ]
    inside = None if where is None else localization(maps[0].values[0], maps[0].geometry, where)[SHARE]
    return Versions(without, having, share_on(maps[1], artefact), inside)


def share_on(one: SaliencyMap, artefact: Artefact) -> float | None:
    """The share of a map's support that lies in the cells of the artefact; None without any support."""
    support = np.maximum(one.values[0].astype(np.float64), 0)
    if not support.any():
        return None
    return float((support * covered_cells(one, artefact)).sum() / support.sum())


def covered_cells(one: SaliencyMap, artefact: Artefact) -> NDArray[np.float32]:
    """How much of each native cell the artefact covers, 0..1: (*native)."""
    geometry = one.geometry
    region = artefact.region(geometry.pixel_shape, geometry.spacing)
    region = np.broadcast_to(region, geometry.pixel_shape)
    return resample(region, geometry.native_to_pixel, geometry.native_shape, antialias=True)
