"""A model shown many cases: each is read, explained, measured and forgotten, but for what is small.

    cases ──read──> images ──explain──> maps ──measure──> Observed ──keep──> a file each

Memory does not grow with the cases: images leave it with their group. A case that cannot be used is told, and
the others go on.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import astuple
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import CamlucidaError, DiskFull, InputError, MissingExtra, UnsuitableRuntime, sentence
from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Cohort, Observed, Refused
from camlucida.evaluation.data.keeping import ENDING, keep, kept
from camlucida.evaluation.data.seen import Measuring, Seen
from camlucida.images.read import ImageFiles, read
from camlucida.models.classifier import Classifier
from camlucida.models.cut import mean_over_space
from camlucida.records import Annotation, Image
from camlucida.rendering.legend import most_evidence
from camlucida.rendering.thumbnail import thumbnail
from camlucida.saliency.explain import explain_by_each
from camlucida.saliency.methods import find_method
from camlucida.saliency.visual_explanation import VisualExplanation
from camlucida.version import __version__

TOGETHER = {2: 8, 3: 1}
"""How many images or volumes are in memory at once."""

Progress: TypeAlias = Callable[[int, int], None]
Explained: TypeAlias = Mapping[str, VisualExplanation]


def cohort(
    model: Classifier,
    cases: Sequence[Case],
    methods: Sequence[str],
    measuring: Sequence[Measuring] = (),
    *,
    runtime: str | None = None,
    progress: Progress | None = None,
    kept_in: Path | None = None,
) -> Cohort:
    """All that `observe` gives, together; raises what it raises."""
    results = list(
        observe(model, cases, methods, measuring, runtime=runtime, progress=progress, kept_in=kept_in)
    )
    return Cohort(
        model=f"{model.card.name}@{model.card.version}",
        digest=model.digest,
        observed=tuple(one for one in results if isinstance(one, Observed)),
        refused=tuple(one for one in results if isinstance(one, Refused)),
    )


def observe(
    model: Classifier,
    cases: Sequence[Case],
    methods: Sequence[str],
    measuring: Sequence[Measuring] = (),
    *,
    runtime: str | None = None,
    progress: Progress | None = None,
    kept_in: Path | None = None,
) -> Iterator[Observed | Refused]:
    """Show a model every case, in their order.

    Parameters
    ----------
    methods
        Keys of `camlucida.METHODS`; the first one's map chooses the slice of a volume that is pictured.
    measuring
        What is measured of each case while its image is in memory. A function with options is a
        `functools.partial`, so that these are known when a run goes on.
    runtime
        As in `camlucida.explain`.
    progress
        Called with (done, of how many).
    kept_in
        A folder with a file for each case that is done. A run with the same model, methods, measures and
        case finds it there; anything that changed is computed anew.

    Raises
    ------
    UnknownMethod, MissingExtra, UnsuitableRuntime
        None of the cases could be explained so.
    """
    keys = tuple(dict.fromkeys(find_method(name)[0] for name in methods))
    asked = _asked(model, keys, measuring, runtime)
    rest, done = iter(cases), 0
    while group := list(islice(rest, TOGETHER[model.card.preparation.space])):
        paths = [None if kept_in is None else _path(kept_in, case, asked) for case in group]
        for result in _group(model, group, paths, keys, measuring, runtime):
            done += 1
            if progress is not None:
                progress(done, len(cases))
            yield result


def _group(
    model: Classifier,
    group: Sequence[Case],
    paths: Sequence[Path | None],
    keys: Sequence[str],
    measuring: Sequence[Measuring],
    runtime: str | None,
) -> Iterator[Observed | Refused]:
    """What comes of some cases whose images are in memory together; what was kept is not computed again."""
    done: dict[int, Observed | Refused] = {}
    images: dict[int, Image] = {}
    for place, (case, path) in enumerate(zip(group, paths, strict=True)):
        before = None if path is None else kept(path, case)
        if before is not None:
            done[place] = before
            continue
        try:
            images[place] = _image(model, case)
        except Exception as error:  # noqa: BLE001 - one bad file must not end the others
            done[place] = Refused(case.name, sentence(error))
    explained = _explained(model, list(images.values()), keys, runtime)
    found = dict(zip(images, explained, strict=True))
    for place, (case, path) in enumerate(zip(group, paths, strict=True)):
        if place in found:
            done[place] = _observed(model, case, images[place], found[place], measuring)
            _keep(done[place], path)
        yield done[place]


def _keep(result: Observed | Refused, path: Path | None) -> None:
    """A refused case is tried again when the run goes on: its file may have been mended."""
    if path is None or isinstance(result, Refused):
        return
    try:
        keep(result, path)
    except OSError as error:
        raise DiskFull(
            f"What was seen of a case cannot be kept in {path.parent} ({sentence(error).rstrip('.')}); make "
            "room, and start again: the run goes on where it was."
        ) from error


def _image(model: Classifier, case: Case) -> Image:
    images = read(ImageFiles(case.name, case.files))
    if len(images) > 1:
        raise InputError(f"The file holds {len(images)} images; a case has one.")
    model.check(images[0])
    return images[0]


_Found: TypeAlias = tuple[Explained, NDArray[np.float32]] | str
"""The maps by method and the embedding, or why there are none."""


def _explained(
    model: Classifier, images: Sequence[Image], keys: Sequence[str], runtime: str | None
) -> list[_Found]:
    """All images together; where one is refused, each for itself, so that it alone is."""
    if not images:
        return []
    try:
        batches, activations = explain_by_each(model, images, keys, runtime=runtime)
    except (MissingExtra, UnsuitableRuntime):  # no case could be explained so
        raise
    except Exception as error:  # noqa: BLE001 - as above
        if len(images) == 1:
            return [sentence(error)]
        return [found for image in images for found in _explained(model, [image], keys, runtime)]
    embeddings = mean_over_space(activations).flatten(1).float().cpu().numpy()
    return [
        ({key: batch[number] for key, batch in batches.items()}, embeddings[number])
        for number in range(len(images))
    ]


def _observed(
    model: Classifier,
    case: Case,
    image: Image,
    found: _Found,
    measuring: Sequence[Measuring],
) -> Observed | Refused:
    if isinstance(found, str):
        return Refused(case.name, found)
    explained, embedding = found
    first = next(iter(explained.values())).explanation
    maps = {key: one.explanation.saliency_map for key, one in explained.items()}
    annotations, notes = _drawn(case, image)
    seen = Seen(case.name, image, model, maps, case.labels, annotations)
    try:
        measurements = tuple(row for measure in measuring for row in measure(seen))
    except CamlucidaError as error:
        return Refused(case.name, str(error))
    strongest = int(np.argmax(first.saliency_map.logits))
    shown = most_evidence(first, strongest) if len(image.space) == 3 else None
    return Observed(
        case=case,
        prediction=first.prediction,
        maps=maps,
        measurements=measurements,
        thumbnail=thumbnail(image, shown),
        embedding=embedding,
        slice_index=shown,
        notes=tuple(notes),
    )


def _drawn(case: Case, image: Image) -> tuple[list[Annotation], list[str]]:
    """The marks on the pixel grid, and why some could not be drawn."""
    annotations, notes = [], []
    for mark in case.marks:
        try:
            annotations.append(mark.on(image))
        except (CamlucidaError, OSError) as error:
            notes.append(f"A mark of {mark.finding} is left out: {sentence(error)}")
    return annotations, notes


# --- what is kept, and under which name ---------------------------------------------------------------------


def _asked(
    model: Classifier, keys: Sequence[str], measuring: Sequence[Measuring], runtime: str | None
) -> str:
    """All but the case that decides what comes of it."""
    return json.dumps(
        [__version__, model.digest, model.card.target_layer, keys, [_name(one) for one in measuring], runtime]
    )


def _name(measuring: Measuring) -> str:
    """A measure's function, with its options where it is partial."""
    if isinstance(measuring, partial):
        return f"{_name(measuring.func)} {measuring.args!r} {sorted(measuring.keywords.items())!r}"
    name = getattr(measuring, "__qualname__", None)
    says = f"{measuring.__module__}.{name}" if name else repr(measuring)
    if " at 0x" in says:
        raise ValueError(f"{says} says nothing that another run could know it by; give it a repr.")
    return says


def _path(folder: Path, case: Case, asked: str) -> Path:
    sha256 = hashlib.sha256(asked.encode())
    marks = [(type(mark).__qualname__, astuple(mark)) for mark in case.marks]
    sha256.update(repr((sorted(case.labels.items()), marks)).encode())
    for path in (*case.files, *(path for mark in case.marks for path in mark.files)):
        with suppress(OSError):  # reading it says why not
            sha256.update(_digest(path))
    return folder / f"{sha256.hexdigest()[:32]}{ENDING}"


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
