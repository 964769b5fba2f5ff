"""The libraries that camlucida is measured beside, and the networks that it is measured on.

Install them with:
    pip install -c constraints.txt captum opencv-python-headless tqdm matplotlib scikit-learn
    pip install --no-deps torchvision grad-cam ttach torchcam
"""

import torch
from torch import Tensor, nn


def densenet(outputs: int = 18) -> nn.Module:
    """DenseNet-121 of torchvision with random weights."""
    _let_torchvision_import()
    from torchvision.models import densenet121  # noqa: PLC0415 - after the schemas are declared

    torch.manual_seed(0)
    network: nn.Module = densenet121(num_classes=outputs)
    return network.eval()


def resnet(outputs: int = 18) -> nn.Module:
    """ResNet-50 of torchvision with random weights."""
    _let_torchvision_import()
    from torchvision.models import resnet50  # noqa: PLC0415 - after the schemas are declared

    torch.manual_seed(0)
    network: nn.Module = resnet50(num_classes=outputs)
    return network.eval()


def last_relu(network: nn.Module) -> nn.Module:
    """The peers hook modules, and DenseNet's last ReLU is a function: the nearest module is norm5."""
    return network.get_submodule("features.norm5")


def pytorch_grad_cam(network: nn.Module, image: Tensor, findings: int) -> list[object]:
    """One call per finding, as its users do."""
    from pytorch_grad_cam import GradCAM  # noqa: PLC0415
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # noqa: PLC0415

    with GradCAM(model=network, target_layers=[last_relu(network)]) as cam:
        return [
            cam(input_tensor=image, targets=[ClassifierOutputTarget(finding)]) for finding in range(findings)
        ]


def torchcam(network: nn.Module, image: Tensor, findings: int) -> list[object]:
    """One forward pass, one backward pass per finding."""
    from torchcam.methods import GradCAM  # noqa: PLC0415

    with GradCAM(network, last_relu(network)) as cam:
        scores = network(image)
        return [cam(finding, scores, retain_graph=True) for finding in range(findings)]


def captum(network: nn.Module, image: Tensor, findings: int) -> list[object]:
    """One call per finding, as its users do."""
    from captum.attr import LayerGradCam  # noqa: PLC0415

    cam = LayerGradCam(network, last_relu(network))
    return [cam.attribute(image, target=finding) for finding in range(findings)]


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
