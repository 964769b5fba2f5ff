"""Finer-CAM: what argues for one finding rather than for another."""

from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def finer_cam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Grad-CAM of y_c - alpha · y_d, kept signed; which d and alpha, the recording's contrast says.

    The contrast is no matter of the mathematics here: every method takes one (`contrast=…`), and this one
    asks for it by itself.
    """
    del variant, progress
    return einsum("bfk,bk...->bf...", recording.mean_gradients, recording.activations)


METHOD = Method(
    name="Finer-CAM",
    paper="Zhang et al., CVPR 2025, arXiv 2501.11309",
    compute=finer_cam,
    unit=Unit.LOGIT,
    passes="one backward pass through the head",
    needs="a second finding to hold each against; without `contrast` the one of nearest logit",
    caution="Shows the difference of two findings: what argues for both is not on the map.",
    contrastive=True,
)
