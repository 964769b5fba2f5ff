"""What a station does by itself: read what has arrived, explain it, write the results and want them sent.

    instances ──read by rules──> images ──explain──> explanations ──write──> results ──want──> deliveries

Each step leaves the store in a state from which the next goes on, whatever stops the process: what is to be
done stands in the rows, and doing it again has the same effect.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import structlog
from sqlalchemy.orm import Session

from camlucida import pipeline
from camlucida.errors import DamagedBlob, StoreError, sentence
from camlucida.jobs.queue import Embedded, Queue
from camlucida.models.card import read_card
from camlucida.models.registry import Registered, Registry, shipped_models
from camlucida.pacs import arrivals, results
from camlucida.pacs.arrivals import Arrived
from camlucida.pacs.configuration import ConfigurationFile
from camlucida.store import claims, deliveries, explanations, orders
from camlucida.store.attempts import MOST_ATTEMPTS
from camlucida.store.claims import Claim
from camlucida.store.home import Home
from camlucida.store.orders import Ready
from camlucida.store.tables import ImageRow, Lane, State

if TYPE_CHECKING:
    from camlucida.models.classifier import Classifier
    from camlucida.saliency.method import Progress

Watching = Callable[[Claim, Registered], AbstractContextManager["Progress | None"]]
ENDED_ITS_WRITER = f"Writing them has ended the process {MOST_ATTEMPTS} times."

_log = structlog.get_logger()


class Did(StrEnum):
    """One step of the work."""

    READ = "read"  # images of what arrived
    EXPLAINED = "explained"
    WROTE = "wrote"  # result objects
    FAILED = "failed"  # an explanation or result objects that are not to be had; the row says why
    DROPPED = "dropped"  # an explanation that was cancelled, or done by another worker, meanwhile


class Step(NamedTuple):
    """What was done, of how many things."""

    did: Did
    number: int = 1


class Worker:
    """Does what is to be done in a home. The networks it has loaded stay with it."""

    def __init__(
        self,
        home: Home,
        queue: Queue | None = None,
        watch: Watching | None = None,
        keeps_house: Callable[[], bool] = lambda: True,
    ) -> None:
        """Over an open home.

        Parameters
        ----------
        queue
            Says what to compute next; None: the home's own.
        watch
            Runs beside each explanation: it renews the claim, is told how far it is, and ends what is not
            wanted any longer.
        keeps_house
            Whether it is this worker that reads what arrives and writes results now: one does at a time.

        Raises
        ------
        InvalidConfiguration
            The home's pacs.toml is not valid.
        """
        self._home = home
        self._file = ConfigurationFile(home.folder)
        self._queue = queue or Embedded(home)
        self._watch, self._keeps_house = watch, keeps_house
        self._loaded: dict[str, Classifier] = {}
        self._missing: set[str] = set()
        claims.release_of_the_dead(home)

    def work(self) -> Iterator[Step]:
        """Do all that is to be done now, a step at a time: what somebody waits for first, then the oldest.

        Between two explanations it is looked whether something has arrived, and results are written.

        Raises
        ------
        StoreError
            The store cannot be written to (a full disk); nothing is lost, try again later.
        """
        while True:
            models = self._models()
            self._forget_others(models)
            keeps = self._keeps_house()
            if keeps:
                yield from self._read(models)
            step = self._explain({model.digest: model for model in models})
            if step is not None:
                yield step
            if keeps:
                yield from self._write()
            if step is None:
                return

    def get_ready(self) -> None:
        """Load the network that explained last, or, where none has, the first, before somebody waits for it.

        Torch and a network take seconds; who opens a finding and has to wait for its map should not.
        """
        models = {model.digest: model for model in self._models() if _is_awaited(model, self._queue.lanes)}
        with self._home.database.read() as session:
            likely = explanations.last_used(session, list(models)) or next(iter(models), None)
        if likely is None or self._loaded:
            return
        try:
            pipeline.load_beforehand(models[likely], self._loaded)
        except Exception as error:  # noqa: BLE001 - the first explanation meets it again, and its row says it
            _log.warning("a network cannot be loaded", model=models[likely].name, reason=sentence(error))

    def _explain(self, models: Mapping[str, Registered]) -> Step | None:
        """Compute what is next; None: nothing is."""
        claim = self._queue.take(list(models))
        if claim is None:
            return None
        model = models[claim.model_digest]
        try:
            with self._watch(claim, model) if self._watch else nullcontext() as progress:
                return _told(
                    pipeline.explain_claimed(self._home, model, claim, self._loaded, progress, again=True)
                )
        finally:
            self._queue.done(claim)

    def _models(self) -> list[Registered]:
        """The current models; a shipped one that a rule names is registered, as by `import --model`.

        What a rule names and nobody knows is said once.
        """
        registry, shipped = Registry(self._home.folder), shipped_models()
        had = {model.name for model in registry.list()}  # a retired one is not taken back
        named = {name: rule.name for rule in self._file.current().rule for name in rule.models or ()}
        for name in named.keys() & shipped.keys() - had:
            registry.add(shipped[name])
            _log.info("a shipped model that a rule names is registered", model=name)
        models = pipeline.current_models(self._home)
        for name in named.keys() - _names(models) - self._missing:
            _log.warning(
                "a rule names a model that is not registered; `camlucida models add` adds it",
                rule=named[name],
                model=name,
            )
            self._missing.add(name)
        return models

    def _forget_others(self, models: Sequence[Registered]) -> None:
        current = {model.digest for model in models}
        for digest in self._loaded.keys() - current:
            del self._loaded[digest]

    def _read(self, models: Sequence[Registered]) -> Iterator[Step]:
        for arrived in arrivals.read_complete(self._home, self._file.current(), _names(models)):
            asked = _named(models, arrived)
            with self._home.database.write() as session:
                want(session, arrived, asked)
                arrivals.settle(session, arrived)
            _log.info("images kept", number=len(arrived.images), rule=arrived.decision.rule)
            yield Step(Did.READ, len(arrived.images))

    def _write(self) -> Iterator[Step]:
        with self._home.database.read() as session:
            unexplained, ready = orders.unexplained(session), orders.ready(session)
        if unexplained:
            with self._home.database.write() as session:
                for order, reason in unexplained:
                    orders.refuse(session, [order], reason)
        for one in ready:
            yield fulfil(self._home, one)


def _is_awaited(model: Registered, lanes: Sequence[Lane]) -> bool:
    """Whether a worker of these lanes computes what somebody waits for by this model."""
    return (Lane.GPU_INTERACTIVE if read_card(model.folder).resources.gpu else Lane.INTERACTIVE) in lanes


def _names(models: Sequence[Registered]) -> set[str]:
    return {name for model in models for name in (model.name, model.key)}


def _named(models: Sequence[Registered], arrived: Arrived) -> list[Registered]:
    """The models that may explain what arrived."""
    named = arrived.decision.models
    return [model for model in models if named is None or {model.name, model.key} & set(named)]


def _told(outcome: pipeline.Outcome) -> Step:
    if outcome.state is State.DONE:
        return Step(Did.EXPLAINED)
    if outcome.state is State.CANCELLED:
        return Step(Did.DROPPED)
    _log.warning("not explained", model=outcome.model, state=outcome.state.value, reason=outcome.reason)
    return Step(Did.FAILED)


def want(session: Session, arrived: Arrived, models: Sequence[Registered]) -> None:
    """Want the explanations and the results that the rules ask for of what arrived."""
    decision = arrived.decision
    named = decision.models is not None
    cards = [(model, read_card(model.folder)) for model in models]
    for image in [session.get_one(ImageRow, one) for one in arrived.images]:
        image.models_named = named
        for model, card in cards:
            if image.superseded or not pipeline.is_asked(card, image, named=named):
                continue
            explanations.want(session, image.id, model.digest, pipeline.METHOD)
            explanation = explanations.find(session, image.id, model.digest, pipeline.METHOD)
            for result in decision.results:
                orders.want(session, explanation.id, result.profile, result.destination, decision.rule)


def fulfil(home: Home, ready: Ready) -> Step:
    """Write the objects of orders, keep them, and want their deliveries.

    Raises
    ------
    StoreError
        They could not be kept (a full disk); the orders still stand.
    """
    if ready.attempts >= MOST_ATTEMPTS:
        return _refuse(home, ready, ENDED_ITS_WRITER)
    _count(home, ready, 1)
    try:
        written = results.write_results(home, ready.explanation_id, ready.profile)
    except DamagedBlob as error:
        if explanations.is_wanted(home, ready.explanation_id):  # again: then they are written, too
            _count(home, ready, -1)
            return Step(Did.FAILED)
        return _refuse(home, ready, str(error))
    except StoreError:
        _count(home, ready, -1)
        raise
    except Exception as error:  # noqa: BLE001 - one explanation must not end the others; the row says why
        return _refuse(home, ready, sentence(error))
    with home.database.write() as session:
        for destination in orders.destinations(session, ready.orders):
            for instance in written.instances:
                deliveries.want(session, instance, destination)
        orders.done(session, ready.orders, " ".join(written.left_out))
    _log.info("results written", profile=ready.profile, number=len(written.instances))
    return Step(Did.WROTE, len(written.instances))


def _count(home: Home, ready: Ready, number: int) -> None:
    with home.database.write() as session:
        orders.attempt(session, ready.orders, number)


def _refuse(home: Home, ready: Ready, reason: str) -> Step:
    _log.warning("results cannot be written", profile=ready.profile, reason=reason)
    with home.database.write() as session:
        orders.refuse(session, ready.orders, reason)
    return Step(Did.FAILED)
