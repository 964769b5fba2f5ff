"""What is explained, by whichever road it came: a model and images, or a bare network and a tensor."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camlucida.errors import InputError, UnsuitableImage
from camlucida.images.prepare import Prepared
from camlucida.models.classifier import Classifier
from camlucida.models.cut import Cut, Logits
from camlucida.models.head import HeadProof
from camlucida.models.target_layer import find_cut
from camlucida.records.finding import Finding
from camlucida.records.geometry import Geometry, resizing
from camlucida.records.image import Image, Photometric
from camlucida.saliency.known_networks import known


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A network, its inputs (batch, channel, *space), where to split it, and the way back to the images.

    `images` are those that the inputs were made of; a bare network's tensor has none. `training` are the
    network's modules that are in training mode.
    """

    network: nn.Module
    inputs: Tensor
    cut: Cut
    logits: Logits | None
    input_to_pixel: tuple[NDArray[np.float64], ...]
    training: tuple[nn.Module, ...] = ()
    images: tuple[Image, ...] = ()
    model: Classifier | None = None
    proof: HeadProof | None = None

    def findings(self, count: int) -> tuple[Finding, ...]:
        """The model's findings; a bare network's outputs are only numbered."""
        if self.model is not None:
            return tuple(self.model.card.findings)
        return _numbered(count)

    def geometry(self, grid: tuple[int, ...], sample: int = 0) -> Geometry:
        """Native grid → network input (both cover the same field) → pixel grid → patient."""
        field = tuple(self.inputs.shape[2:])
        image = self.images[sample] if self.images else None
        return Geometry(
            native_shape=grid,
            pixel_shape=image.space if image else field,
            native_to_pixel=self.input_to_pixel[sample] @ resizing(field, grid),
            spacing=image.spacing if image else None,
            pixel_to_patient=image.pixel_to_patient if image else None,
        )

    def pixel_digest(self, sample: int = 0) -> str:
        """SHA-256 of the image's pixels, or of the tensor that a bare network was given."""
        if self.images:
            return self.images[sample].digest
        return hashlib.sha256(_bytes(self.inputs[sample])).hexdigest()

    def image(self, sample: int = 0) -> Image | Callable[[], Image]:
        """What is looked at; of a tensor a picture is made when it is asked for."""
        if self.images:
            return self.images[sample]
        return partial(as_image, self.inputs[sample].detach().to("cpu", copy=True))

    def forget_cut(self) -> None:
        """What was known of the network's structure is out of date."""
        known(self.network).forget()


def of_classifier(
    model: Classifier, network: nn.Module, images: Sequence[object], layer: str | Cut | None, *, scalar: bool
) -> Subject:
    """A registered model and images that it must be suited to."""
    prepared = [_prepared(model, images, number, scalar=scalar) for number in range(len(images))]
    if not prepared:
        raise UnsuitableImage(_NO_IMAGE)
    values = np.stack([one.values for one in prepared])
    inputs = torch.from_numpy(values).to(_device(network))
    cut, training = _cut(network, inputs, layer or model.card.target_layer, model.logits)
    return Subject(
        network=network,
        inputs=inputs,
        cut=cut,
        logits=model.logits,
        input_to_pixel=tuple(one.input_to_pixel for one in prepared),
        training=training,
        images=tuple(image for image in images if isinstance(image, Image)),
        model=model,
        proof=model.head if model.head is not None and model.head.target_layer == cut.name else None,
    )


def of_network(network: nn.Module, images: object, layer: str | Cut | None, logits: Logits | None) -> Subject:
    """A bare network and the tensor that it takes, (batch, channel, *space)."""
    tensor = _tensor(images)
    axes = _axes_of_space(network, tensor)
    if tensor.ndim != axes + 2:
        raise UnsuitableImage(
            f"The tensor has shape {tuple(tensor.shape)}; explain_batch takes (batch, channel, *space), here "
            f"with {axes} axes of space."
        )
    if not len(tensor):
        raise UnsuitableImage(_NO_IMAGE)
    if not tensor.is_floating_point():
        raise UnsuitableImage(
            f"The tensor holds {tensor.dtype}; networks take floating point, for example .float()."
        )
    inputs = tensor.detach().to(_device(network))
    cut, training = _cut(network, inputs, layer, logits)
    return Subject(network, inputs, cut, logits, (np.eye(inputs.ndim - 1),) * len(inputs), training)


def as_one(network: nn.Module, image: object) -> Tensor:
    """A tensor (channel, *space) or (1, channel, *space) as a batch of one."""
    tensor = _tensor(image)
    axes = _axes_of_space(network, tensor)
    batch = tensor[None] if tensor.ndim == axes + 1 else tensor
    if batch.ndim != axes + 2 or batch.shape[0] != 1:
        raise UnsuitableImage(
            f"The tensor has shape {tuple(tensor.shape)}; explain takes one image, (channel, *space) "
            f"or (1, channel, *space), here with {axes} axes of space. explain_batch takes several."
        )
    return batch


@cache
def _numbered(count: int) -> tuple[Finding, ...]:
    return tuple(Finding(f"output {index}") for index in range(count))


def of_several(sample: int, count: int) -> str:
    """The beginning of a message about one image: says which, where there are several."""
    return f"images[{sample}]: " if count > 1 else ""


def _prepared(model: Classifier, images: Sequence[object], number: int, *, scalar: bool) -> Prepared:
    image = images[number]
    try:
        if not isinstance(image, Image):
            raise UnsuitableImage(
                f"The model “{model.card.name}” takes an image from camlucida.read_image, not a "
                f"{type(image).__name__}; for a prepared tensor hand over its network, model.module."
            )
        model.check(image, scalar=scalar)
        return model.prepare(image)
    except InputError as error:
        if len(images) == 1:
            raise
        raise type(error)(of_several(number, len(images)) + str(error)) from error


def _tensor(images: object) -> Tensor:
    if isinstance(images, np.ndarray):
        return torch.from_numpy(np.asarray(images, np.float32))
    if isinstance(images, Tensor):
        return images
    raise UnsuitableImage(
        f"A bare network takes a tensor (channel, *space), not a {type(images).__name__}; to explain a "
        "file, make a model of the network with a model.toml."
    )


_NO_IMAGE = "No image was given; a batch holds at least one."


def _cut(
    network: nn.Module, inputs: Tensor, layer: str | Cut | None, logits: Logits | None
) -> tuple[Cut, tuple[nn.Module, ...]]:
    """Where the network is cut, and its modules that are in training mode."""
    _refuse_what_is_not_finite(inputs)
    memory = known(network)
    training = memory.look_again(network)
    key = (tuple(inputs.shape[1:]), inputs.dtype, len(inputs) > 1, layer, logits)
    return memory.cut(key, lambda: _find(network, inputs, layer, logits)), training


def _refuse_what_is_not_finite(inputs: Tensor) -> None:
    if torch.isfinite(inputs.sum()):  # not finite when any value is not, and ten times quicker to look at
        return
    finite = torch.isfinite(inputs.flatten(1)).all(dim=1)
    if not finite.all():
        raise UnsuitableImage(
            f"{of_several(int(finite.int().argmin()), len(inputs))}The network's input holds values that are "
            "not finite (nan or inf); mend them."
        )


def _find(network: nn.Module, inputs: Tensor, layer: str | Cut | None, logits: Logits | None) -> Cut:
    if isinstance(layer, Cut):
        return layer
    try:
        return find_cut(network, inputs, layer, logits=logits)
    except (RuntimeError, ValueError, IndexError) as error:  # from the network's own forward pass
        raise UnsuitableImage(
            f"The network fails on an input of shape {tuple(inputs.shape)}, {inputs.dtype}: "
            f"{str(error).partition(chr(10))[0]}."
        ) from error


def _bytes(tensor: Tensor) -> memoryview:
    """The tensor's bytes in C order, whatever its type (NumPy has no bfloat16)."""
    flat = tensor.detach().cpu().contiguous().flatten()
    return flat.view(torch.uint8).numpy().data


def _axes_of_space(network: nn.Module, image: Tensor) -> int:
    """Two or three, as the network's convolutions say; where it has none, as the tensor says."""
    for module in network.modules():
        if isinstance(module, nn.Conv3d | nn.Conv2d):
            return 3 if isinstance(module, nn.Conv3d) else 2
    return 3 if image.ndim == 5 else 2


def _device(network: nn.Module) -> torch.device:
    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


def as_image(values: Tensor) -> Image:
    """A tensor (channel, *space) to look at: colour for three channels in 2D, else the channels' mean."""
    values = values.float()
    if values.ndim == 3 and len(values) == 3:
        low, high = (float(bound) for bound in values.aminmax())
        picture = ((values - low) * (255 / ((high - low) or 1.0))).round().byte()
        return Image(picture.permute(1, 2, 0).contiguous().numpy(), Photometric.RGB)
    return Image(values.mean(dim=0).numpy())
