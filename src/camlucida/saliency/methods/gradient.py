"""The vanilla gradient: how the logit answers to a small change of each pixel."""

from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.input_gradients import each_image, input_gradients
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording


def gradient(recording: Recording, *, variant: str = "signed", progress: Progress | None = None) -> Tensor:
    """dy/dx, summed over the channels; "absolute" is the paper's largest |dy/dx| among them (section 3.1)."""
    del progress

    def one(image: Tensor, sample: int) -> Tensor:
        gradients = input_gradients(recording, image, sample)[0]
        return gradients.abs().amax(dim=1) if variant == "absolute" else gradients.sum(dim=1)

    return each_image(recording, one)


METHOD = Method(
    name="Gradient",
    paper="Simonyan et al., 2014, arXiv 1312.6034",
    compute=gradient,
    unit=Unit.RELATIVE,
    passes="one inference with a graph, and one backward pass through the whole network per finding",
    caution="Says what a pixel would change, not what it contributed; noisy in deep networks.",
    variants=("signed", "absolute"),
    grid=Grid.PIXELS,
    at_input=True,
)
