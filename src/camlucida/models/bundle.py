"""From a MONAI bundle to a model folder: what it says is read, nothing of it is run.

A bundle's configuration is a language of its own: `$` begins Python, `_target_` names what is to be called,
`%` reads other files. Of all that only this is taken: the class of one network of `monai.networks.nets`, and
arguments that are plain values, directly or by an `@` reference to one.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch

from camlucida.errors import InvalidModelCard, MissingExtra
from camlucida.models.build import build
from camlucida.models.card import CARD, file_inside
from camlucida.models.weights import load_weights

NETWORKS = "monai.networks.nets"
WEIGHTS = "weights.safetensors"
_TARGET = re.compile(r"(monai\.networks\.nets\.([a-z_0-9]+\.)?)?(?P<name>[A-Z]\w{0,63})")
_LARGEST = 1_000_000  # bytes of a configuration file, and the largest number that is an argument
_MOST_VALUES, _DEEPEST = 10_000, 20
_MODALITIES = {"CT", "MR", "CR", "DX", "MG", "US", "PT", "NM", "XA"}
AXES = (
    "axes: MONAI hands volumes over as (x, y, z), mostly in RAS; camlucida as (slice, row, column). Compare "
    "the logits of a case with those that MONAI gives before you trust the model"
)


@dataclass(frozen=True, slots=True)
class Converted:
    """The folder that was written, and what has to be filled in or checked, in sentences."""

    folder: Path
    open: tuple[str, ...]


def convert_bundle(bundle: Path, folder: Path) -> Converted:
    """Write a model folder of a MONAI bundle: `model.toml` and the weights as safetensors.

    Parameters
    ----------
    bundle
        Holds `configs/metadata.json`, `configs/inference.json` (or .yaml), and `models/model.pt`, a state
        dict.
    folder
        A new folder.

    Raises
    ------
    InvalidModelCard
        The bundle asks for more than a plain network, or lacks one of these files.
    InvalidWeights
        The weights hold code, are damaged, or do not fit the network.
    MissingExtra
        The configuration is YAML and PyYAML is not installed.
    """
    if folder.exists():
        raise InvalidModelCard(f"“{folder}” is there already; name a new folder for the model.")
    metadata = _json(file_inside(bundle, "configs/metadata.json"))
    config = _Config(_configuration(bundle))
    architecture, arguments = config.network()
    weights = _weights(bundle)
    network = build(architecture, arguments)
    if not type(network).__module__.startswith(f"{NETWORKS}."):
        raise InvalidModelCard(f"“{architecture}” is no network of {NETWORKS}; only those are taken.")
    load_weights(network, weights)
    card, still_open = _card(_Metadata(metadata), config, architecture, arguments)
    state = {name: tensor.clone().contiguous() for name, tensor in network.state_dict().items()}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".converting-") as temporary:
        unfinished = Path(temporary) / "model"
        unfinished.mkdir()
        safetensors.torch.save_file(state, unfinished / WEIGHTS)
        (unfinished / CARD).write_text(_toml(card, still_open), "utf-8")
        unfinished.rename(folder)
    return Converted(folder, tuple(still_open))


def _weights(bundle: Path) -> Path:
    names = ("models/model.safetensors", "models/model.pt", "models/model.pth")
    for name in names:
        if (bundle / name).exists():
            return file_inside(bundle, name)
    raise InvalidModelCard(f"The bundle has none of {', '.join(names)}; download its weights first.")


def _configuration(bundle: Path) -> dict[str, Any]:
    names = [f"configs/inference{suffix}" for suffix in (".json", ".yaml", ".yml")]
    for name in names:
        if (bundle / name).exists():
            path = file_inside(bundle, name)
            return _json(path) if path.suffix == ".json" else _yaml(path)
    raise InvalidModelCard(f"The bundle has none of {', '.join(names)}; is “{bundle.name}” a MONAI bundle?")


def _json(path: Path) -> dict[str, Any]:
    try:
        return _mapping(json.loads(_text(path)), path)
    except (ValueError, RecursionError) as error:
        raise InvalidModelCard(f"“{path.name}” is no valid JSON; copy the bundle again.") from error


def _yaml(path: Path) -> dict[str, Any]:
    try:
        import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - not needed for bundles in JSON; it has no types
    except ImportError as error:
        raise MissingExtra(
            f"To read “{path.name}”, PyYAML is missing. Install it with `pip install pyyaml`, or export the "
            "bundle's configuration as JSON."
        ) from error
    text = _text(path)
    try:
        # What an alias stands for is merged again and again: a few of them grow to any size.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise InvalidModelCard(
                f"“{path.name}” has aliases (*NAME); write what they stand for in their places."
            )
        return _mapping(yaml.safe_load(text), path)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidModelCard(f"“{path.name}” is no plain YAML; copy the bundle again.") from error


def _text(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        raise InvalidModelCard(f"“{path.name}” is larger than {_LARGEST} bytes, so it is no configuration.")
    return path.read_bytes().decode()


def _mapping(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidModelCard(f"“{path.name}” holds a {type(value).__name__}, not keys with values.")
    return value


class _Config:
    """A bundle's configuration, of which only plain values are taken."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        self.taken = 0

    def network(self) -> tuple[str, dict[str, Any]]:
        """The network as a card names it, and its arguments."""
        definition = self.values.get("network_def", self.values.get("network"))
        if not isinstance(definition, dict) or "_target_" not in definition:
            raise InvalidModelCard(
                "The bundle's inference configuration has no network_def with a _target_; camlucida takes "
                "one network, described in place."
            )
        target = definition["_target_"]
        found = _TARGET.fullmatch(target) if isinstance(target, str) else None
        if found is None:
            raise InvalidModelCard(f"_target_ is “{str(target)[:80]}”; only classes of {NETWORKS} are taken.")
        arguments = {
            str(key): self.plain(value, f"network_def.{key}")
            for key, value in definition.items()
            if key not in {"_target_", "_desc_"}
        }
        return f"{NETWORKS}:{found['name']}", {k: v for k, v in arguments.items() if v is not None}

    def plain(self, value: Any, place: str, depth: int = 0) -> Any:
        """The value, with references to plain values resolved.

        Raises
        ------
        InvalidModelCard
            It is an expression, a call, or has no end.
        """
        self.taken += 1
        if self.taken > _MOST_VALUES or depth > _DEEPEST:
            raise InvalidModelCard(f"{place} of the bundle is larger than any network's arguments are.")
        if isinstance(value, str):
            return self._text(value, place, depth)
        if isinstance(value, list):
            return [self.plain(one, place, depth + 1) for one in value]
        if isinstance(value, dict):
            return self._table(value, place, depth)
        if isinstance(value, int | float) and not abs(value) <= _LARGEST:
            raise InvalidModelCard(f"{place} of the bundle is a number larger than {_LARGEST}.")
        if value is None or isinstance(value, bool | int | float):
            return value
        raise InvalidModelCard(
            f"{place} of the bundle is a {type(value).__name__}; only plain values are taken."
        )

    def _text(self, value: str, place: str, depth: int) -> Any:
        if value.startswith(("$", "%")):
            raise InvalidModelCard(
                f"{place} of the bundle is an expression (“{value[:60]}”), which would have to be run; write "
                "its value into the configuration."
            )
        if value.startswith("@"):
            return self.plain(self._referred(value[1:], place), place, depth + 1)
        return value

    def _table(self, value: dict[Any, Any], place: str, depth: int) -> dict[str, Any]:
        special = [key for key in value if str(key).startswith("_")]
        if special:
            raise InvalidModelCard(
                f"{place} of the bundle has {special[0]}, which would have to be called; only plain values "
                "are taken."
            )
        return {str(key): self.plain(one, f"{place}.{key}", depth + 1) for key, one in value.items()}

    def _referred(self, reference: str, place: str) -> Any:
        found: Any = self.values
        for step in re.split(r"::|#", reference):
            index = int(step) if step.isdecimal() and isinstance(found, list) else step
            try:
                found = found[index]
            except (KeyError, IndexError, TypeError) as error:
                raise InvalidModelCard(
                    f"{place} of the bundle refers to “@{reference}”, which is not there."
                ) from error
        return found

    def transforms(self, part: str) -> Iterator[Mapping[str, Any]]:
        """The transforms of preprocessing or postprocessing, as they are written."""
        whole = self.values.get(part)
        listed = whole.get("transforms") if isinstance(whole, dict) else None
        return (one for one in listed if isinstance(one, dict)) if isinstance(listed, list) else iter(())

    def transform(self, part: str, name: str) -> dict[str, Any] | None:
        """The arguments of the first transform of this name; None instead of what is no plain value."""
        for one in self.transforms(part):
            if str(one.get("_target_", "")).rpartition(".")[2] in {name, f"{name}d", f"{name}Dict"}:
                return {key: self.or_none(value) for key, value in one.items() if key != "_target_"}
        return None

    def or_none(self, value: Any) -> Any:
        """The plain value, or None where it is none."""
        try:
            return self.plain(value, "transform")
        except InvalidModelCard:
            return None


class _Metadata:
    """metadata.json: who made the bundle, what goes in and what comes out."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values
        form = self.values.get("network_data_format")
        self.image = _first_of(form, "inputs")
        self.prediction = _first_of(form, "outputs")

    def text(self, *keys: str) -> str:
        """The first of these keys that holds text, in one line."""
        for key in keys:
            value = self.values.get(key)
            joined = ", ".join(map(str, value)) if isinstance(value, list) else value
            if isinstance(joined, str) and joined.strip():
                return " ".join("".join(c if c.isprintable() else " " for c in joined).split())[:2000]
        return ""

    def classes(self) -> list[str]:
        """What the outputs mean, in their order; empty where the bundle does not say."""
        named = self.prediction.get("channel_def")
        if not isinstance(named, dict) or sorted(map(str, named)) != sorted(map(str, range(len(named)))):
            return []
        return [str(named[key])[:120] for key in sorted(named, key=int)]


def _first_of(form: Any, side: str) -> Mapping[str, Any]:
    described = form.get(side) if isinstance(form, dict) else None
    listed = (
        [one for one in described.values() if isinstance(one, dict)] if isinstance(described, dict) else []
    )
    return listed[0] if len(listed) == 1 else {}


def _card(
    metadata: _Metadata, config: _Config, architecture: str, arguments: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The keys of model.toml that the bundle tells, and sentences about those that it does not."""
    still_open: list[str] = []
    name = re.sub(r"[^a-z0-9._-]+", "-", metadata.text("name").lower()).strip("-._")[:64]
    version = re.sub(r"[^A-Za-z0-9._+-]+", "-", metadata.text("version")).strip("-._+")[:64]
    card: dict[str, Any] = {
        "name": name or "monai-bundle",
        "version": version or "1.0.0",
        "title": metadata.text("task", "description"),
        "architecture": architecture,
        "weights": WEIGHTS,
        **_output(metadata, config, still_open),
        "intended_use": metadata.text("intended_use", "description") or "Not said by the bundle.",
        "licence": metadata.text("license", "licence") or "See the bundle",
        "attribution": f"MONAI bundle. {metadata.text('authors')} {metadata.text('copyright')}".strip(),
        "architecture_arguments": dict(arguments),
        "input": _input(metadata, config, still_open),
        "findings": _findings(metadata, still_open),
    }
    return card, still_open


def _output(metadata: _Metadata, config: _Config, still_open: list[str]) -> dict[str, str]:
    activation = config.transform("postprocessing", "Activations") or {}
    said: dict[str, str] = {}
    for kind in ("softmax", "sigmoid"):
        if activation.get(kind) is True:
            said["output"] = kind
    if not said:
        still_open.append(
            'output: the bundle does not say how logits become probabilities; write "sigmoid" or "softmax"'
        )
    if "segmentation" in {str(metadata.prediction.get(key)) for key in ("format", "type")}:
        said["logits"] = "mean"
    return said


def _input(metadata: _Metadata, config: _Config, still_open: list[str]) -> dict[str, Any]:
    modality = str(metadata.image.get("modality", "")).upper()
    size = _size(metadata, config, still_open)
    channels = metadata.image.get("num_channels", 1)
    if channels not in {1, 3}:
        raise InvalidModelCard(
            f"The bundle's network takes {channels!r} channels; camlucida prepares 1 (grey) or 3 (colour)."
        )
    spacing = (config.transform("preprocessing", "Spacing") or {}).get("pixdim")
    said: dict[str, Any] = {"modality": [modality] if modality in _MODALITIES else [], "channels": channels}
    if size:
        said["size"] = size
    if isinstance(spacing, list) and len(spacing) == len(size or spacing):
        said |= {"spacing": spacing[::-1], "fit": "pad"}
    if len(size) != 2:
        still_open.append(AXES)
    return said | _intensity(config, still_open)


def _size(metadata: _Metadata, config: _Config, still_open: list[str]) -> list[int]:
    """As (slice, row, column), where MONAI has (x, y, z); empty where no numbers are given."""
    whole = _whole_numbers(metadata.image.get("spatial_shape"))
    if whole:
        return whole[::-1]
    inferer = config.values.get("inferer")
    patch = _whole_numbers(config.or_none(inferer.get("roi_size")) if isinstance(inferer, dict) else None)[
        ::-1
    ]
    still_open.append(
        f"size, of [input]: {patch} is that of one patch; camlucida explains one input, so choose what holds "
        "the organ"
        if patch
        else "size, of [input]: the bundle gives no fixed one; write [rows, columns] or [slices, …]"
    )
    return patch


def _whole_numbers(shape: Any) -> list[int]:
    """Two or three lengths, or none."""
    if not isinstance(shape, list) or len(shape) not in {2, 3}:
        return []
    return shape if all(isinstance(length, int) and length > 0 for length in shape) else []


def _intensity(config: _Config, still_open: list[str]) -> dict[str, Any]:
    scaled = config.transform("preprocessing", "ScaleIntensityRange") or {}
    low, high, *unit = (scaled.get(key) for key in ("a_min", "a_max", "b_min", "b_max"))
    if isinstance(low, int | float) and isinstance(high, int | float) and unit == [0, 1]:
        return {"intensity": "range", "low": float(low), "high": float(high)}
    if config.transform("preprocessing", "ScaleIntensity") is not None:
        return {"intensity": "percentile", "low": 0.0, "high": 100.0}
    still_open.append(
        "intensity, mean and std, of [input]: the bundle scales values in a way that a card cannot say; "
        "write what comes nearest"
    )
    return {}


def _findings(metadata: _Metadata, still_open: list[str]) -> list[dict[str, str]]:
    classes = metadata.classes()
    if not classes:
        count = metadata.prediction.get("num_channels")
        classes = [f"output {n}" for n in range(count if isinstance(count, int) and 0 < count <= 4096 else 1)]
        still_open.append(
            "[[findings]]: the bundle does not name its outputs; name each, in the network's order"
        )
    return [{"name": name} for name in classes]


def _toml(card: Mapping[str, Any], still_open: list[str]) -> str:
    lines = ["# Converted from a MONAI bundle.", *(f"# Open: {sentence}." for sentence in still_open)]
    lines += [f"{key} = {_value(value)}" for key, value in card.items() if not _is_table(value)]
    for key in ("architecture_arguments", "input"):
        lines += ["", f"[{key}]", *(f"{_key(name)} = {_value(value)}" for name, value in card[key].items())]
    for finding in card["findings"]:
        lines += ["", "[[findings]]", f"name = {_value(finding['name'])}"]
    return "\n".join(lines) + "\n"


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and bool(value) and isinstance(value[0], dict))


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _value(value: Any) -> str:
    """As TOML; text, numbers and lists of them are written as in JSON."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(name)} = {_value(one)}" for name, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)
