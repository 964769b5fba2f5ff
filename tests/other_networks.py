"""Other people's networks, as their libraries build them: fixed random weights, few outputs, small inputs.

torchvision, timm, MONAI, Hugging Face transformers and torchxrayvision; `./run test` installs them.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

FINDINGS = 4
_KEPT: list[torch.library.Library] = []  # a library's operators go when it goes


def let_torchvision_import() -> None:
    """The registry's torchvision is a CUDA build; beside a CPU torch it lacks two operators' schemas."""
    if torch.cuda.is_available() or _KEPT or hasattr(torch.ops.torchvision, "nms"):
        return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _KEPT.append(library)


def module(name: str) -> ModuleType:
    let_torchvision_import()
    return import_module(name)


def torchvision(name: str, **options: Any) -> Callable[[], nn.Module]:
    def build() -> nn.Module:
        return getattr(module("torchvision.models"), name)(num_classes=FINDINGS, **options)

    return build


def timm(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: module("timm").create_model(name, pretrained=False, num_classes=FINDINGS, **options)


def monai(name: str, **options: Any) -> Callable[[], nn.Module]:
    return lambda: getattr(module("monai.networks.nets"), name)(**options)


def hugging_face(name: str, **options: Any) -> Callable[[], nn.Module]:
    """`name` is that of the model's family: ViT, Swin, ConvNext, ResNet."""

    def build() -> nn.Module:
        transformers = module("transformers")
        config = getattr(transformers, f"{name}Config")(num_labels=FINDINGS, **options)
        return getattr(transformers, f"{name}ForImageClassification")(config)

    return build


def torchxrayvision() -> nn.Module:
    """Its DenseNet-121 for 18 findings, one channel of 224 pixels (smaller inputs pass as well)."""
    models = module("torchxrayvision.models")
    return models.DenseNet(weights=None, num_classes=FINDINGS, in_channels=1)


_VIT = {"image_size": 64, "patch_size": 16, "num_layers": 3, "num_heads": 4, "hidden_dim": 48, "mlp_dim": 96}
_TIMM_VIT = {"img_size": 64, "depth": 3}
_HF_VIT = {
    "image_size": 64, "patch_size": 16, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "intermediate_size": 96, "num_channels": 3,
}  # fmt: skip

NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "torchvision resnet18": (torchvision("resnet18"), (3, 64, 96)),
    "torchvision resnet50": (torchvision("resnet50"), (3, 64, 64)),
    "torchvision densenet121": (torchvision("densenet121"), (3, 64, 64)),
    "torchvision efficientnet_b0": (torchvision("efficientnet_b0"), (3, 64, 64)),
    "torchvision mobilenet_v3_small": (torchvision("mobilenet_v3_small"), (3, 64, 96)),
    "torchvision vgg11": (torchvision("vgg11"), (3, 64, 64)),
    "torchvision inception_v3": (torchvision("inception_v3", init_weights=False), (3, 96, 128)),
    "torchvision convnext_tiny": (torchvision("convnext_tiny"), (3, 64, 64)),
    "torchvision regnet_y_400mf": (torchvision("regnet_y_400mf"), (3, 64, 96)),
    "torchvision swin_t": (torchvision("swin_t"), (3, 64, 96)),
    "torchvision vision transformer": (
        lambda: module("torchvision.models").VisionTransformer(num_classes=FINDINGS, **_VIT),
        (3, 64, 64),
    ),
    "timm vit_tiny_patch16_224": (timm("vit_tiny_patch16_224", **_TIMM_VIT), (3, 64, 64)),
    "timm vit, mean of tokens": (
        timm("vit_tiny_patch16_224", global_pool="avg", class_token=False, **_TIMM_VIT),
        (3, 64, 64),
    ),
    "timm vit, attention pooling": (
        timm("vit_tiny_patch16_224", global_pool="map", class_token=False, **_TIMM_VIT),
        (3, 64, 64),
    ),
    "timm vit, oblong": (timm("vit_tiny_patch16_224", img_size=(64, 96), depth=3), (3, 64, 96)),
    "timm deit, two prefix tokens": (timm("deit_tiny_distilled_patch16_224", **_TIMM_VIT), (3, 64, 64)),
    "timm swin_tiny": (timm("swin_tiny_patch4_window7_224", img_size=64, window_size=2), (3, 64, 64)),
    "timm convnext_atto": (timm("convnext_atto"), (3, 64, 64)),
    "timm efficientnet_lite0": (timm("efficientnet_lite0"), (3, 64, 64)),
    "timm seresnet18": (timm("legacy_seresnet18"), (3, 64, 96)),
    "timm resnet26t, mean and max": (timm("resnet26t", global_pool="avgmax"), (3, 64, 64)),
    "timm maxvit": (timm("maxvit_rmlp_pico_rw_256", img_size=64), (3, 64, 64)),
    "monai DenseNet121 3D": (
        monai("DenseNet121", spatial_dims=3, in_channels=1, out_channels=FINDINGS, init_features=16,
              growth_rate=8),
        (1, 32, 64, 64),
    ),
    "monai EfficientNetBN 3D": (
        monai("EfficientNetBN", model_name="efficientnet-b0", pretrained=False, spatial_dims=3, in_channels=1,
              num_classes=FINDINGS),
        (1, 32, 64, 64),
    ),
    "monai SegResNet 3D": (
        monai("SegResNet", spatial_dims=3, init_filters=8, in_channels=1, out_channels=2),
        (1, 16, 24, 32),
    ),
    "monai UNet 3D": (
        monai("UNet", spatial_dims=3, in_channels=1, out_channels=2, channels=(4, 8, 16), strides=(2, 2)),
        (1, 16, 24, 32),
    ),
    "monai ViT 3D": (
        monai("ViT", in_channels=1, img_size=(16, 32, 32), patch_size=8, hidden_size=48, mlp_dim=96,
              num_layers=3, num_heads=4, classification=True, num_classes=FINDINGS),
        (1, 16, 32, 32),
    ),
    "hugging face ViT": (hugging_face("ViT", **_HF_VIT), (3, 64, 64)),
    "hugging face Swin": (
        hugging_face("Swin", image_size=64, patch_size=4, embed_dim=24, depths=[1, 1, 2], num_heads=[2, 2, 4],
                     window_size=4),
        (3, 64, 64),
    ),
    "hugging face ConvNext": (
        hugging_face("ConvNext", hidden_sizes=[16, 24, 32, 48], depths=[1, 1, 2, 1]),
        (3, 64, 64),
    ),
    "hugging face ResNet": (
        hugging_face("ResNet", embedding_size=16, hidden_sizes=[16, 32, 48], depths=[1, 1, 1],
                     layer_type="basic"),
        (3, 64, 64),
    ),
    "torchxrayvision DenseNet": (torchxrayvision, (1, 64, 64)),
}  # fmt: skip


@cache
def network(name: str) -> nn.Module:
    """The named network in evaluation mode, the same object each time: leave it as it was.

    Norms have lively statistics and scales, as after training; a fresh network's logits hardly depend on the
    image.
    """
    torch.manual_seed(0)
    made = NETWORKS[name][0]()
    generator = torch.Generator().manual_seed(1)
    for part in made.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm):
            part.running_mean.uniform_(-0.1, 0.1, generator=generator)
            part.running_var.uniform_(0.8, 1.2, generator=generator)
    with torch.no_grad():
        for parameter in made.parameters():
            # Biases and scales of norms, none exactly zero or one; heads that begin as zeros.
            if parameter.ndim == 1 or not parameter.any():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return made.eval()


def image(name: str, count: int = 1, seed: int = 1) -> Tensor:
    """Random inputs (count, channel, *space) of a size that the named network takes."""
    return torch.randn(count, *NETWORKS[name][1], generator=torch.Generator().manual_seed(seed))


def outputs(name: str, count: int = 1) -> Tensor:
    """What the named network itself says of `image(name)`, without camlucida: its logits."""
    with torch.no_grad():
        returned = network(name)(image(name, count))
    if isinstance(returned, tuple):  # MONAI's ViT returns its hidden states too
        returned = returned[0]
    return getattr(returned, "logits", returned)
