"""The story on one screen: read, keep, want, explain, keep.

    files ──read──> images ──keep──> store ──want──> explanations wanted
                                       ^                    │
                                       └──keep── explain <──┘

Each step leaves the store in a state from which the next start goes on, whatever stops the process. The
engine is loaded when something has to be computed, not before.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from camlucida.dicom.container import is_dicom
from camlucida.errors import DamagedBlob, ExplainError, InputError, StoreError, UnsupportedNetwork, sentence
from camlucida.jobs.heartbeat import Dropped, beating
from camlucida.models.card import CARD, ModelCard, Phantoms, read_card
from camlucida.models.registry import Registered, Registry, shipped_models
from camlucida.store import claims, explanations, instances, studies
from camlucida.store.audit import events
from camlucida.store.blobs import digest_of_file
from camlucida.store.claims import Claim
from camlucida.store.counters import Stage, Stopwatch, class_of
from camlucida.store.explanations import CurrentModel
from camlucida.store.home import Home
from camlucida.store.shared_models import Mine, share
from camlucida.store.tables import ExplanationRow, ImageRow, Intent, Origin, State
from camlucida.store.turn import is_shared

if TYPE_CHECKING:
    from camlucida.images.read import ImageFiles
    from camlucida.models.classifier import Classifier
    from camlucida.records import Image
    from camlucida.saliency.method import Progress

METHOD = explanations.UNBIDDEN
LOOK_AGAIN = 0.2  # seconds, at what another process computes


class Intake(NamedTuple):
    """What came of one file or series: images that are new and known, or why it was not taken."""

    name: str
    new: int = 0
    known: int = 0
    error: str = ""


class Outcome(NamedTuple):
    """What came of one wanted explanation."""

    model: str
    state: State
    reason: str = ""


def find(paths: Sequence[Path]) -> "list[ImageFiles]":
    """What images lie there: files, series, folders to the bottom."""
    from camlucida.images.read import find_images  # noqa: PLC0415 - a server start has nothing to read

    return find_images(paths)


def take_in(home: Home, found: "Sequence[ImageFiles]") -> Iterator[Intake]:
    """Read and keep, one file or series after the other; what cannot be read is told and passed over."""
    for files in found:
        try:
            yield _take_in(home, files)
        except Exception as error:  # noqa: BLE001 - one bad file must not end the others
            yield Intake(files.name, error=sentence(error))


def register_shipped(home: Home) -> Iterator[Registered]:
    """Register the models that come with camlucida, those that are not registered yet."""
    registry = Registry(home.folder)
    for folder in shipped_models().values():
        if _registered(registry, folder) is None:
            yield registry.add(folder)


def changed_shipped(home: Home) -> list[str]:
    """Shipped models whose card or weights are not those registered here under their name and version."""
    registry = Registry(home.folder)
    pairs = [(_registered(registry, folder), folder) for folder in shipped_models().values()]
    return [known.key for known, folder in pairs if known is not None and not _same_model(folder, known)]


def current_models(home: Home) -> list[Registered]:
    """The newest version of each registered model that is not retired; the store is told of them."""
    registry = Registry(home.folder)
    if is_shared(home):
        _share(home, registry)
    names = dict.fromkeys(registered.name for registered in registry.list())
    current = [model for name in names if (model := registry.find(name)) is not None]
    explanations.set_current_models(
        home,
        [
            CurrentModel(model.digest, model.name, model.version, gpu=read_card(model.folder).resources.gpu)
            for model in current
        ],
    )
    return current


def _share(home: Home, registry: Registry) -> None:
    """Have the models of all machines here, and those of this one there; retired on one, retired on all."""
    models = {model.digest: model for model in registry.list()}
    mine = [
        Mine(model.digest, model.name, model.version, model.folder, model.retired is not None)
        for model in models.values()
    ]
    for digest in share(home, mine):
        registry.retire(models[digest].key)


def want(home: Home, models: Sequence[Registered], method: str = METHOD, *, named: bool = False) -> None:
    """Want an explanation of every image by every model that is made for its modality and its kind.

    `named`: the user named these models, so one that was trained on phantoms is asked about patients too.
    """
    for model in models:
        card = read_card(model.folder)
        with home.database.write() as session:
            for image in explanations.unseen(session, model.digest, method, named=named):
                if is_asked(card, image, named=named):
                    explanations.want(session, image.id, model.digest, method)


def is_asked(card: ModelCard, image: ImageRow, *, named: bool) -> bool:
    """Whether a model shall explain an image: it takes such images, and is asked unbidden or was named."""
    return _is_for(card, image) and (named or _by_itself(card, image))


def explain_wanted(home: Home, models: Sequence[Registered]) -> Iterator[Outcome]:
    """Compute and keep what is wanted of these models, oldest first; what others compute is waited for."""
    by = claims.worker_name()
    claims.release_of_the_dead(home)
    for model in models:
        loaded: dict[str, Classifier] = {}  # one at a time: their memory adds up
        with home.database.read() as session:
            waiting = explanations.waiting(session, model.digest)
        elsewhere = []
        for identifier in waiting:
            claim = claims.take_one(home, by, identifier)
            if claim is None:
                elsewhere.append(identifier)
            else:
                yield _explain_here(home, model, claim, loaded)
        for identifier in elsewhere:
            yield _wait_for(home, model, identifier, by, loaded)


def explain_claimed(
    home: Home,
    model: Registered,
    claim: Claim,
    loaded: "dict[str, Classifier]",
    progress: "Progress | None" = None,
    *,
    again: bool = False,
) -> Outcome:
    """Compute and keep what was claimed. `loaded` keeps the networks for the next time, by model digest.

    `progress` is called with (done, of how many), and raises `Dropped` to end it. `again`: what fails is
    tried again after a while, three times in all.

    Raises
    ------
    StoreError
        It could not be kept (a full disk): it is still wanted, and the attempt does not count.
    """
    stopwatch = Stopwatch()
    fail = partial(explanations.fail_for_now if again else explanations.fail, home, claim.id)
    try:
        from camlucida.saliency.explain import explain  # noqa: PLC0415 - torch

        classifier = _classifier(model, loaded, stopwatch)
        with stopwatch.time(Stage.EXPLAIN):
            image, method = _load(home, claim.id)
            found = explain(classifier, image, method=method, progress=progress).explanation
        if not explanations.keep(home, claim.id, found, stopwatch, by=claim.by):
            return Outcome(model.name, State.CANCELLED)
    except Dropped:
        return Outcome(model.name, State.CANCELLED)
    except (InputError, ExplainError, UnsupportedNetwork) as error:  # trying again would not help
        explanations.refuse(home, claim.id, str(error), class_of(error), by=claim.by)
        return Outcome(model.name, State.REFUSED, str(error))
    except DamagedBlob as error:
        return _failed(model, error, fail, claim.by)
    except StoreError:
        claims.give_back(home, claim.by)
        raise
    except Exception as error:  # noqa: BLE001 - one image must not end the others; the row says what happened
        return _failed(model, error, fail, claim.by)
    return Outcome(model.name, State.DONE)


def _take_in(home: Home, files: "ImageFiles") -> Intake:
    from camlucida.images.read import read  # noqa: PLC0415

    if all(path.is_file() for path in files.paths):
        known = studies.count_of_files(home, studies.files_digest(files.paths))
        if known:  # the same bytes: no need to decode them
            _register(home, files.paths)
            return Intake(files.name, known=known)
    taken = studies.keep(home, read(files), files.paths, who=events.operator())
    _register(home, files.paths)
    return Intake(files.name, taken.new, taken.known)


def _register(home: Home, paths: Sequence[Path]) -> None:
    """Make imported DICOM files instances, which DICOMweb serves; their images are kept already."""
    for path in paths:
        if is_dicom(path):
            with suppress(InputError):  # an image without valid UIDs is shown, but nobody can ask for it
                instances.take(home, path, Origin.IMPORTED, intent=Intent.TAKEN)


def _registered(registry: Registry, folder: Path) -> Registered | None:
    card = read_card(folder)
    return registry.find(f"{card.name}@{card.version}")


def _same_model(folder: Path, known: Registered) -> bool:
    card = read_card(folder)
    return all(known.files.get(name) == digest_of_file(folder / name) for name in (CARD, card.weights))


def _is_for(card: ModelCard, image: ImageRow) -> bool:
    """Whether the image is of the kind that the model takes at all: a CT model is not asked about films."""
    modality = not card.modality or not image.modality or image.modality in card.modality
    return modality and len(image.header["space"]) == card.preparation.space


def _by_itself(card: ModelCard, image: ImageRow) -> bool:
    """Whether the station asks this model unbidden: phantoms and patients need not be for the same models."""
    if card.phantoms is Phantoms.ALSO:
        return True
    return image.study.phantom == (card.phantoms is Phantoms.ONLY)


def _explain_here(home: Home, model: Registered, claim: Claim, loaded: "dict[str, Classifier]") -> Outcome:
    """Within the process of a command, which is never ended for it; no worker begins the same meanwhile."""
    with beating(home, claim, grace=None) as heartbeat:
        return explain_claimed(home, model, claim, loaded, heartbeat.progress)


def _wait_for(
    home: Home, model: Registered, identifier: int, by: str, loaded: "dict[str, Classifier]"
) -> Outcome:
    """What came of an explanation that somebody else computes, or has set aside."""
    while True:
        claim = claims.take_one(home, by, identifier)
        if claim is not None:
            return _explain_here(home, model, claim, loaded)
        with home.database.read() as session:
            row = session.get_one(ExplanationRow, identifier)
            if row.state != State.WANTED:
                return Outcome(model.name, State(row.state), row.reason)
        time.sleep(LOOK_AGAIN)


def load_beforehand(model: Registered, loaded: "dict[str, Classifier]") -> None:
    """Load torch and a network, so that `explain_claimed` need not."""
    from camlucida.saliency import explain  # noqa: F401, PLC0415 - torch

    _classifier(model, loaded, Stopwatch())


def _classifier(model: Registered, loaded: "dict[str, Classifier]", stopwatch: Stopwatch) -> "Classifier":
    from camlucida.models.load import load_registered  # noqa: PLC0415 - torch

    if model.digest not in loaded:
        with stopwatch.time(Stage.LOAD):
            loaded[model.digest] = load_registered(model)
    return loaded[model.digest]


def _failed(model: Registered, error: Exception, fail: Callable[..., bool], by: str) -> Outcome:
    reason = sentence(error)
    failed = fail(reason, class_of(error), by=by)
    return Outcome(model.name, State.FAILED if failed else State.CANCELLED, reason)


def _load(home: Home, identifier: int) -> "tuple[Image, str]":
    with home.database.read() as session:
        row = session.get_one(ExplanationRow, identifier)
        image_id, method = row.image_id, row.method
    return load_image(home, image_id), method


def load_image(home: Home, image_id: int) -> "Image":
    """A kept image; if its pixels are damaged, they are made again of its original files.

    Raises
    ------
    DamagedBlob
        The originals are not whole either.
    """
    try:
        return _kept(home, image_id)
    except DamagedBlob as error:
        studies.make_again(home, image_id, error, _read_together)
    return _kept(home, image_id)


def _kept(home: Home, image_id: int) -> "Image":
    with home.database.read() as session:
        return studies.load(home, session.get_one(ImageRow, image_id))


def _read_together(paths: Sequence[Path]) -> "list[Image]":
    from camlucida.images.read import ImageFiles, read  # noqa: PLC0415

    return read(ImageFiles("", tuple(paths)))
