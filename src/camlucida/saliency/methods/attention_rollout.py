"""Attention rollout: how much of each patch has flowed, by attention, into what the head reads."""

import torch
from torch import Tensor

from camlucida.errors import UnsupportedNetwork
from camlucida.models.cut import Cut
from camlucida.records.saliency_map import Unit
from camlucida.saliency.attention import attention_weights
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def attention_rollout(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """Product over the layers of 0.5 A + 0.5 I (eq. 1), A the mean over heads; the same for every finding.

    Shown is the row of the class token; of the attention that pools, where there is one; else the mean of all
    tokens' rows.

    Raises
    ------
    UnsupportedNetwork
        The network has no attention, or not all of its tokens attend to each other (Swin's windows).
    """
    del variant, progress
    layers = attention_weights(recording.network, recording.images)
    cut, batch = recording.cut, len(recording.images)
    prefix = cut.layout.prefix if cut.layout else 0
    tokens = prefix + recording.activations[0, 0].numel()
    pooling = layers.pop() if layers and layers[-1].shape == (batch, 1, tokens) else None
    _refuse(layers, (batch, tokens, tokens), cut)
    flow = residual = torch.eye(tokens).to(layers[0])
    for weights in layers:
        flow = (0.5 * weights + 0.5 * residual) @ flow
    if pooling is not None:
        row = (pooling @ flow)[:, 0]
    else:
        row = flow[:, 0] if prefix and not cut.pooled else flow[:, prefix:].mean(dim=1)
    maps = row[:, None, prefix:].reshape(batch, 1, *recording.activations.shape[2:])
    return maps.expand(-1, len(recording.findings), *maps.shape[2:])


def _refuse(layers: list[Tensor], wanted: tuple[int, ...], cut: Cut) -> None:
    if not layers:
        raise UnsupportedNetwork("Attention rollout needs a transformer; this network has no attention.")
    other = next((weights.shape for weights in layers if weights.shape != wanted), None)
    if other is not None:
        raise UnsupportedNetwork(
            f"Attention rollout needs all {wanted[1]} tokens of an image to attend to each other (at "
            f"“{cut.name}”); this network attends {other[0]} times among {other[2]}, as in the windows of "
            "Swin. Take grad-cam or hirescam."
        )


METHOD = Method(
    name="Attention Rollout",
    paper="Abnar and Zuidema, ACL 2020, arXiv 2005.00928",
    compute=attention_rollout,
    unit=Unit.RELATIVE,
    passes="one inference",
    needs="a transformer whose tokens all attend to each other",
    caution="Explains no finding: the map is the same for all, and leaves out all but the attention.",
    class_agnostic=True,
)
