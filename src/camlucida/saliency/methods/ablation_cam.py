"""Ablation-CAM: channels weighted by what the logit loses without them."""

from torch import Tensor, einsum

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording
from camlucida.saliency.sweep import sweep_head


def ablation_cam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Sum over k of w_k A^k with w_k = y - y(channel k zeroed), kept signed (eq. 3 and 4).

    The paper divides the weight by y. That turns the map around where y < 0, as it is for every absent
    finding, and blows it up near 0; the difference has neither fault and the same pattern.
    """
    del variant

    def without(sample: int, channels: range) -> Tensor:
        given = recording.for_head(recording.activations[sample : sample + 1])
        rows = given.repeat(len(channels), *[1] * (given.ndim - 1))
        rows[range(len(channels)), channels] = 0
        return rows

    ablated = sweep_head(recording, recording.activations.shape[1], without, progress)
    drops = einsum("bf,btf->bt", recording.logits, recording.targets)[:, None] - ablated
    return einsum("bkf,bk...->bf...", drops, recording.activations)


METHOD = Method(
    name="Ablation-CAM",
    paper="Desai and Ramaswamy, WACV 2020",
    compute=ablation_cam,
    unit=Unit.RELATIVE,
    passes="the head once per channel (one more inference, where the head takes all at once); no gradient",
    caution="Its values are no share of the logit: read the pattern, not the size.",
)
