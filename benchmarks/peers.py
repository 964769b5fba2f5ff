"""The libraries that camlucida is measured beside, and the networks that it is measured on.

`./run shell` has them all; by hand they are installed with
    pip install -e '.[dev]' -c constraints.txt
    pip install --no-deps -r tests/other-libraries.txt
"""

import copy
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

Call = Callable[[Tensor], object]
"""Takes a batch, (batch, channel, *space), and makes the maps."""


class Network(NamedTuple):
    """A network, how it is written in tables, and where the peers hook it."""

    title: str
    build: Callable[[int], nn.Module]
    layer: str
    channels: int
    axes: int


def densenet(outputs: int = 18) -> nn.Module:
    """DenseNet-121 of torchvision with random weights."""
    return _torchvision("densenet121", outputs)


def resnet(outputs: int = 18) -> nn.Module:
    """ResNet-50 of torchvision with random weights."""
    return _torchvision("resnet50", outputs)


def densenet_3d(outputs: int = 18) -> nn.Module:
    """MONAI's DenseNet121 for volumes with random weights."""
    from monai.networks.nets.densenet import DenseNet121  # noqa: PLC0415 - takes seconds

    torch.manual_seed(0)
    network: nn.Module = DenseNet121(spatial_dims=3, in_channels=1, out_channels=outputs)
    return network.eval()


# The peers hook modules, and DenseNet's last ReLU is a function: the nearest module is norm5.
NETWORKS = {
    "densenet121": Network("DenseNet-121", densenet, "features.norm5", 3, 2),
    "resnet50": Network("ResNet-50", resnet, "layer4", 3, 2),
    "densenet121-3d": Network("MONAI DenseNet121 3D", densenet_3d, "class_layers.relu", 1, 3),
}


def pytorch_grad_cam(network: nn.Module, layer: str, findings: int) -> Call:
    """One call per finding, as its users do."""
    from pytorch_grad_cam import GradCAM  # noqa: PLC0415
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: PLC0415

    def call(images: Tensor) -> object:
        with GradCAM(model=network, target_layers=[network.get_submodule(layer)]) as cam:
            return [
                cam(input_tensor=images, targets=[ClassifierOutputTarget(finding)] * len(images))
                for finding in range(findings)
            ]

    return call


def torchcam(network: nn.Module, layer: str, findings: int) -> Call:
    """One forward pass, one backward pass per finding."""
    from torchcam.methods import GradCAM  # noqa: PLC0415

    def call(images: Tensor) -> object:
        with GradCAM(network, layer) as cam:
            logits = network(images)
            return [cam(finding, logits, retain_graph=finding < findings - 1) for finding in range(findings)]

    return call


def captum(network: nn.Module, layer: str, findings: int) -> Call:
    """One call per finding, as its users do."""
    from captum.attr import LayerGradCam  # noqa: PLC0415

    def call(images: Tensor) -> object:
        cam = LayerGradCam(network, network.get_submodule(layer))
        return [cam.attribute(images, target=finding).detach() for finding in range(findings)]

    return call


def monai(network: nn.Module, layer: str, findings: int) -> Call:
    """One call per finding. Its hooks cannot be removed, so it works on a network of its own."""
    from monai.visualize.class_activation_maps import GradCAM  # noqa: PLC0415

    cam = GradCAM(nn_module=copy.deepcopy(network), target_layers=layer)

    def call(images: Tensor) -> object:
        return [cam(images, class_idx=finding) for finding in range(findings)]

    return call


def _torchvision(name: str, outputs: int) -> nn.Module:
    _let_torchvision_import()
    from torchvision import models  # noqa: PLC0415 - after the schemas are declared

    torch.manual_seed(0)
    network: nn.Module = getattr(models, name)(num_classes=outputs)
    return network.eval()


def _let_torchvision_import() -> None:
    """The registry's torchvision is a CUDA build; beside a CPU torch it lacks two operators' schemas."""
    if not torch.cuda.is_available() and not _KEPT:
        library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch's
        for schema in (
            "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
            "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        ):
            library.define(schema)  # type: ignore[no-untyped-call]  # torch's
        _KEPT.append(library)


_KEPT: list[torch.library.Library] = []  # a library's operators go when it goes
