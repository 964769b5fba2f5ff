"""One method by each layer that could carry its maps: to choose a target layer, and see what it changes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from camlucida.errors import UnknownMethod
from camlucida.models.classifier import Classifier
from camlucida.models.cut import Cut, Logits
from camlucida.models.target_layer import candidates
from camlucida.records.image import Image
from camlucida.rendering.layer_sheet import layer_sheet
from camlucida.saliency.explain import explain
from camlucida.saliency.known_networks import admitted
from camlucida.saliency.method import Grid
from camlucida.saliency.methods import find_method
from camlucida.saliency.subject import Subject, as_one, of_classifier, of_network
from camlucida.saliency.visual_explanation import VisualExplanation

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

NAMED = "named in model.toml"


@dataclass(frozen=True, eq=False)
class LayerSweep:
    """Explanations of one image by one method, one for each candidate layer, early to late.

    `chosen` is the row of the layer that `explain` takes when none is named, `why` the reason.
    """

    rows: tuple[VisualExplanation, ...]
    chosen: int
    why: str

    def picture(self, findings: Sequence[str | int] | None = None) -> "Picture":
        """One row of maps for each layer, as a Pillow image; of the strongest finding, if none is named."""
        last = self.rows[self.chosen]
        indices = [last.index(one) for one in findings] if findings else [self.strongest]
        each = [row.explanation for row in self.rows]
        return layer_sheet(last.image, each, indices, self.chosen, self.why)

    @property
    def strongest(self) -> int:
        """The mapped finding with the highest logit."""
        return int(np.argmax(self.rows[self.chosen].logits))


def sweep(
    model: Classifier | nn.Module, image: Image | Tensor | NDArray[np.float32], **question: Any
) -> LayerSweep:
    """Explain one image by each layer worth comparing: the last tensor of each grid size.

    Parameters
    ----------
    question
        The keywords of `camlucida.explain` but target_layer.

    Raises
    ------
    UnknownMethod, UnknownFinding, NoTargetLayer, UnsupportedNetwork, UnsuitableImage
        As `explain`.
    """
    _refuse_pixels(question.get("method", "grad-cam"))
    subject = _subject(model, image, question.get("logits"), scalar=bool(question.get("scalar")))
    cuts = list(candidates(subject.network, subject.inputs, logits=subject.logits))
    chosen = _place(subject.cut, cuts)
    rows = [explain(model, image, target_layer=cut, **question) for cut in cuts]
    named = isinstance(model, Classifier) and model.card.target_layer is not None
    return LayerSweep(tuple(rows), chosen, NAMED if named else subject.cut.why)


def _refuse_pixels(name: str) -> None:
    _, method = find_method(name)
    if method.grid is Grid.PIXELS:
        raise UnknownMethod(
            f"{method.name} gives values to the input's pixels, so its maps have one grid at any layer; "
            "compare layers with a class activation map."
        )


def _subject(model: Classifier | nn.Module, image: Any, logits: Logits | None, *, scalar: bool) -> Subject:
    if isinstance(model, Classifier):
        return of_classifier(model, admitted(model.module), [image], None, scalar=scalar)
    network = admitted(model)
    return of_network(network, as_one(network, image), None, logits)


def _place(chosen: Cut, cuts: list[Cut]) -> int:
    """Where the layer stands that is taken by itself; one that a card names is put among the others."""
    for place, cut in enumerate(cuts):
        if (cut.module, cut.exit, cut.call) == (chosen.module, chosen.exit, chosen.call):
            return place
    coarser = [place for place, cut in enumerate(cuts) if np.prod(cut.grid) <= np.prod(chosen.grid)]
    place = coarser[0] if coarser else len(cuts)
    cuts.insert(place, chosen)
    return place
