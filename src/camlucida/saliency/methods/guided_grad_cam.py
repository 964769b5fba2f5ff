"""Guided Grad-CAM: guided backpropagation where Grad-CAM points."""

from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Grid, Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.relu_rule import rectified_gradients
from camlucida.saliency.upsampling import upsampled


def guided_grad_cam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """ReLU(Grad-CAM), upsampled with half-pixel centres, times guided backpropagation (section 3.2)."""
    del variant, progress
    guided = rectified_gradients(recording, deconvolution=False).sum(dim=2)
    cells = einsum("bfk,bk...->bf...", recording.mean_gradients, recording.activations).relu()
    return guided * upsampled(cells, recording.images.shape[2:])


METHOD = Method(
    name="Guided Grad-CAM",
    paper="Selvaraju et al., ICCV 2017, arXiv 1610.02391",
    compute=guided_grad_cam,
    unit=Unit.RELATIVE,
    passes="one inference with a graph, and one backward pass through the whole network per finding",
    needs="ReLUs, modules or functions; other activations keep their own gradient",
    caution=(
        "Fails the weight randomisation test (Adebayo 2018): its detail is edges of the image, only its "
        "place comes from Grad-CAM. Not for conclusions about a finding."
    ),
    grid=Grid.PIXELS,
)
