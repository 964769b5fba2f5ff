"""Counterfactual Grad-CAM: what argues against a finding, and would make it surer if it were away."""

from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def counterfactual_grad_cam(
    recording: Recording, *, variant: str = "", progress: Progress | None = None
) -> Tensor:
    """Sum over k of a_k A^k with a_k = mean of -dy/dA^k (section 3.2): positive where it argues against."""
    del variant, progress
    return -einsum("bfk,bk...->bf...", recording.mean_gradients, recording.activations)


METHOD = Method(
    name="Counterfactual Grad-CAM",
    paper="Selvaraju et al., ICCV 2017, arXiv 1610.02391",
    compute=counterfactual_grad_cam,
    unit=Unit.RELATIVE,
    passes="one backward pass through the head",
    opposing=True,
    caution="Bright is what argues against the finding: Grad-CAM's numbers with the other sign.",
)
