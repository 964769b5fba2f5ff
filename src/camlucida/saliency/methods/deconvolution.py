"""Deconvolution: the gradient with ReLUs that hand back only what is positive."""

from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.relu_rule import rectified_gradients


def deconvolution(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """dy/dx with R = ReLU(R above) at each ReLU, summed over the channels (section 2.1)."""
    del variant, progress
    return rectified_gradients(recording, deconvolution=True).sum(dim=2)


METHOD = Method(
    name="Deconvolution",
    paper="Zeiler and Fergus, ECCV 2014, arXiv 1311.2901",
    compute=deconvolution,
    unit=Unit.RELATIVE,
    passes="one inference with a graph, and one backward pass through the whole network per finding",
    needs="ReLUs, modules or functions; other activations keep their own gradient",
    caution=(
        "Shows edges of the image more than what the network learnt: maps of this kind stay nearly the same "
        "when the weights are replaced by random ones (Nie 2018). Not for conclusions about a finding."
    ),
    grid=Grid.PIXELS,
    at_input=True,
)
