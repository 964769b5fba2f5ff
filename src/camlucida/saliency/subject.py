"""What is explained, by whichever road it came: a model and an image, or a bare network and a tensor."""

import hashlib
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camlucida.errors import UnsuitableImage
from camlucida.models.classifier import Classifier
from camlucida.models.cut import Cut, Logits, modules
from camlucida.models.head import HeadProof
from camlucida.models.limits import explainable, unwrapped
from camlucida.models.target_layer import find_cut
from camlucida.records.finding import Finding
from camlucida.records.geometry import Geometry, resizing
from camlucida.records.image import Image, Photometric


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A network, its input (1, channel, *space), where to split it, and the way back to the image."""

    network: nn.Module
    inputs: Tensor
    image: Image
    cut: Cut
    logits: Logits | None
    input_to_pixel: NDArray[np.float64]
    model: Classifier | None = None
    proof: HeadProof | None = None

    def findings(self, count: int) -> tuple[Finding, ...]:
        """The model's findings; a bare network's outputs are only numbered."""
        if self.model is not None:
            return tuple(self.model.card.findings)
        return tuple(Finding(f"output {index}") for index in range(count))

    def geometry(self, grid: tuple[int, ...]) -> Geometry:
        """Native grid → network input (both cover the same field) → pixel grid → patient."""
        field = tuple(self.inputs.shape[2:])
        return Geometry(
            native_shape=grid,
            pixel_shape=self.image.space,
            native_to_pixel=self.input_to_pixel @ resizing(field, grid),
            spacing=self.image.spacing,
            pixel_to_patient=self.image.pixel_to_patient,
        )

    def pixel_digest(self) -> str:
        """SHA-256 of the image's pixels, or of the tensor that a bare network was given."""
        if self.model is not None:
            return self.image.digest
        return hashlib.sha256(_bytes(self.inputs)).hexdigest()

    def forget_cut(self) -> None:
        """What was known of the network's structure is out of date."""
        _CUTS.pop(self.network, None)


def of_classifier(model: Classifier, image: object, layer: str | None, *, scalar: bool) -> Subject:
    """A registered model and an image that it must be suited to."""
    if not isinstance(image, Image):
        raise UnsuitableImage(
            f"The model “{model.card.name}” takes an image from camlucida.read_image, not a "
            f"{type(image).__name__}; for a prepared tensor hand over its network, model.module."
        )
    model.check(image, scalar=scalar)
    prepared = model.prepare(image)
    network = _admitted(model.module)
    inputs = torch.from_numpy(prepared.values)[None].to(_device(network))
    cut = _cut(network, inputs, layer or model.card.target_layer, model.logits)
    proof = model.head if model.head is not None and model.head.target_layer == cut.name else None
    return Subject(network, inputs, image, cut, model.logits, prepared.input_to_pixel, model, proof)


def of_network(network: nn.Module, image: object, layer: str | None, logits: Logits | None) -> Subject:
    """A bare network and the tensor that it takes."""
    network = _admitted(network)
    if isinstance(image, np.ndarray):
        image = torch.from_numpy(np.asarray(image, np.float32))
    if not isinstance(image, Tensor):
        raise UnsuitableImage(
            f"A bare network takes a tensor (channel, *space), not a {type(image).__name__}; to explain a "
            "file, make a model of the network with a model.toml."
        )
    inputs = _batch_of_one(network, image)
    cut = _cut(network, inputs, layer, logits)
    return Subject(network, inputs, _as_image(inputs), cut, logits, np.eye(inputs.ndim - 1))


def _admitted(network: nn.Module) -> nn.Module:
    """The network out of its wrappers; one that cannot be explained is refused when it is first seen."""
    return original if (original := unwrapped(network)) in _CUTS else explainable(network)


_MOST_CUTS = 64
_CUTS: WeakKeyDictionary[nn.Module, dict[tuple[object, ...], Cut]] = WeakKeyDictionary()


def _cut(network: nn.Module, inputs: Tensor, layer: str | None, logits: Logits | None) -> Cut:
    """The cut is found once per network, input shape and layer, and again when weights were changed.

    Its place follows from the structure; that the head pools by its mean may cease to hold with training.
    """
    # The sum is not finite when any value is not, and ten times quicker to look at.
    if not torch.isfinite(inputs.sum()) and not torch.isfinite(inputs).all():
        raise UnsuitableImage("The network's input holds values that are not finite (nan or inf); mend them.")
    known = _CUTS.setdefault(network, {})
    key = (tuple(inputs.shape[1:]), layer, logits, _state(network))
    if key not in known:
        if len(known) >= _MOST_CUTS:  # a new lambda, or new weights, at every call
            known.clear()
        known[key] = _find(network, inputs, layer, logits)
    return known[key]


def _find(network: nn.Module, inputs: Tensor, layer: str | None, logits: Logits | None) -> Cut:
    try:
        return find_cut(network, inputs, layer, logits=logits)
    except (RuntimeError, ValueError, IndexError) as error:  # from the network's own forward pass
        raise UnsuitableImage(
            f"The network fails on an input of shape {tuple(inputs.shape)}, {inputs.dtype}: "
            f"{str(error).partition(chr(10))[0]}."
        ) from error


def _state(network: nn.Module) -> int:
    """Another number after any of the network's parameters was written to or replaced."""
    state = 0
    try:
        for module in modules(network):
            for parameter in module._parameters.values():  # noqa: SLF001 - torch's own table; parameters() is slow
                if parameter is not None:
                    state += 31 * id(parameter) + parameter._version  # noqa: SLF001 - torch's count of writes
    except RuntimeError:  # made in inference mode, where writes are not counted; find_cut refuses it
        return 0
    return state


def _bytes(tensor: Tensor) -> memoryview:
    """The tensor's bytes in C order, whatever its type (NumPy has no bfloat16)."""
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().data


def _batch_of_one(network: nn.Module, image: Tensor) -> Tensor:
    axes = _axes_of_space(network, image)
    if image.ndim == axes + 1:
        image = image[None]
    if image.ndim != axes + 2 or image.shape[0] != 1:
        raise UnsuitableImage(
            f"The tensor has shape {tuple(image.shape)}; explain takes one image, (channel, *space) "
            f"or (1, channel, *space), here with {axes} axes of space."
        )
    if not image.is_floating_point():
        raise UnsuitableImage(
            f"The tensor holds {image.dtype}; networks take floating point, for example .float()."
        )
    return image.detach().to(_device(network))


def _axes_of_space(network: nn.Module, image: Tensor) -> int:
    """Two or three, as the network's convolutions say; where it has none, as the tensor says."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.Conv2d):
            return 3 if isinstance(module, nn.Conv3d) else 2
    return 3 if image.ndim == 5 else 2


def _device(network: nn.Module) -> torch.device:
    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def _as_image(inputs: Tensor) -> Image:
    """A tensor as something to look at: colour for three channels of a picture, else the channels' mean."""
    values = inputs[0].detach().float()
    if inputs.ndim == 4 and len(values) == 3:
        low, high = (float(bound) for bound in values.aminmax())
        picture = ((values - low) * (255 / ((high - low) or 1.0))).round().byte()
        return Image(picture.permute(1, 2, 0).contiguous().cpu().numpy(), Photometric.RGB)
    return Image(values.mean(dim=0).cpu().numpy())
