"""A cohort's folder: begun once, gone on with after whatever stopped it, and described by `cohort.json`.

cohort.json       which model, method, versions and inputs; and in the end, what came of them
inputs.parquet    the inputs in their order
shards/000000/    what came of the first of them: see `shard`
refused.parquet   what could not be explained, of all shards, once all are there
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from camlucida.cohorts.inputs import Input
from camlucida.cohorts.shard import Done, Setup, Shard
from camlucida.cohorts.tables import INPUTS, REFUSED, read_table, write_table
from camlucida.errors import InputError
from camlucida.models.classifier import Classifier
from camlucida.saliency.saving import replace_whole
from camlucida.version import __version__

MANIFEST, LIST, REFUSALS = "cohort.json", "inputs.parquet", "refused.parquet"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: all that decides about the bytes of the results."""

    source: str
    model: str
    model_name: str
    model_version: str
    model_digest: str
    method: str
    variant: str | None
    shard_size: int
    camlucida: str = __version__
    torch: str = torch.__version__

    @classmethod
    def of(
        cls, source: str, model: str, loaded: Classifier, method: str, variant: str | None, shard_size: int
    ) -> "Wish":
        """The wish to explain a source by a model that has been loaded."""
        card = loaded.card
        return cls(source, model, card.name, card.version, loaded.digest, method, variant, shard_size)


class Cohort:
    """A folder with the results of a wish, as far as they are there."""

    def __init__(self, folder: Path, wish: Wish, inputs: Sequence[Input]) -> None:
        self.folder, self.wish, self.inputs = folder, wish, inputs

    @classmethod
    def begin(cls, folder: Path, wish: Wish, inputs: Iterable[Input]) -> "Cohort":
        """Begin a cohort, or go on with the one that the folder holds: then its inputs are those of before.

        Raises
        ------
        InputError
            The folder holds something else, or there are no inputs.
        """
        before = kept(folder)
        if before is not None:
            _refuse_another(folder, before, asdict(wish))
            rows = read_table(folder / LIST)
            return cls(folder, wish, [Input(row["name"], tuple(row["files"]), row["image"]) for row in rows])
        if folder.exists() and any(path.name not in {LIST, "shards"} for path in folder.glob("[!.]*")):
            raise InputError(f"{folder} holds something that is no cohort; name an empty folder with --to.")
        found = list(inputs)
        if not found:
            raise InputError("Nothing was found to explain.")
        (folder / "shards").mkdir(parents=True, exist_ok=True)
        write_table(folder / LIST, INPUTS, [asdict(one) for one in found])
        cohort = cls(folder, wish, found)
        cohort._write({"state": "begun"})  # the last: without it, a cohort has not begun
        return cohort

    def shards(self) -> Iterator[Shard]:
        """All shards, in their order."""
        size = self.wish.shard_size
        for number, start in enumerate(range(0, len(self.inputs), size)):
            yield Shard(number, tuple(self.inputs[start : start + size]))

    def missing(self) -> Iterator[Shard]:
        """The shards that are not there yet."""
        for shard in self.shards():
            if not (self.folder / "shards" / shard.name).exists():
                yield shard

    def setup(self, home: Path | None) -> Setup:
        """What a process needs to compute its shards."""
        wish = self.wish
        return Setup(self.folder.resolve(), wish.model, wish.model_digest, wish.method, wish.variant, home)

    def finish(self) -> Done:
        """Gather what was refused, and say in the manifest what came of all inputs."""
        refused = [
            row
            for shard in self.shards()
            for row in read_table(self.folder / "shards" / shard.name / REFUSALS)
        ]
        for unfinished in (*self.folder.glob(".unfinished-*"), *(self.folder / "shards").glob(".*")):
            _remove(unfinished)  # of a process that was killed
        write_table(self.folder / REFUSALS, REFUSED, refused)
        images = len(self.inputs) - len({row["input"] for row in refused})
        self._write({"state": "complete", "inputs_explained": images, "refused": len(refused)})
        return Done(-1, images, tuple((row["input"], row["reason"]) for row in refused))

    def _write(self, state: dict[str, Any]) -> None:
        says = {"format": FORMAT, **asdict(self.wish), "inputs": len(self.inputs), **state}
        replace_whole(self.folder / MANIFEST, [json.dumps(says, indent=2).encode() + b"\n"])


def kept(folder: Path) -> dict[str, Any] | None:
    """What the manifest of a folder says; None: it has none."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        says: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is damaged; begin another cohort in an empty folder.") from error
    return says


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _refuse_another(folder: Path, before: dict[str, Any], wish: dict[str, Any]) -> None:
    for name, value in wish.items():
        if before.get(name) != value:
            raise InputError(
                f"{folder} holds a cohort with the {name.replace('_', ' ')} “{before.get(name)}”, not "
                f"“{value}”; name an empty folder with --to."
            )
