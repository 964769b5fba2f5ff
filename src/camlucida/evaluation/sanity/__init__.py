"""Do a method's maps depend on what the network has learnt? The randomisation test, pass or fail.

The maps of the trained network are held against those of the network whose weights are randomised layer by
layer from the head downwards (Adebayo et al., NeurIPS 2018). A method that gives much the same map of a
network that knows nothing shows the image, not the network.

Pass or fail is Arun's rule (Arun et al., Radiology: Artificial Intelligence 2021): the structural similarity
to the randomised network's map must fall below that of 50 random pairs of maps of the trained network, which
are of different images and have nothing in common but the method.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from camlucida.errors import CamlucidaError, UnsuitableImage
from camlucida.evaluation.sanity.cascade import Step, randomising, steps
from camlucida.evaluation.sanity.similarity import ssim
from camlucida.models.head import HeadProof, prove
from camlucida.records.geometry import resizing
from camlucida.rendering.upsample import resample
from camlucida.saliency.known_networks import known
from camlucida.saliency.methods import METHODS, find_method
from camlucida.saliency.ranks import spearman
from camlucida.saliency.recording import Recording
from camlucida.saliency.subject import Subject

PAIRS = 50
SIDE = {2: 64, 3: 24}
"""Pixels along each axis on which maps are compared, for images and volumes."""

LEAST_IMAGES = 2
"""A pair of maps of different images takes two."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """After one more step: mean SSIM and mean Spearman correlation with the trained network's maps."""

    step: str
    ssim: float
    correlation: float


@dataclass(frozen=True, slots=True)
class MethodResult:
    """One method: its random pairs' mean SSIM, the cascade, and whether it passes.

    `error` says why the method has no maps of this network; it has then neither passed nor failed.
    """

    method: str
    random_pairs: float
    steps: tuple[StepResult, ...]
    error: str = ""

    @property
    def passed(self) -> bool | None:
        """Arun's rule, with every layer randomised; None where the method could not be tested."""
        return None if self.error else self.steps[-1].ssim < self.random_pairs

    @property
    def held_out(self) -> int:
        """After how many steps the map is still as like the trained network's as random pairs are alike.

        0: it falls below them as soon as the logits' own layer is randomised.
        """
        return next(
            (n for n, step in enumerate(self.steps) if step.ssim < self.random_pairs), len(self.steps)
        )

    @property
    def verdict(self) -> str:
        """Pass or fail, in words."""
        if self.error:
            return f"not tested: {self.error}"
        if not self.passed:
            return "fails: it draws much the same map of a network that has learnt nothing"
        if self.held_out == 0:
            return "passes: another map as soon as the last layer has forgotten what it learnt"
        return f"passes, but only after {self.held_out + 1} of {len(self.steps)} steps: look at the cascade"


@dataclass(frozen=True, slots=True, eq=False)
class SanityReport:
    """What the randomisation test has shown.

    `head` is what was found when the trained network's head was tried on the same images.
    `strips` are the maps of one image and finding across the cascade, by method: (step, *native), absolute
    values; the first is that of the trained network.
    """

    images: int
    findings: tuple[str, ...]
    seed: int
    head: HeadProof
    methods: tuple[MethodResult, ...]
    strips: dict[str, NDArray[np.float32]]


Maps = dict[str, list[NDArray[np.float32]]]
"""By method, for each image: (finding, *native)."""


def randomisation_test(
    subjects: Sequence[Subject],
    methods: Sequence[str],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> SanityReport:
    """Randomise the network layer by layer, and compare each method's maps with those before.

    Parameters
    ----------
    subjects
        One network with several images, each as `camlucida.saliency.subject` makes it.
    progress
        Called with (done, of how many).

    Raises
    ------
    UnsuitableImage
        There are fewer than two images.
    UnknownMethod
        There is no such method.
    """
    if len(subjects) < LEAST_IMAGES:
        raise UnsuitableImage(
            f"The randomisation test takes at least two images, as it compares maps of different ones; here "
            f"is {len(subjects)}."
        )
    keys = tuple(dict.fromkeys(find_method(name)[0] for name in methods))
    network = subjects[0].network
    order = steps(network, lambda: record(subjects[0]))
    errors: dict[str, str] = {}
    with known(network).alone:
        head = prove(
            network, subjects[0].cut, (one.inputs for one in subjects), subjects[0].logits, made_up=0
        )
        cascade = [maps_of(subjects, keys, errors)]
        _tell(progress, 1, len(order) + 1)
        able = tuple(key for key in keys if key not in errors)
        with randomising(network, seed) as forget:
            for step in order:
                forget(step)
                cascade.append(maps_of(subjects, able, {}))
                _tell(progress, len(cascade), len(order) + 1)
    every = subjects[0].findings(subjects[0].cut.findings)
    return SanityReport(
        images=len(subjects),
        findings=tuple(finding.name for finding in every),
        seed=seed,
        head=head,
        methods=tuple(
            MethodResult(key, 0.0, (), errors[key]) if key in errors else _result(key, cascade, order, seed)
            for key in keys
        ),
        strips={key: _strip(key, cascade) for key in able},
    )


def record(subject: Subject) -> Recording:
    """One forward pass, of all findings."""
    return Recording(
        subject.network, subject.inputs, subject.cut, None, subject.logits, training=subject.training
    )


def maps_of(subjects: Sequence[Subject], keys: Sequence[str], errors: dict[str, str]) -> Maps:
    """Absolute maps; a method that fails on the first image is noted in `errors` and left out."""
    maps: Maps = {key: [] for key in keys}
    for subject in subjects:
        recording = record(subject)
        for key in keys:
            if key in errors:
                continue
            try:
                maps[key].append(_map(recording, key))
            except CamlucidaError as error:
                errors[key] = str(error)
    return maps


def _map(recording: Recording, key: str) -> NDArray[np.float32]:
    method = METHODS[key]
    values = method.compute(recording, variant=method.variants[0], progress=None)[0].detach().float()
    return torch.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0).abs().cpu().numpy()


def _result(key: str, cascade: Sequence[Maps], order: Sequence[Step], seed: int) -> MethodResult:
    trained = [[comparable(one) for one in image] for image in cascade[0][key]]
    results = []
    for step, maps in zip(order, cascade[1:], strict=True):
        pairs = [
            (cascade[0][key][image][finding], maps[key][image][finding], trained[image][finding])
            for image in range(len(trained))
            for finding in range(len(trained[image]))
        ]
        likeness = [ssim(before, comparable(now)) for _, now, before in pairs]
        ranks = [spearman(before, now) or 0.0 for before, now, _ in pairs]
        results.append(StepResult(step.name, float(np.mean(likeness)), float(np.mean(ranks))))
    return MethodResult(key, random_pairs(trained, seed), tuple(results))


def random_pairs(trained: Sequence[Sequence[NDArray[np.float32]]], seed: int) -> float:
    """Mean SSIM of 50 random pairs of maps, [image][finding], of one finding and two different images."""
    random = np.random.default_rng(seed)
    likeness = []
    for _ in range(PAIRS):
        one, other = (int(image) for image in random.choice(len(trained), 2, replace=False))
        finding = int(random.integers(len(trained[0])))
        likeness.append(ssim(trained[one][finding], trained[other][finding]))
    return float(np.mean(likeness))


def comparable(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A map (*native) as it is looked at: interpolated to a common size, its largest value 1."""
    size = (SIDE[values.ndim],) * values.ndim
    shown = resample(values, resizing(values.shape, size), size, antialias=True)
    peak = float(shown.max())
    return shown / peak if peak > 0 else shown


def _strip(key: str, cascade: Sequence[Maps]) -> NDArray[np.float32]:
    """The first image's maps of the finding that is strongest in the trained network's map."""
    finding = int(cascade[0][key][0].reshape(len(cascade[0][key][0]), -1).max(axis=1).argmax())
    return np.stack([maps[key][0][finding] for maps in cascade])


def _tell(progress: Callable[[int, int], None] | None, done: int, whole: int) -> None:
    if progress is not None:
        progress(done, whole)
