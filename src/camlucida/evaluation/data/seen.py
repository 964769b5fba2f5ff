"""One case while its image is in memory: what every measure of a map looks at."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camlucida.errors import UnknownFinding
from camlucida.images.prepare import Prepared
from camlucida.models.classifier import Classifier
from camlucida.models.cut import as_it_was, run_whole
from camlucida.records import Annotation, Image, Measurement, Prediction, SaliencyMap
from camlucida.records.geometry import resizing
from camlucida.rendering.upsample import resample, to_pixel_grid
from camlucida.saliency.known_networks import admitted, known

BATCH_VALUES = 2**23
"""Input values of the images that are scored together: 32 MB of float32."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A case, its image, the model, and the maps by the key of their method.

    `labels` say of findings whether they are there; one that is not in it is not known.
    """

    name: str
    image: Image
    model: Classifier
    maps: Mapping[str, SaliencyMap]
    labels: Mapping[str, bool]
    annotations: Sequence[Annotation] = ()

    @cached_property
    def prepared(self) -> Prepared:
        """The image as the network takes it."""
        return self.model.prepare(self.image)

    @cached_property
    def inputs(self) -> Tensor:
        """What the network is given: (1, channel, *size), float32, on the network's device."""
        parameter = next(self.model.module.parameters(), None)
        values = torch.from_numpy(np.ascontiguousarray(self.prepared.values))[None]
        return values if parameter is None else values.to(parameter.device)

    @cached_property
    def prediction(self) -> Prediction:
        """What the model says of the image: one inference."""
        return self.model.prediction(self.score(self.inputs)[0].tolist())

    def score(self, inputs: Tensor) -> NDArray[np.float64]:
        """Logits (n, finding) of other inputs (n, channel, *size), all findings in the model's order.

        Logits also of a network that ends in a sigmoid or softmax; it is left as it was found.
        """
        at_once = max(1, BATCH_VALUES // max(1, inputs[0].numel()))
        network = admitted(self.model.module)
        with known(network).alone, as_it_was(network), torch.no_grad():
            parts = [
                run_whole(network, some, self.model.logits).logits for some in torch.split(inputs, at_once)
            ]
        scores: NDArray[np.float64] = torch.cat(parts).double().cpu().numpy()
        return scores

    def finding(self, name: str) -> int:
        """Where a finding stands among the model's.

        Raises
        ------
        UnknownFinding
            The model has no such finding.
        """
        names = [finding.name for finding in self.model.card.findings]
        if name not in names:
            raise UnknownFinding(f"This model has no finding “{name}”; it has: {', '.join(names)}.")
        return names.index(name)

    def values(self, method: str, finding: str) -> NDArray[np.float32]:
        """A finding's map (*native), signed; in logits where the method's maps are."""
        one = self.maps[method]
        values: NDArray[np.float32] = one.values[one.findings.index(finding)]
        return values

    def on_input(self, method: str, finding: str) -> NDArray[np.float32]:
        """The map, interpolated to the network's input: (*size), its unit per cell."""
        size = self.inputs.shape[2:]
        values = self.values(method, finding)
        return resample(values, resizing(values.shape, size), size)

    def on_pixels(self, method: str, finding: str) -> NDArray[np.float32]:
        """The map, interpolated to the pixel grid: (*space), its unit per cell; 0 where it saw nothing."""
        return to_pixel_grid(self.values(method, finding), self.maps[method].geometry)


Measuring: TypeAlias = Callable[[Seen], Iterable[Measurement]]
"""Measures one case: every finding and method for which the measure is defined."""
