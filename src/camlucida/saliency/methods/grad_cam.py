"""Grad-CAM: channels weighted by their mean gradient."""

from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def grad_cam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Sum over k of a_k A^k with a_k = mean of dy/dA^k (eq. 1 and 2), kept signed: ReLU is for the eye."""
    del variant, progress
    return einsum("bfk,bk...->bf...", recording.mean_gradients, recording.activations)


METHOD = Method(
    name="Grad-CAM",
    paper="Selvaraju et al., ICCV 2017, arXiv 1610.02391",
    compute=grad_cam,
    unit=Unit.LOGIT,
    passes="one backward pass through the head",
    caution="Faithful where the head pools by its mean and is linear; elsewhere read the residual.",
)
