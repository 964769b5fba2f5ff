"""The model card: what model.toml says, checked before anything else is done with a model. No torch.

docs/reference/model-card.md names every key.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from math import isfinite, prod
from pathlib import Path
from typing import Any, TypeVar

from camlucida.errors import InvalidModelCard
from camlucida.images.prepare import Preparation
from camlucida.records import CodedConcept, Finding

CARD = "model.toml"
_LARGEST_CARD = 1_000_000  # bytes
_MOST_FINDINGS = 4096
_LONGEST_SIDE = 8192
_MOST_VALUES = 2**28  # of one prepared image: 1 GiB of float32

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_WITH_GRAPH = {".pt2", ".onnx"}
_IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*|[A-Za-z_]\w*")
_LOGITS = re.compile(r"(mean of )?(key:.{1,128}|index:\d{1,3})|mean")


_Kind = TypeVar("_Kind", bound=StrEnum)


class Output(StrEnum):
    """How logits become probabilities."""

    SIGMOID = "sigmoid"  # findings are independent of each other
    SOFTMAX = "softmax"  # exactly one of them is the case


class Task(StrEnum):
    """What the network was trained to say."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class Phantoms(StrEnum):
    """Whether the station asks the model about phantoms by itself; whoever names the model always may."""

    ALSO = "also"
    ONLY = "only"  # trained on phantoms: what it says of a patient is worth nothing
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Resources:
    """What one explanation by the model may take at most, and where; None: what the settings say."""

    seconds: float | None = None
    memory_gb: float | None = None  # 1e9 bytes, of the whole process
    gpu: bool = False  # only workers with `--queue gpu` compute it


@dataclass(frozen=True, slots=True)
class ModelCard:
    """What is known of a model; the fields are the keys of model.toml.

    `architecture` is None where the weights file brings its own graph (.pt2, .onnx). `logits` names where
    they are in what the network returns ("key:NAME" or "index:N"), or what is taken of a segmentation
    ("mean", "mean of key:NAME"); None where it returns nothing else.
    """

    name: str
    version: str
    title: str
    architecture: str | None
    architecture_arguments: Mapping[str, Any]
    weights: str
    output: Output
    task: Task
    modality: tuple[str, ...]
    phantoms: Phantoms
    preparation: Preparation
    findings: tuple[Finding, ...]
    target_layer: str | None
    logits: str | None
    intended_use: str
    licence: str
    attribution: str
    limits: str
    resources: Resources = Resources()

    @property
    def determining(self) -> str:
        """Canonical JSON of all that changes what the network computes; goes into the model digest."""
        return json.dumps(
            {
                "architecture": self.architecture,
                "arguments": self.architecture_arguments,
                "output": self.output,
                "task": self.task,
                "preparation": self.preparation.digest,
                "findings": [finding.name for finding in self.findings],
                "logits": self.logits,
            },
            sort_keys=True,
            separators=(",", ":"),
        )


def read_card(folder: Path) -> ModelCard:
    """Read and check the model.toml of a model's folder.

    Raises
    ------
    InvalidModelCard
        Key, value and cure are in the message.
    """
    try:
        return _card(_Table(_toml(folder / CARD), ""))
    except InvalidModelCard as error:
        raise InvalidModelCard(f"{folder.name}/{CARD}: {error}") from error


def file_inside(folder: Path, relative: str) -> Path:
    """The file of this name, which must be a plain file inside the folder, links resolved.

    Raises
    ------
    InvalidModelCard
        It is absent, no file, or reaches out of the folder.
    """
    path = folder / relative
    if Path(relative).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
        raise InvalidModelCard(f"“{relative}” lies outside the model's folder; copy the file into it.")
    if not path.is_file():
        raise InvalidModelCard(f"There is no file “{relative}” in the model's folder “{folder.name}”.")
    return path


def _toml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InvalidModelCard(
            "there is no such file; a model is a folder with a model.toml and its weights."
        )
    if path.stat().st_size > _LARGEST_CARD:
        raise InvalidModelCard(f"the file is larger than {_LARGEST_CARD} bytes, so it is no model card.")
    try:
        return tomllib.loads(path.read_bytes().decode())
    except UnicodeDecodeError as error:
        raise InvalidModelCard("the file is not UTF-8; save it as UTF-8 text.") from error
    except ValueError as error:  # TOMLDecodeError, and int() of more digits than Python converts
        raise InvalidModelCard(f"not valid TOML: {error}.") from error
    except RecursionError as error:
        raise InvalidModelCard("not a model card: it is nested too deeply.") from error


def _card(table: "_Table") -> ModelCard:
    weights = table.text("weights")
    output, task = table.choice("output", Output), table.choice("task", Task, Task.CLASSIFICATION)
    modality, phantoms, preparation = _input(table.table("input"))
    card = ModelCard(
        name=table.matching("name", _NAME, "1 to 64 of a-z, 0-9, '.', '_' and '-'"),
        version=table.matching("version", _VERSION, "1 to 64 of A-Z, a-z, 0-9, '.', '_', '+' and '-'"),
        title=table.text("title", ""),
        architecture=_architecture(table, weights),
        architecture_arguments=_arguments(table),
        weights=weights,
        output=output,
        task=task,
        modality=modality,
        phantoms=phantoms,
        preparation=preparation,
        findings=_findings(table),
        target_layer=table.text("target_layer", "") or None,
        logits=_logits(table),
        intended_use=table.text("intended_use"),
        licence=table.text("licence"),
        attribution=table.text("attribution"),
        limits=table.text("limits", ""),
        resources=_resources(table.table("resources", optional=True)),
    )
    table.refuse_unknown()
    return card


def _resources(table: "_Table") -> Resources:
    limits = {key: table.number(key) for key in ("seconds", "memory_gb") if table.has(key)}
    for key, value in limits.items():
        if not value > 0:
            raise table.wrong(key, "not above 0")
    resources = Resources(**limits, gpu=table.boolean("gpu"))
    table.refuse_unknown()
    return resources


def _architecture(table: "_Table", weights: str) -> str | None:
    suffix = Path(weights).suffix
    exported = suffix in _WITH_GRAPH
    if exported and table.has("architecture"):
        raise table.wrong(
            "architecture", f"not needed with a {suffix}, which brings its own graph: leave it out"
        )
    if exported:
        return None
    return table.matching("architecture", _IMPORT_PATH, "“package.module:Name”, or a shipped network's name")


def _arguments(table: "_Table") -> Mapping[str, Any]:
    arguments = table.table("architecture_arguments", optional=True)
    for key, value in arguments.values.items():
        if not _plain(value):
            raise arguments.wrong(key, "neither text, number, boolean nor a list or table of them")
    return dict(arguments.values)


def _plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(_plain(item) for item in value)
    if isinstance(value, dict):
        return all(_plain(item) for item in value.values())
    return isinstance(value, str | bool) or _is_number(value)


def _logits(table: "_Table") -> str | None:
    if not table.has("logits"):
        return None
    return table.matching("logits", _LOGITS, "“key:NAME” of a dict, “index:N” of a tuple, or “mean” (of …)")


def _input(table: "_Table") -> tuple[tuple[str, ...], Phantoms, Preparation]:
    modality = table.texts("modality")
    phantoms = Phantoms(table.one_of("phantoms", tuple(Phantoms), Phantoms.ALSO))
    size = _size(table)
    channels = table.integer("channels", 1, 1)
    if channels not in {1, 3}:
        raise table.wrong("channels", "neither 1 (grey) nor 3 (colour, or grey repeated)")
    if channels * prod(size) > _MOST_VALUES:
        raise table.wrong(
            "size", f"more than {_MOST_VALUES} values with {channels} channels; make it smaller"
        )
    fields = {
        "space": len(size),
        "channels": channels,
        "size": size,
        "fit": table.one_of("fit", ("stretch", "pad", "crop"), "stretch"),
        "mean": _each_channel(table, "mean", 0.0, channels),
        "std": _each_channel(table, "std", 1.0, channels),
        "spacing": _spacing(table, len(size)),
        **_intensity(table),
    }
    table.refuse_unknown()
    return modality, phantoms, Preparation(**fields)


def _size(table: "_Table") -> tuple[int, ...]:
    size = table.numbers("size")
    whole = all(isinstance(side, int) and 1 <= side <= _LONGEST_SIDE for side in size)
    if len(size) not in {2, 3} or not whole:
        raise table.wrong(
            "size",
            f"not [rows, columns] or [slices, rows, columns] of whole numbers from 1 to {_LONGEST_SIDE}",
        )
    return tuple(int(side) for side in size)


_NEEDS = {
    "full": (),
    "percentile": ("low", "high"),
    "range": ("low", "high"),
    "window": ("window_center", "window_width"),
}


def _intensity(table: "_Table") -> dict[str, Any]:
    """The keys that say how values become 0..1; one that its kind does not use is refused."""
    intensity = table.one_of("intensity", tuple(_NEEDS), "full")
    needed = _NEEDS[intensity]
    for key in {"low", "high", "window_center", "window_width"} - set(needed):
        if table.has(key):
            raise table.wrong(key, f"not used with intensity = “{intensity}”: leave it out")
    values = {key: table.number(key) for key in needed}
    if "low" in values and not values["low"] < values["high"]:
        raise table.wrong("low", f"not below high = {values['high']:g}")
    if intensity == "percentile" and not (values["low"] >= 0 and values["high"] <= 100):
        raise table.wrong("low" if values["low"] < 0 else "high", "not a percentile from 0 to 100")
    if "window_width" in values and not values["window_width"] > 0:
        raise table.wrong("window_width", "not above 0")
    return {"intensity": intensity, **values}


def _each_channel(table: "_Table", key: str, default: float, channels: int) -> tuple[float, ...]:
    numbers = table.numbers(key, [default])
    if len(numbers) not in {1, channels}:
        raise table.wrong(key, f"neither one number nor one for each of {channels} channels")
    if key == "std" and not all(number > 0 for number in numbers):
        raise table.wrong(key, "not above 0 everywhere")
    return tuple(numbers) * (channels // len(numbers))


def _spacing(table: "_Table", axes: int) -> tuple[float, ...] | None:
    if not table.has("spacing"):
        return None
    spacing = table.numbers("spacing")
    if len(spacing) != axes or not all(mm > 0 for mm in spacing):
        raise table.wrong("spacing", f"not {axes} sizes in mm above 0, one for each axis of size")
    if table.values.get("fit", "stretch") == "stretch":
        raise table.wrong("spacing", "the size of an input voxel, so fit must be “pad” or “crop”")
    return tuple(spacing)


def _findings(table: "_Table") -> tuple[Finding, ...]:
    tables = table.tables("findings")
    if not 1 <= len(tables) <= _MOST_FINDINGS:
        raise InvalidModelCard(
            f"there are {len(tables)} [[findings]]; give one for each output of the network."
        )
    findings = tuple(_finding(one) for one in tables)
    seen: set[str] = set()
    for finding in findings:
        if finding.name.casefold() in seen:
            raise InvalidModelCard(f"two findings are called “{finding.name}”; give each its own name.")
        seen.add(finding.name.casefold())
    return findings


def _finding(table: "_Table") -> Finding:
    operating_point = table.number("operating_point") if table.has("operating_point") else None
    if operating_point is not None and not 0 < operating_point < 1:
        raise table.wrong("operating_point", "not a probability above 0 and below 1")
    finding = Finding(table.text("name", longest=128), _concept(table), operating_point)
    table.refuse_unknown()
    return finding


def _concept(table: "_Table") -> CodedConcept | None:
    if not table.has("concept"):
        return None
    concept = table.table("concept")
    coded = CodedConcept(  # VR SH and LO hold 16 and 64 characters (DICOM PS3.5 table 6.2-1)
        concept.text("value", longest=16),
        concept.text("scheme", longest=16),
        concept.text("meaning", longest=64),
    )
    concept.refuse_unknown()
    return coded


class _Table:
    """A table of the card, read key by key; every complaint names key, value and cure."""

    def __init__(self, values: Mapping[str, Any], place: str) -> None:
        self.values = values
        self.place = place
        self.known: list[str] = []

    def has(self, key: str) -> bool:
        self.known.append(key)
        return key in self.values

    def wrong(self, key: str, why: str) -> InvalidModelCard:
        value = repr(self.values.get(key))
        shown = value if len(value) <= 80 else f"{value[:77]}..."
        return InvalidModelCard(f"{self.place}{key} = {shown} is {why}.")

    def refuse_unknown(self) -> None:
        for key in self.values:
            if key not in self.known:
                near = get_close_matches(key, self.known, n=1, cutoff=0.0)[0]
                raise InvalidModelCard(
                    f"{self.place}{key} is no key of a model card; the nearest is “{near}”."
                )

    def text(self, key: str, default: str | None = None, *, longest: int = 20_000) -> str:
        if not self.has(key) and default is not None:
            return default
        value = self._required(key)
        if not isinstance(value, str) or (default is None and not value.strip()) or len(value) > longest:
            raise self.wrong(key, f"not text of 1 to {longest} characters")
        return value.strip()

    def matching(self, key: str, pattern: re.Pattern[str], meaning: str) -> str:
        value = self.text(key)
        if not pattern.fullmatch(value):
            raise self.wrong(key, f"not {meaning}")
        return value

    def one_of(self, key: str, choices: Sequence[str], default: str | None = None) -> str:
        value = self.text(key, default)
        if value not in choices:
            raise self.wrong(key, f"none of {', '.join(choices)}")
        return value

    def choice(self, key: str, kind: type[_Kind], default: _Kind | None = None) -> _Kind:
        return kind(self.one_of(key, [member.value for member in kind], default))

    def number(self, key: str) -> float:
        value = self._required(key)
        if not _is_number(value):
            raise self.wrong(key, "not a finite number")
        return float(value)

    def boolean(self, key: str) -> bool:
        value = self.values.get(key, False) if self.has(key) else False
        if not isinstance(value, bool):
            raise self.wrong(key, "neither true nor false")
        return value

    def integer(self, key: str, default: int, least: int) -> int:
        value = self.values.get(key, default) if self.has(key) else default
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.wrong(key, f"not a whole number from {least}")
        return value

    def numbers(self, key: str, default: list[float] | None = None) -> list[float]:
        if not self.has(key) and default is not None:
            return default
        value = self._required(key)
        numbers = [value] if _is_number(value) else value
        if not isinstance(numbers, list) or not numbers or not all(_is_number(number) for number in numbers):
            raise self.wrong(key, "not a list of finite numbers")
        return numbers

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.values.get(key, []) if self.has(key) else []
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise self.wrong(key, 'not a list of text, as in ["CR", "DX"]')
        return tuple(texts)

    def table(self, key: str, *, optional: bool = False) -> "_Table":
        place = f"[{self.place}{key}] "
        if not self.has(key) and optional:
            return _Table({}, place)
        value = self._required(key)
        if not isinstance(value, dict):
            raise self.wrong(key, f"no table; write [{key}]")
        return _Table(value, place)

    def tables(self, key: str) -> list["_Table"]:
        value = self._required(key)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self.wrong(key, f"no list of tables; write [[{key}]] above each")
        return [_Table(one, f"[[{key}]] number {number} ") for number, one in enumerate(value, 1)]

    def _required(self, key: str) -> Any:
        if not self.has(key):
            near = get_close_matches(key, self.values, n=1, cutoff=0.7)
            hint = f" (is “{near[0]}” meant?)" if near else ""
            raise InvalidModelCard(f"{self.place}{key} is missing{hint}; add it.")
        return self.values[key]


def _is_number(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) < 2**53  # what a float64 holds exactly
    return isinstance(value, float) and isfinite(value)
