"""Eigen-CAM: what is most active in the target layer, whatever the finding."""

import torch
from torch import Tensor

from camlucida.records.saliency_map import Unit
from camlucida.saliency.method import Method, Progress
from camlucida.saliency.recording import Recording


def eigen_cam(recording: Recording, *, variant: str = "", progress: Progress | None = None) -> Tensor:
    """O·v with O the activations (cell, channel) and v their first right singular vector (eq. 3 and 4).

    A singular vector's sign is arbitrary; here the map's sum is positive, and where that is 0 its largest
    value is. The activations are not centred, as in the paper. The same map is given for each target.
    """
    del variant, progress
    maps = torch.stack([_first_component(activations) for activations in recording.activations])
    return maps[:, None].expand(-1, recording.targets.shape[1], *maps.shape[1:])


def _first_component(activations: Tensor) -> Tensor:
    """O·v of one image's activations (channel, *grid), by the smaller of O'O and OO' in double precision."""
    matrix = activations.flatten(1).T.double()
    cells, channels = matrix.shape
    component: Tensor
    if channels <= cells:
        component = matrix @ torch.linalg.eigh(matrix.T @ matrix).eigenvectors[:, -1]
    else:
        values, vectors = torch.linalg.eigh(matrix @ matrix.T)
        component = vectors[:, -1] * values[-1].clamp(min=0).sqrt()
    total = component.sum()
    leaning = total if total != 0 else component[component.abs().argmax()]
    signed: Tensor = -component if leaning < 0 else component
    return signed.reshape(activations.shape[1:]).to(activations)


METHOD = Method(
    name="Eigen-CAM",
    paper="Muhammad and Yeasin, IJCNN 2020, arXiv 2008.00299",
    compute=eigen_cam,
    unit=Unit.RELATIVE,
    passes="none: only linear algebra on the activations",
    caution="Explains no finding: the map is the same for all, and shows only what is active.",
    class_agnostic=True,
)
