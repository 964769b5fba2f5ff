"""torch's own compiler (torch.compile): no extra, but a C++ compiler, and a minute for a large network."""

from typing import Any

import torch
from torch import Tensor

from camlucida.models.runtimes.runtime import Exported, Runtime, Trunk


def make(exported: Exported, precision: str) -> Trunk:
    """The trunk compiled; with the first image, which takes a while."""
    del precision  # it has one
    compiled: Any = torch.compile(exported.graph, dynamic=False, options={"freezing": True})

    def trunk(images: Tensor) -> Tensor:
        with torch.no_grad():
            activations: Tensor = compiled(images)
        return activations.clone()  # its memory may be used again for the next image

    return trunk


RUNTIME = Runtime("inductor", "torch", (), make)
