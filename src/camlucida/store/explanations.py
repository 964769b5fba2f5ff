"""What is wanted and what is done.

An explanation is wanted first, as a row; then it is computed; then its blob is written and, in one
transaction, its row says so. Whatever stops the process in between, the row still says "wanted", and the
next start computes it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from camlucida.records import Explanation
from camlucida.records.encoding import decode, encode
from camlucida.store import counters, orders, predictions, worklist_upkeep
from camlucida.store.attempts import MOST_ATTEMPTS
from camlucida.store.counters import OTHER, Counter, Stage, Stopwatch
from camlucida.store.home import Home
from camlucida.store.studies import new_key
from camlucida.store.tables import ExplanationRow, ImageRow, ModelRow, State, now

ENDED_ITS_WORKER = (
    "Computing it has ended the process {} times; `camlucida import` without files tries again."
)
ENDED = "ended its worker"
UNBIDDEN = worklist_upkeep.UNBIDDEN
"""The method by which a station explains by itself. Whoever wants another one sits and waits for it."""
NEXT = (ExplanationRow.method == UNBIDDEN, ExplanationRow.id)
"""The order in which a station computes what is wanted."""
MOST_PLACES = 1000
PART_OF_A_WHOLE = "The image is a part of a volume that arrived whole later."


class Ended(NamedTuple):
    """What came of a wanted explanation."""

    state: State
    reason: str


class CurrentModel(NamedTuple):
    """A model that may be shown as current."""

    digest: str
    name: str
    version: str


def set_current_models(home: Home, models: Sequence[CurrentModel]) -> None:
    """Say which models are current; maps of all others are kept, and no longer shown as current."""
    with home.database.read() as session:
        known = session.execute(
            select(ModelRow.digest, ModelRow.name, ModelRow.version).where(ModelRow.current)
        )
        if {CurrentModel(*row) for row in known} == set({model.digest: model for model in models}.values()):
            return
    with home.database.write() as session:
        digests = [model.digest for model in models]
        session.execute(
            update(ModelRow).where(ModelRow.current, ModelRow.digest.not_in(digests)).values(current=False)
        )
        for model in models:
            session.merge(ModelRow(digest=model.digest, name=model.name, version=model.version, current=True))


def unseen(session: Session, model_digest: str, method: str, *, named: bool = False) -> Sequence[ImageRow]:
    """Images of which nobody has said yet whether this model and method shall explain them.

    Those whose models a rule has named are left out, unless a user has named this model.
    """
    asked = select(ExplanationRow.image_id).where(
        ExplanationRow.model_digest == model_digest, ExplanationRow.method == method
    )
    query = select(ImageRow).where(ImageRow.id.not_in(asked), ~ImageRow.superseded).order_by(ImageRow.id)
    return session.scalars(query if named else query.where(~ImageRow.models_named)).all()


def want(session: Session, image_id: int, model_digest: str, method: str) -> None:
    """Ask for an explanation; asking again changes nothing."""
    session.execute(
        insert(ExplanationRow)
        .values(
            key=new_key(), image_id=image_id, model_digest=model_digest, method=method, state=State.WANTED
        )
        .on_conflict_do_nothing(index_elements=["image_id", "model_digest", "method"])
    )


def waiting(session: Session, model_digest: str) -> Sequence[int]:
    """Ids of the explanations that are wanted of a model, oldest first."""
    return session.scalars(
        select(ExplanationRow.id)
        .where(ExplanationRow.model_digest == model_digest, ExplanationRow.state == State.WANTED)
        .order_by(ExplanationRow.id)
    ).all()


def next_wanted(session: Session, model_digests: Sequence[str]) -> ExplanationRow | None:
    """The explanation to compute next: wanted for longest, and what somebody has asked for first."""
    return session.scalar(
        select(ExplanationRow)
        .where(ExplanationRow.model_digest.in_(model_digests), ExplanationRow.state == State.WANTED)
        .order_by(*NEXT)
        .limit(1)
    )


def places(session: Session) -> dict[int, int]:
    """Which place each wanted explanation of a current model has in the queue, by its id, counted from 1.

    The first `MOST_PLACES` only.
    """
    queue = session.scalars(
        select(ExplanationRow.id)
        .join(ExplanationRow.model)
        .where(ExplanationRow.state == State.WANTED, ModelRow.current)
        .order_by(*NEXT)
        .limit(MOST_PLACES)
    )
    return {identifier: place for place, identifier in enumerate(queue, start=1)}


def begin(home: Home, explanation_id: int) -> Ended | None:
    """Count an attempt at computing it, before it is made: it may end the process.

    None: go on. Otherwise what came of it: another process has done it, or it has ended too many already,
    and has failed by that.
    """
    with home.database.write() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        if row.state == State.WANTED and row.attempts >= MOST_ATTEMPTS:
            row.state, row.reason, row.finished = State.FAILED, ENDED_ITS_WORKER.format(row.attempts), now()
            _count(session, State.FAILED, ENDED)
        if row.state != State.WANTED:
            return Ended(State(row.state), row.reason)
        if not row.attempts:
            counters.observe(session, [(Stage.WAIT, (now() - row.created).total_seconds())])
        row.attempts += 1
        return None


def supersede(session: Session, image_id: int) -> None:
    """Take an image out of what is shown and explained: it was a part of a volume that is whole now."""
    session.get_one(ImageRow, image_id).superseded = True
    session.execute(
        update(ExplanationRow)
        .where(ExplanationRow.image_id == image_id, ExplanationRow.state == State.WANTED)
        .values(state=State.REFUSED, reason=PART_OF_A_WHOLE, finished=now())
    )


def count_waiting(home: Home, model_digests: Sequence[str] | None = None) -> int:
    """How many explanations of these models, or of all current ones, are wanted and not done."""
    chosen = ModelRow.current if model_digests is None else ModelRow.digest.in_(model_digests)
    query = select(func.count(ExplanationRow.id)).join(ExplanationRow.model)
    with home.database.read() as session:
        return session.scalar(query.where(ExplanationRow.state == State.WANTED, chosen)) or 0


def keep(
    home: Home, explanation_id: int, explanation: Explanation, taken: Mapping[Stage, float] | None = None
) -> None:
    """Keep a computed explanation with its prediction: first the blob, then the rows, together.

    `taken` says how many seconds it took to compute.
    """
    stopwatch = Stopwatch(taken or {})
    with stopwatch.time(Stage.KEEP):
        content = encode(explanation)
        digest = home.blobs.put(content)
    with home.database.write() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        row.state, row.reason, row.finished = State.DONE, "", now()
        row.digest, row.bytes, row.attempts = digest, len(content), 0
        predictions.keep(session, row.image_id, row.model_digest, explanation.prediction)
        counters.count(session, Counter.EXPLANATIONS, State.DONE)
        counters.observe(session, stopwatch.items())


def refuse(home: Home, explanation_id: int, reason: str, kind: str = OTHER) -> None:
    """The model does not take this image, and why; `kind` is the class of the reason that is counted."""
    _end(home, explanation_id, State.REFUSED, reason, kind)


def fail(home: Home, explanation_id: int, reason: str, kind: str = OTHER) -> None:
    """It should have worked and did not, and why; the next start tries again. `kind` as in `refuse`."""
    _end(home, explanation_id, State.FAILED, reason, kind)


def load(home: Home, digest: str) -> Explanation:
    """The kept explanation.

    Raises
    ------
    DamagedBlob
        Its file is missing or damaged.
    """
    return decode(home.blobs.get(digest))


def mend(home: Home, *, thorough: bool = False) -> int:
    """Want again what has failed, and what is said to be done but whose file is missing or of another size.

    `thorough` reads every file, too, and finds those with another content. Returns how many explanations
    are wanted again.
    """
    kept = dict(home.blobs.sizes())
    columns = (ExplanationRow.id, ExplanationRow.digest, ExplanationRow.bytes)
    with home.database.read() as session:
        done = session.execute(select(*columns).where(ExplanationRow.state == State.DONE)).all()
    lost = [
        identifier
        for identifier, digest, size in done
        if digest is None or kept.get(digest) != size or (thorough and not home.blobs.intact(digest))
    ]
    with home.database.write() as session:
        want_again(session, lost)
    return len(lost) + retry(home)


def retry(home: Home) -> int:
    """Want again what has failed, with the results that were wanted of it; how many explanations that are.

    By current models only: of another one it would wait for ever. A station does so at its start: whoever
    ended its processes may have ended them in the middle of these.
    """
    with home.database.write() as session:
        failed = session.scalars(
            select(ExplanationRow.id)
            .join(ExplanationRow.model)
            .where(ExplanationRow.state == State.FAILED, ModelRow.current)
        ).all()
        want_again(session, failed)
    return len(failed)


def want_again(session: Session, explanation_ids: Sequence[int]) -> None:
    """Want explanations as if they had never been tried, with the results that were wanted of them."""
    for identifier in explanation_ids:
        row = session.get_one(ExplanationRow, identifier)
        row.state, row.reason, row.digest, row.bytes = State.WANTED, "", None, 0
        row.attempts, row.created = 0, now()  # its place in the queue stays; it is wanted since now
    orders.want_again(session, explanation_ids)


def _count(session: Session, state: State, kind: str) -> None:
    counters.count(session, Counter.EXPLANATIONS, state)
    counters.count(session, Counter.REFUSALS, kind)


def _end(home: Home, explanation_id: int, state: State, reason: str, kind: str) -> None:
    with home.database.write() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        row.state, row.reason, row.finished, row.attempts = state, reason, now(), 0
        _count(session, state, kind)
