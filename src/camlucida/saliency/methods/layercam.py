"""LayerCAM: each cell weighted by its own positive gradient."""

from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def layercam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Sum over k of ReLU(dy/dA^k) · A^k (eq. 5 and 6)."""
    del variant, progress
    return (recording.gradients.relu() * recording.activations[:, None]).sum(dim=2)


METHOD = Method(
    name="LayerCAM",
    paper="Jiang et al., IEEE Transactions on Image Processing 2021",
    compute=layercam,
    unit=Unit.LOGIT,
    passes="one backward pass through the head",
    caution="Shows only what argues for the finding, so it does not add up to the logit.",
)
