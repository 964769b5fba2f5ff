"""One shard: some inputs in, a folder out that is whole or not there.

The same shard gives the same bytes, wherever and whenever it is computed with the same versions: nothing of
the clock is written, and torch computes in one thread.

    00017/findings.parquet   a row for each finding of each image: prediction, descriptors, trust
    00017/refused.parquet    what could not be explained, and why
    00017/maps.bin           explanations with their maps, one after the other, each as the station keeps it
                             (`camlucida.records.encoding`); `findings.parquet` says where it begins
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import torch

from camlucida.cohorts.inputs import Input, images_of
from camlucida.cohorts.tables import FINDINGS, REFUSED, Row, write_table
from camlucida.errors import ModelChanged, sentence
from camlucida.models.classifier import Classifier
from camlucida.models.load import load_model, load_registered
from camlucida.models.registry import Registry
from camlucida.records import Explanation, Image
from camlucida.records.encoding import decode, encode
from camlucida.saliency.explain import explain_batch
from camlucida.saliency.visual_explanation import VisualExplanation

TOGETHER = {2: 8, 3: 1}
"""How many images or volumes are in memory at once."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What every shard of a cohort has in common, and a process needs to know."""

    folder: Path
    model: str
    digest: str
    method: str
    variant: str | None = None
    home: Path | None = None


@dataclass(frozen=True, slots=True)
class Shard:
    """A number of inputs, by their place in the cohort."""

    number: int
    inputs: tuple[Input, ...]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.number:06d}"


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a shard: explained images, and what was refused with its reason."""

    shard: int
    images: int
    refused: tuple[tuple[str, str], ...]


class Explainer:
    """The callable of all engines: made once in a process, called with one shard after the other.

    Raises
    ------
    ModelChanged
        The model is not the one that the cohort was begun with.
    """

    def __init__(self, setup: Setup) -> None:
        torch.set_num_threads(1)  # results must not depend on how many cores there are
        self.setup = setup
        self.model = load(setup.model, setup.home)
        if self.model.digest != setup.digest:
            raise ModelChanged(
                f"The model “{setup.model}” is not the one that this cohort was begun with; begin another in "
                "an empty folder."
            )

    def __call__(self, shard: Shard) -> Done:
        """Explain what the shard holds, and write its folder whole."""
        shards = self.setup.folder / "shards"
        unfinished = Path(tempfile.mkdtemp(prefix=f".{shard.name}-", dir=shards))
        try:
            done = self._write(shard, unfinished)
            unfinished.chmod(0o755)  # mkdtemp's folders are for their owner alone
            _keep(unfinished, shards / shard.name)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return done

    def _write(self, shard: Shard, folder: Path) -> Done:
        rows: list[Row] = []
        refused: list[tuple[str, str]] = []
        explained = 0
        with (folder / "maps.bin").open("wb") as maps:
            for group in self._groups(shard, refused):
                for (name, image), found in zip(group, self._explained(group), strict=True):
                    if isinstance(found, str):
                        refused.append((name, found))
                        continue
                    rows.extend(_rows(shard, name, image, found, _append(maps, found.explanation)))
                    explained += 1
        write_table(folder / "findings.parquet", FINDINGS, rows)
        write_table(folder / "refused.parquet", REFUSED, [{"input": a, "reason": b} for a, b in refused])
        return Done(shard.number, explained, tuple(refused))

    def _groups(self, shard: Shard, refused: list[tuple[str, str]]) -> Iterator[list[tuple[str, Image]]]:
        """Readable images in groups that fit into memory; what cannot be read is refused."""
        group: list[tuple[str, Image]] = []
        for one in shard.inputs:
            try:
                images = images_of(one, self.setup.home)
            except Exception as error:  # noqa: BLE001 - one bad file must not end the others
                refused.append((one.name, sentence(error)))
                continue
            for image in images:
                group.append((one.name, image))
                if len(group) == TOGETHER[self.model.card.preparation.space]:
                    yield group
                    group = []
        if group:
            yield group

    def _explained(self, group: Sequence[tuple[str, Image]]) -> list[VisualExplanation | str]:
        """All together; where one is refused, each for itself, so that it alone is."""
        images = [image for _, image in group]
        try:
            for image in images:
                self.model.check(image)
            return [*explain_batch(self.model, images, method=self.setup.method, variant=self.setup.variant)]
        except Exception as error:  # noqa: BLE001 - as above
            if len(group) == 1:
                return [sentence(error)]
        return [found for one in group for found in self._explained([one])]


def load(model: str, home: Path | None) -> Classifier:
    """A model that is registered in this home folder, or any that `load_model` finds."""
    registered = None if home is None else Registry(home).find(model)
    return load_model(model) if registered is None else load_registered(registered)


def explanation_at(folder: Path, row: Mapping[str, Any]) -> Explanation:
    """The explanation with its maps that a row of `findings.parquet` is of; `folder` is the cohort's.

    Raises
    ------
    DamagedBlob
        The bytes at that place are no explanation.
    """
    with (folder / "shards" / f"{row['shard']:06d}" / "maps.bin").open("rb") as file:
        file.seek(row["map_offset"])
        return decode(file.read(row["map_bytes"]))


def _append(maps: BinaryIO, explanation: Explanation) -> tuple[int, int]:
    """Offset and size of the explanation in the file, without what the clock said."""
    timeless = replace(explanation, provenance=replace(explanation.provenance, created="", seconds=0.0))
    return maps.tell(), maps.write(encode(timeless))


def _keep(unfinished: Path, finished: Path) -> None:
    """Give a folder its name once its content is on the disk; one that another process kept stays."""
    for path in unfinished.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    if not finished.exists():
        unfinished.rename(finished)


def _rows(
    shard: Shard, name: str, image: Image, found: VisualExplanation, place: tuple[int, int]
) -> Iterator[Row]:
    explanation = found.explanation
    prediction, maps, trust = explanation.prediction, explanation.saliency_map, explanation.trust
    for index, label in enumerate(maps.findings):
        said, told = prediction.index(label), trust.findings[index]
        yield {
            "input": name,
            "frame": image.source.frame_number,
            "pixel_digest": explanation.provenance.pixel_digest,
            "modality": image.modality,
            "finding": label,
            "logit": prediction.logits[said],
            "probability": prediction.probabilities[said],
            "reported": prediction.reported(said),
            "evidence_for": maps.evidence_for(index),
            "evidence_against": maps.evidence_against(index),
            "bias": maps.bias[index],
            "residual": maps.residual[index],
            "unit": str(maps.unit),
            **{
                figure: getattr(told, figure)
                for figure in ("residual_share", "focality", "border_share", "corner_share", "outside_share")
            },
            "statement": told.statement,
            "body_share": trust.body_share,
            "shard": shard.number,
            "map_offset": place[0],
            "map_bytes": place[1],
        }
