"""Input × gradient: what each pixel would contribute, were the network linear."""

from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.baseline import baseline_scores
from camlucida.saliency.input_gradients import each_image, input_gradients
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording


def input_x_gradient(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """The product x · dy/dx, summed over the channels; adds up to y(x) - y(0) if the network is linear."""
    del variant, progress

    def one(image: Tensor, sample: int) -> Tensor:
        return (image[0] * input_gradients(recording, image, sample)[0]).sum(dim=1)

    return each_image(recording, one)


def _start(recording: Recording, _variant: str, sample: int) -> Tensor:
    return baseline_scores(recording, "zero", sample)


METHOD = Method(
    name="Input x Gradient",
    paper="Shrikumar et al., 2016, arXiv 1605.01713",
    compute=input_x_gradient,
    unit=Unit.LOGIT,
    passes="one inference with a graph, and one backward pass through the whole network per finding",
    caution="Dark pixels get nothing, whatever they mean to the network; noisy in deep networks.",
    grid=Grid.PIXELS,
    at_input=True,
    start=_start,
)
