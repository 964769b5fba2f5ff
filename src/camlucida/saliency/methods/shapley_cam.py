"""ShapleyCAM: Grad-CAM, corrected for how the head bends."""

from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def shapley_cam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Sum over k of a_k A^k with a_k = mean of (g - H·A / 2): the Shapley value to the second order.

    The players are the activations' values, the game is the logit (the paper also plays for y + log softmax).
    For a head that is linear, or made of linear pieces, H·A is 0 and the map is Grad-CAM's.
    """
    del variant, progress
    bend = recording.curvature.flatten(3).mean(dim=3)
    return einsum("bfk,bk...->bf...", recording.mean_gradients - bend / 2, recording.activations)


METHOD = Method(
    name="ShapleyCAM",
    paper="Cai, The Visual Computer 2025, arXiv 2501.06261",
    compute=shapley_cam,
    unit=Unit.LOGIT,
    passes="one more inference, and two backward passes through the head for each finding",
    caution="The same as Grad-CAM for linear heads; elsewhere read the residual.",
)
