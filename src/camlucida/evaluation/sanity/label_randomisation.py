"""Do a method's maps depend on what the labels were? The last layer is trained again, on shuffled labels.

Adebayo et al. (Sanity Checks for Saliency Maps, NeurIPS 2018, section 3.2) train the whole network again on
labels that were shuffled. Of somebody's own network that is seldom possible; but where the head is one linear
layer on the pooled features, that layer is trained again in a second. So this is a weaker test: the features
below still know what they learnt from the right labels. What it can show is a method whose maps are the same
whatever the last layer says of the features.

Each map is held against the trained network's own map. A method passes if a head that was trained again on
shuffled labels makes it less alike than one that was trained again on the right labels, which is what
training again does by itself; the interval of the difference must be above 0.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from camlucida.errors import UnsuitableImage, UnsupportedNetwork
from camlucida.evaluation.intervals import Estimate, mean
from camlucida.evaluation.sanity import LEAST_IMAGES, Maps, comparable, maps_of, random_pairs, record
from camlucida.evaluation.sanity.cascade import steps
from camlucida.evaluation.sanity.similarity import ssim
from camlucida.saliency.known_networks import known
from camlucida.saliency.methods import find_method
from camlucida.saliency.subject import Subject

SHUFFLES = 5
"""Heads on shuffled labels; their figures are averaged."""

LEAST_EACH = 5
"""Cases with a finding, and without it, that its part of the head can be trained on."""

LEAST_JUDGED = 6
"""Images from which a method is judged: five all differ the same way by chance once in 16 times."""

ALIKE = 0.95
"""SSIM from which maps of shuffled labels are the trained network's own, however small the interval is."""

PENALTY = 1.0
"""Of the squared weights, in cases, as scikit-learn's LogisticRegression has it (1 / C)."""


@dataclass(frozen=True, slots=True)
class LabelResult:
    """One method: mean SSIM of its maps with the trained network's own.

    `right` and `shuffled` say on which labels the head was trained again; `difference` is how much less alike
    the maps of shuffled labels are, with an interval by image. `random_pairs` is the mean SSIM of 50 pairs of
    the trained network's maps of different images, for scale. `error` says why the method has no maps.
    """

    method: str
    right: float
    shuffled: float
    difference: Estimate | None
    random_pairs: float
    error: str = ""

    @property
    def passed(self) -> bool | None:
        """Whether shuffled labels change the map more than training again does.

        None where the method could not be tested, there are fewer than six images, or the interval holds 0.
        """
        if self.difference is None or self.difference.cases < LEAST_JUDGED:
            return None
        if self.shuffled >= ALIKE:
            return False
        low, high = self.difference.low, self.difference.high
        return None if low is None or high is None or low <= 0 <= high else low > 0

    @property
    def verdict(self) -> str:
        """Pass or fail, in words."""
        if self.error:
            return f"not tested: {self.error}"
        if self.passed:
            return "passes: with a head that learnt from shuffled labels it is another map"
        if self.passed is False:
            return "fails: the labels that the head learnt from make no difference to the map"
        if self.difference is not None and self.difference.cases < LEAST_JUDGED:
            return f"undecided: of {self.difference.cases} images, where it takes {LEAST_JUDGED}"
        return "undecided: training again on the right labels changes the map about as much"


@dataclass(frozen=True, slots=True)
class LabelReport:
    """What the test has shown, on how many images; the heads were trained on `cases` cases.

    `left_out` are findings with too few cases of either kind.
    """

    images: int
    cases: int
    findings: tuple[str, ...]
    left_out: tuple[str, ...]
    seed: int
    methods: tuple[LabelResult, ...]


def label_randomisation_test(
    subjects: Sequence[Subject],
    embeddings: NDArray[np.floating],
    present: NDArray[np.floating],
    methods: Sequence[str],
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> LabelReport:
    """Train the last layer again on right and on shuffled labels, and compare each method's maps.

    Parameters
    ----------
    subjects
        One network with several images, each as `camlucida.saliency.subject` makes it: of these the maps are.
    embeddings
        (case, channel): the target layer's activations, their mean over space, of all cases that the head is
        trained on (`Observed.embedding`).
    present
        (case, finding) in the model's order: 1 there, 0 not there, NaN not known.
    progress
        Called with (done, of how many).

    Raises
    ------
    UnsuitableImage
        There are fewer than two images, or too few cases for every finding.
    UnsupportedNetwork
        The head is not one linear layer on the means of the target layer's channels.
    UnknownMethod
        There is no such method.
    """
    if len(subjects) < LEAST_IMAGES:
        raise UnsuitableImage(f"The label test takes at least two images; here is {len(subjects)}.")
    keys = tuple(dict.fromkeys(find_method(name)[0] for name in methods))
    first = subjects[0]
    names = [finding.name for finding in first.findings(first.cut.findings)]
    able = _trainable(present)
    if not able:
        raise UnsuitableImage(
            f"The label test trains the last layer on at least {LEAST_EACH} cases with a finding and as many "
            f"without; of no finding there are so many among {len(present)} cases."
        )
    random = np.random.default_rng(seed)
    errors: dict[str, str] = {}
    labels = [present, *(random.permutation(present) for _ in range(SHUFFLES))]
    with known(first.network).alone:
        head = last_layer(first)
        made = [maps_of(subjects, keys, errors)]
        tested = tuple(key for key in keys if key not in errors)
        for done, one in enumerate(labels, 1):
            weight, bias = trained(embeddings, one[:, able])
            with replaced(head, able, weight, bias):
                made.append(maps_of(subjects, tested, {}))
            if progress is not None:
                progress(done, len(labels))
    return LabelReport(
        images=len(subjects),
        cases=len(embeddings),
        findings=tuple(names[index] for index in able),
        left_out=tuple(name for index, name in enumerate(names) if index not in able),
        seed=seed,
        methods=tuple(
            LabelResult(key, 0.0, 0.0, None, 0.0, errors[key])
            if key in errors
            else _result(key, made, able, seed)
            for key in keys
        ),
    )


def last_layer(subject: Subject) -> nn.Linear:
    """The layer that makes logits of the pooled features.

    Raises
    ------
    UnsupportedNetwork
        There is no such layer.
    """
    network, cut = subject.network, subject.cut
    name = steps(network, lambda: record(subject))[0].layers[0]
    layer = network.get_submodule(name)
    shape = (cut.findings, cut.channels)
    if cut.pooled and isinstance(layer, nn.Linear) and tuple(layer.weight.shape) == shape:
        return layer
    raise UnsupportedNetwork(
        "The label test trains the last layer again, which must be one linear layer on the means of the "
        f"target layer's channels; here “{name}” is the last ({type(layer).__name__})."
    )


def trained(
    embeddings: NDArray[np.floating], present: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (finding, channel) and biases (finding,) of logistic regressions on standardised features.

    Cases of which a finding is not known do not count for it.
    """
    centre, spread = embeddings.mean(axis=0), embeddings.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    features = torch.from_numpy((embeddings - centre) / spread).double()
    counted = torch.from_numpy(np.isfinite(present)).double()
    wanted = torch.from_numpy(np.nan_to_num(present)).double()
    weight = torch.zeros(wanted.shape[1], features.shape[1], dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(wanted.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        each = binary_cross_entropy_with_logits(features @ weight.T + bias, wanted, counted, reduction="sum")
        total: Tensor = each + PENALTY / 2 * (weight**2).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    with torch.inference_mode(mode=False), torch.enable_grad():
        optimiser.step(loss)  # type: ignore[no-untyped-call]
    scaled = weight.detach().numpy() / spread
    return scaled, bias.detach().numpy() - scaled @ centre


@contextmanager
def replaced(
    head: nn.Linear, rows: Sequence[int], weight: NDArray[np.float64], bias: NDArray[np.float64]
) -> Iterator[None]:
    """Some of the layer's rows hold these weights inside; afterwards it is what it was, bit for bit."""
    parameters = [parameter for parameter in (head.weight, head.bias) if parameter is not None]
    kept = [parameter.detach().clone() for parameter in parameters]
    try:
        with torch.no_grad():
            for parameter, values in zip(parameters, (weight, bias), strict=False):
                parameter[list(rows)] = torch.from_numpy(values).to(parameter)
        yield
    finally:
        with torch.no_grad():
            for parameter, before in zip(parameters, kept, strict=True):
                parameter.copy_(before)


def _trainable(present: NDArray[np.floating]) -> list[int]:
    with_it, without = (present == 1).sum(axis=0), (present == 0).sum(axis=0)
    return [int(index) for index in np.flatnonzero((with_it >= LEAST_EACH) & (without >= LEAST_EACH))]


def _result(key: str, made: Sequence[Maps], able: Sequence[int], seed: int) -> LabelResult:
    """`made` are the maps of the trained network, of the right labels, and of each shuffle."""
    own, *others = ([[comparable(image[index]) for index in able] for image in maps[key]] for maps in made)
    alike = np.array(
        [
            [
                np.mean([ssim(a, b) for a, b in zip(*pair, strict=True)])
                for pair in zip(own, other, strict=True)
            ]
            for other in others
        ]
    )
    right, shuffled = alike[0], alike[1:].mean(axis=0)
    images = [str(number) for number in range(len(own))]
    return LabelResult(
        method=key,
        right=float(right.mean()),
        shuffled=float(shuffled.mean()),
        difference=mean(right - shuffled, images, seed=seed),
        random_pairs=random_pairs(own, seed),
    )
