"""The registered models of a home folder: copied once, proven once, checked against their digests ever after.

`HOME/models/NAME/VERSION/` holds the card, the weights, the texts beside them, and `registered.json` with the
digest of every file and what was found when the model was registered. Looking at the list needs no torch.
"""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import camlucida.examples
from camlucida.errors import InvalidModelCard, ModelChanged, ModelError, UnknownModel
from camlucida.settings import settings
from camlucida.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from camlucida.models.load import Trial

REGISTERED = "registered.json"
Step = Callable[[], None]
_CARD = "model.toml"
_TEXTS = ("*.md", "*.txt", "LICENSE*", "LICENCE*", "NOTICE*")
_LARGEST_TEXT = 1_000_000  # bytes
_INPUTS = 8  # made-up ones on which a head is proven, unless another number is asked for
_FEWER = 2  # of large inputs, of which each takes seconds
_MANY_VALUES = 2_000_000  # of one input, from which it is large
_SAME_LOGITS = 1e-3  # what another machine's rounding may change


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered model, as registered.json tells it. Digests are SHA-256 in hexadecimal.

    `head` holds the fields of `HeadProof`, the strongest proof so far: that of registering, or of a later
    check on more inputs or with a larger deviation; `checked` is the time of that check. `logits` is what
    the model said of the first made-up inputs.
    `retired` is the time (ISO 8601, UTC) from which the model is no longer used unless asked by version.
    """

    name: str
    version: str
    title: str
    digest: str
    files: Mapping[str, str]
    findings: tuple[str, ...]
    parameters: int
    head: Mapping[str, Any]
    layer_named: bool
    logits: tuple[tuple[float, ...], ...]
    cautions: tuple[str, ...]
    registered: str
    retired: str | None
    library_version: str
    torch_version: str
    folder: Path
    checked: str | None = None

    @property
    def key(self) -> str:
        """How this very version is asked for."""
        return f"{self.name}@{self.version}"

    def verify(self) -> None:
        """Compare every file with the digest it was registered with.

        Raises
        ------
        ModelChanged
            A file is missing or has another content.
        """
        for name, digest in self.files.items():
            path = self.folder / name
            if not path.is_file() or _sha256(path) != digest:
                state = "is not what it was when it was registered" if path.is_file() else "is missing"
                raise ModelChanged(
                    f"The file “{name}” of the model {self.key} {state}; register the model as a new version."
                )


@dataclass(frozen=True, slots=True)
class Check:
    """What checking a registered model has shown: its files are unchanged, and it says what it said."""

    registered: Registered
    head: Mapping[str, Any]
    difference: float  # largest |logit now - logit when registered|
    known: Mapping[str, Any]  # the proof as it is kept from now on: the strongest of all so far


class Registry:
    """The models of a home folder."""

    def __init__(self, home: Path) -> None:
        self.folder = home / "models"

    def add(self, source: Path, inputs: int | None = None, step: Step = lambda: None) -> Registered:
        """Copy a model's folder, try the copy out, and register it; the same model twice is no error.

        Parameters
        ----------
        inputs
            On how many made-up inputs the head is proven; None for 8, or fewer if they are large.
        step
            Called after each.

        Raises
        ------
        ModelError
            The model cannot be used, or its name and version are taken by another; nothing is kept then.
        """
        from camlucida.models.card import read_card  # noqa: PLC0415 - the list needs none of it

        card = read_card(source)
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".adding-") as temporary:
            copy = Path(temporary) / "model"
            files = _copy(source, copy, card.weights)
            registered = _try_out(copy, files, inputs, step)
            _write(registered)
            return self._keep(copy, registered)

    def list(self) -> list[Registered]:
        """All registered models, retired ones too, by name and version."""
        found = [_read(path) for path in self.folder.glob(f"*/*/{REGISTERED}")]
        return sorted(found, key=lambda registered: (registered.name, _order(registered.version)))

    def find(self, key: str) -> Registered | None:
        """The model called "name@version", or the highest version of "name" that is not retired; or None."""
        name, _, version = key.partition("@")
        versions = [one for one in self.list() if one.name == name]
        if version:
            return next((one for one in versions if one.version == version), None)
        return next((one for one in reversed(versions) if one.retired is None), None)

    def get(self, key: str) -> Registered:
        """As `find`.

        Raises
        ------
        UnknownModel
            Nothing of this name is registered.
        """
        registered = self.find(key)
        if registered is None:
            raise UnknownModel(self.unknown(key))
        return registered

    def check(
        self,
        key: str,
        inputs: int | None = None,
        prepared: "Iterable[NDArray[np.float32]]" = (),
        step: Step = lambda: None,
    ) -> Check:
        """Verify a model's digests, try it out again, and keep the proof if it is stronger than that before.

        Parameters
        ----------
        inputs
            On how many made-up inputs the head is proven; None for as many as `add` takes.
        prepared
            Images to prove it on too, as `Classifier.prepare` gives them: (channel, *size).
        step
            Called after each input.

        Raises
        ------
        ModelChanged
            A file has changed, or the same files no longer give the same logits.
        """
        registered = self.get(key)
        registered.verify()
        trial = _trial(registered.folder, inputs, prepared, step)[0]
        difference = _difference(registered.logits, trial.logits)
        if not difference <= _SAME_LOGITS:
            raise ModelChanged(
                f"The files of {registered.key} are unchanged, but its logits differ by up to "
                f"{difference:.2g} from those it was registered with: the code of its architecture has "
                "changed. Register it as a new version."
            )
        known = stronger(registered.head, _head(trial))
        if known != registered.head:
            registered = _with(registered, head=known, checked=_now())
        return Check(registered, _head(trial), difference, known)

    def retire(self, key: str) -> Registered:
        """Mark a version as no longer used; its files stay, so that its maps can be made again.

        Raises
        ------
        UnknownModel
            Nothing of this name is registered.
        """
        registered = self.get(key)
        if registered.retired is None:
            registered = _with(registered, retired=_now())
        return registered

    def unknown(self, key: str) -> str:
        """The sentence for a model that is not there, with the nearest that is."""
        name, _, version = key.partition("@")
        versions = [one for one in self.list() if one.name == name]
        if versions:
            known = ", ".join(f"{one.version} (retired)" if one.retired else one.version for one in versions)
            asked = f"no version “{version}”" if version else "only retired versions; name one with @"
            return f"The model “{name}” has {asked}: registered are {known}."
        known_names = sorted({*shipped_models(), *(one.name for one in self.list())})
        near = get_close_matches(name, known_names, n=1)
        hint = f"; the nearest is “{near[0]}”" if near else ""
        return (
            f"No model is called “{name}”{hint}; `camlucida models list` shows all, and "
            "`camlucida models add FOLDER` adds one."
        )

    def _keep(self, copy: Path, registered: Registered) -> Registered:
        target = self.folder / registered.name / registered.version
        target.parent.mkdir(exist_ok=True)
        try:
            os.rename(copy, target)  # noqa: PTH104 - Path.rename would replace an empty folder just the same
        except OSError as error:
            if not (target / REGISTERED).is_file():
                raise
            return _same_or_refused(_read(target / REGISTERED), registered, error)
        return Registered(**_fields(registered), folder=target)


def shipped_models() -> dict[str, Path]:
    """The models that come with camlucida: name to folder."""
    folder = Path(camlucida.examples.__path__[0]) / "models"
    return {card.parent.name: card.parent for card in sorted(folder.glob(f"*/{_CARD}"))}


def _same_or_refused(present: Registered, new: Registered, error: OSError) -> Registered:
    if dict(present.files) == dict(new.files):
        return present
    raise ModelError(
        f"{new.key} is registered already, with other files; give the changed model a new version in its "
        f"{_CARD}."
    ) from error


def stronger(before: Mapping[str, Any], now: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known of a head after two proofs, as fields of HeadProof: nothing is unlearnt.

    One proof that it is not linear is enough; deviations are the largest of both; the number of inputs is
    that of the proof with more of them, not their sum, as the made-up ones are the same each time.
    """
    kind = max(str(before["kind"]), str(now["kind"]), key=("unproven", "linear", "nonlinear").index)
    more = now if now["inputs"] >= before["inputs"] else before
    return {
        **before,
        "kind": kind,
        "inputs": more["inputs"],
        "images": more.get("images", 0),
        **{name: max(before[name], now[name]) for name in ("deviation", "deviation_pooled")},
    }


def _with(registered: Registered, **changed: Any) -> Registered:
    """The record with some fields changed, kept in its file."""
    new = Registered(**{**_fields(registered), **changed}, folder=registered.folder)
    _write(new)
    return new


def _copy(source: Path, copy: Path, weights: str) -> dict[str, str]:
    """Copy card, weights and texts, and nothing else; digests by name."""
    from camlucida.models.card import file_inside  # noqa: PLC0415

    copy.mkdir()
    names = {_CARD, weights, *_texts(source)}
    for name in names:
        path = file_inside(source, name)
        if path.stat().st_size > settings().max_file_bytes:
            raise InvalidModelCard(
                f"“{name}” is larger than {settings().max_file_bytes} bytes; set CAMLUCIDA_MAX_FILE_BYTES "
                "if it is meant."
            )
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy / name)
    return {name: _sha256(copy / name) for name in sorted(names)}


def _texts(source: Path) -> Iterator[str]:
    for pattern in _TEXTS:
        for path in source.glob(pattern):
            inside = path.is_file() and path.resolve().is_relative_to(source.resolve())
            if inside and path.stat().st_size <= _LARGEST_TEXT:
                yield path.name


def _try_out(folder: Path, files: Mapping[str, str], inputs: int | None, step: Step) -> Registered:
    import torch  # noqa: PLC0415

    from camlucida.models.load import model_digest  # noqa: PLC0415

    trial, card, parameters = _trial(folder, inputs, (), step)
    return Registered(
        name=card.name,
        version=card.version,
        title=card.title,
        digest=model_digest(folder, card),
        files=files,
        findings=tuple(finding.name for finding in card.findings),
        parameters=parameters,
        head=_head(trial),
        layer_named=card.target_layer is not None,
        logits=trial.logits,
        cautions=trial.cautions,
        registered=_now(),
        retired=None,
        library_version=__version__,
        torch_version=torch.__version__,
        folder=folder,
    )


def _trial(
    folder: Path, inputs: int | None, prepared: "Iterable[NDArray[np.float32]]", step: Step
) -> "tuple[Trial, Any, int]":
    from camlucida.models.card import read_card  # noqa: PLC0415
    from camlucida.models.load import network, try_out  # noqa: PLC0415

    card = read_card(folder)
    module = network(folder, card)
    if inputs is None:
        inputs = _INPUTS if prod(card.preparation.size) < _MANY_VALUES else _FEWER
    trial = try_out(module, card, inputs, prepared, step)
    return trial, card, sum(p.numel() for p in module.parameters())


def _head(trial: "Trial") -> dict[str, Any]:
    return {**asdict(trial.head), "kind": str(trial.head.kind)}


def _difference(before: tuple[tuple[float, ...], ...], after: tuple[tuple[float, ...], ...]) -> float:
    # One may have been tried on fewer inputs; those that both have are the same.
    rows = zip(before, after, strict=False)
    pairs = [pair for old, new in rows for pair in zip(old, new, strict=True)]
    return max(abs(one - other) / max(1.0, abs(one)) for one, other in pairs)


def _read(path: Path) -> Registered:
    try:
        fields = json.loads(path.read_text("utf-8"))
        for name in ("findings", "cautions"):
            fields[name] = tuple(fields[name])
        fields["logits"] = tuple(tuple(row) for row in fields["logits"])
        fields["head"]["grid"] = tuple(fields["head"]["grid"])
        fields["head"]["bias"] = tuple(fields["head"]["bias"])
        return Registered(**fields, folder=path.parent)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelChanged(
            f"“{path.parent.parent.name}/{path.parent.name}/{REGISTERED}” is damaged; remove this folder "
            "and add the model again."
        ) from error


def _write(registered: Registered) -> None:
    path = registered.folder / REGISTERED
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(_fields(registered), indent=1, ensure_ascii=False), "utf-8")
    temporary.replace(path)


def _fields(registered: Registered) -> dict[str, Any]:
    fields = asdict(registered)
    del fields["folder"]
    return fields


def _order(version: str) -> list[tuple[int, str]]:
    """1.10 comes after 1.9."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"[.+_-]", version)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
