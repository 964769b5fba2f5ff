"""HiResCAM: gradients times activations, cell by cell."""

from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def hirescam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Sum over k of dy/dA^k · A^k (eq. 3): with a linear head it adds up to the logit less the bias."""
    del variant, progress
    return (recording.gradients * recording.activations[:, None]).sum(dim=2)


METHOD = Method(
    name="HiResCAM",
    paper="Draelos and Carin, arXiv 2011.08891",
    compute=hirescam,
    unit=Unit.LOGIT,
    passes="one backward pass through the head",
)
