"""Guided backpropagation: the gradient along what is positive both ways."""

from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.relu_rule import rectified_gradients


def guided_backpropagation(
    recording: Recording, *, variant: str = "", progress: Progress | None = None
) -> Tensor:
    """dy/dx with R = (f > 0) · ReLU(R above) at each ReLU, summed over the channels (figure 1)."""
    del variant, progress
    return rectified_gradients(recording, deconvolution=False).sum(dim=2)


METHOD = Method(
    name="Guided Backpropagation",
    paper="Springenberg et al., 2015, arXiv 1412.6806",
    compute=guided_backpropagation,
    unit=Unit.RELATIVE,
    passes="one inference with a graph, and one backward pass through the whole network per finding",
    needs="ReLUs, modules or functions; other activations keep their own gradient",
    caution=(
        "Fails the weight randomisation test (Adebayo 2018): it shows edges of the image, nearly the same "
        "ones when the network is random. Not for conclusions about a finding."
    ),
    grid=Grid.PIXELS,
    at_input=True,
)
