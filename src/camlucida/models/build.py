"""From the name of an architecture in a model card to a network, without running anything else on the way.

A card can come from anyone. So a name is looked at before it is called: only a subclass of torch.nn.Module,
or a function that is declared to build one in a package known for that, is ever called; and nothing is
downloaded, because the weights are in the model's folder.
"""

import inspect
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, get_type_hints

import torch
from torch import nn

from camlucida.errors import InvalidModelCard
from camlucida.settings import settings

SHIPPED = "camlucida.models.architectures"
BUILDERS = (
    SHIPPED,
    "torchvision.models",
    "timm",
    "torchxrayvision.models",
    "monai.networks",
    "segmentation_models_pytorch",
)
"""Packages whose functions may be named, if they are declared to return a network."""

_OFF: dict[str, Any] = {
    "weights": None,
    "weights_backbone": None,
    "encoder_weights": None,
    "pretrained": False,
    "checkpoint_path": "",
    "op_threshs": None,  # torchxrayvision: would turn its probabilities by operating points
    "apply_sigmoid": False,  # torchxrayvision: the logit is wanted
}
"""Arguments that would fetch other weights, or hide the logits; given this value wherever they exist."""

_NETWORKS_OF = {"torch": ("torch.nn",), "transformers": ("transformers",)} | {
    builder.partition(".")[0]: (builder,) for builder in BUILDERS if builder != SHIPPED
}
"""Where known packages have their networks. Other modules of theirs do more: monai.losses.perceptual fetches
Python code and runs it."""

_BY_NAME = {"torchvision.models:get_model"}
"""Functions that take a network's name, so that what it would fetch is not seen among their arguments."""

_PLACE = re.compile(
    r"[:/\\]|\.(bin|ckpt|gz|h5|json|np[yz]|onnx|pickle|pkl|pt2?|pth|py|safetensors|tar|ya?ml|zip)$",
    re.IGNORECASE,
)
_PLACE_KEY = re.compile(
    r"(^|_)(cache|checkpoint|ckpt|dir|directory|file|filename|folder|hub|path|repo|url)(_|$)"
)


def build(architecture: str, arguments: Mapping[str, Any]) -> nn.Module:
    """The network that a card names, with random weights, in evaluation mode.

    The state of torch's random numbers is left as it was.

    Raises
    ------
    InvalidModelCard
        The name is not of a network, or the network does not take these arguments.
    """
    path = architecture if ":" in architecture else f"{SHIPPED}:{architecture}"
    builder = _resolve(path)
    with torch.random.fork_rng(devices=[]):
        network = _call(builder, path, arguments)
    if not isinstance(network, nn.Module):
        raise InvalidModelCard(
            f"architecture “{path}” gave a {type(network).__name__}, not a torch.nn.Module; name one that "
            "does."
        )
    _expose_logits(network)
    return network.eval()


def _resolve(path: str) -> Any:
    """The class or function behind “package.module:Name”, if it is one that may be called."""
    module_name, _, name = path.partition(":")
    package = module_name.partition(".")[0]
    if package in sys.stdlib_module_names or package in {"__main__", "builtins"}:
        raise InvalidModelCard(
            f"architecture “{path}” is of Python's own library, which has no networks; name a "
            "torch.nn.Module."
        )
    found = _import(module_name, name, path)
    if found is None:
        raise InvalidModelCard(f"architecture “{path}”: the module “{module_name}” has no “{name}”.")
    if (
        inspect.isclass(found)
        and issubclass(found, nn.Module)
        and not issubclass(found, torch.jit.ScriptModule)
        and _among_networks(found)
    ):
        return found
    if inspect.isfunction(found) and _may_be_called(found, name):
        return found
    known = any(f"{module_name}.".startswith(f"{builder}.") for builder in BUILDERS)
    cure = (
        "name a network"
        if known
        else f"to allow functions of your own, set CAMLUCIDA_ARCHITECTURES={package}"
    )
    raise InvalidModelCard(
        f"architecture “{path}” is neither a torch.nn.Module class nor a function that is declared "
        f"to return one in {', '.join(BUILDERS)}; {cure}."
    )


def _import(module_name: str, name: str, path: str) -> Any:
    """What the module has under this name, or None; some packages import only when they are asked for it."""
    try:
        with warnings.catch_warnings():  # torchxrayvision switches all warnings off for the whole process
            warnings.simplefilter("ignore")  # a foreign package's deprecations are not about the model
            return getattr(import_module(module_name), name, None)
    except ModuleNotFoundError as error:
        raise InvalidModelCard(
            f"architecture “{path}”: the Python module “{error.name}” is not installed; install the package "
            "that has it into camlucida's environment."
        ) from error
    except Exception as error:  # a foreign package may fail in any way while it is imported
        raise InvalidModelCard(
            f"architecture “{path}”: “{module_name}” cannot be imported: {type(error).__name__}: {error}."
        ) from error


def _among_networks(kind: type[nn.Module]) -> bool:
    """Whether a class of a known package is where its networks are; those of other packages are trusted."""
    places = _NETWORKS_OF.get(kind.__module__.partition(".")[0])
    return places is None or any(f"{kind.__module__}.".startswith(f"{place}.") for place in places)


def _may_be_called(function: Any, name: str) -> bool:
    """Whether a function builds networks: trusted by the settings, or declared so in a known package."""
    home = f"{function.__module__}."
    trusted = [package.strip() for package in settings().architectures.split(",") if package.strip()]
    if any(home.startswith(f"{package}.") for package in trusted):
        return True
    if re.search(r"(^|\.)_", function.__name__) or not any(
        home.startswith(f"{known}.") for known in BUILDERS
    ):
        return False
    if any(name == one.partition(":")[2] and home.startswith(one.partition(":")[0]) for one in _BY_NAME):
        return False
    return _declared(function) or (home.startswith("timm.") and _in_timm(name))


def _declared(function: Any) -> bool:
    try:
        returned = get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):  # a hint that cannot be read declares nothing
        return False
    return inspect.isclass(returned) and issubclass(returned, nn.Module)


def _in_timm(name: str) -> bool:
    return name == "create_model" or bool(import_module("timm").is_model(name))


def _call(builder: Any, path: str, arguments: Mapping[str, Any]) -> Any:
    taken = inspect.signature(builder).parameters
    for key in arguments.keys() & _OFF.keys():
        if arguments[key] != _OFF[key]:
            raise InvalidModelCard(
                f"[architecture_arguments] {key} = {arguments[key]!r} would fetch weights or hide the "
                "logits; leave it out: the weights are read from the model's folder."
            )
    place = next(_places(arguments), None)
    if place is not None:
        raise InvalidModelCard(
            f"[architecture_arguments] “{place[:80]}” names a file or a place outside the model's "
            "folder; leave it out."
        )
    switched_off = {key: value for key, value in _OFF.items() if key in taken}
    try:
        if _is_hugging_face(builder):
            return builder(_configuration(builder, path, arguments))
        return builder(**{**arguments, **switched_off})
    except InvalidModelCard:
        raise
    except Exception as error:  # a foreign constructor may raise anything; the sentence says what it said
        raise InvalidModelCard(
            f"architecture “{path}” does not take its [architecture_arguments] "
            f"({', '.join(arguments) or 'none given'}): {type(error).__name__}: {error}."
        ) from error


def _is_hugging_face(builder: Any) -> bool:
    return str(getattr(builder, "__module__", "")).startswith("transformers.")


def _configuration(builder: Any, path: str, arguments: Mapping[str, Any]) -> Any:
    """The configuration of an image classifier of Hugging Face; only what its own constructor names is set.

    Its other keys could name code to be fetched (auto_map, attn_implementation, a backbone of timm).
    """
    kind = getattr(builder, "config_class", None)
    name = builder.__name__
    if kind is None or not name.endswith("ForImageClassification") or name.startswith("Timm"):
        raise InvalidModelCard(
            f"architecture “{path}”: of transformers only image classifiers are built "
            "(…ForImageClassification)."
        )
    known = _settable(kind)
    unknown = [key for key, value in arguments.items() if key not in known or isinstance(value, Mapping)]
    if unknown:
        raise InvalidModelCard(
            f"[architecture_arguments] {', '.join(unknown)}: no plain key of "
            f"{kind.__name__}, which takes {', '.join(sorted(known))}."
        )
    return kind(**arguments)


def _settable(kind: Any) -> set[str]:
    """The keys of a configuration that are its own, and say nothing of what would be fetched."""
    parameters = inspect.signature(kind).parameters.values()
    own = {one.name for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD}
    shared = set(inspect.signature(import_module("transformers").PretrainedConfig).parameters)
    plain = {key for key in own - shared if not key.startswith("_") and "backbone" not in key}
    return plain | {"num_labels"}


def _places(value: Any, key: str = "") -> Iterator[str]:
    """All text among the arguments, at any depth, that could name a file, a folder, or something to fetch."""
    if isinstance(value, str):
        if _PLACE.search(value) or (value and _PLACE_KEY.search(key)):
            yield value
    elif isinstance(value, Mapping):
        for name, one in value.items():
            yield from _places(one, str(name))
    elif isinstance(value, list):
        for one in value:
            yield from _places(one, key)


def _expose_logits(network: nn.Module) -> None:
    """Networks of torchxrayvision give logits once their own post-processing is off.

    Their forward applies op_norm, a constant 0.5 where an operating point is NaN, and has no gradient there.
    """
    if not type(network).__module__.startswith("torchxrayvision."):
        return
    for name in ("op_threshs", "apply_sigmoid"):
        if hasattr(network, name):
            setattr(network, name, _OFF[name])
