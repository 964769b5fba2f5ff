"""What is wanted and what is done.

An explanation is wanted first, as a row; then it is computed; then its blob is written and, in one
transaction, its row says so. Whatever stops the process in between, the row still says "wanted", and the
next start computes it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from camlucida.errors import DamagedBlob
from camlucida.records import EventKind, Explanation, ViewState
from camlucida.records.encoding import decode, encode
from camlucida.store import claims, counters, orders, predictions, worklist_upkeep
from camlucida.store.audit import events
from camlucida.store.counters import OTHER, Counter, Stage, Stopwatch
from camlucida.store.dialects import insert
from camlucida.store.home import Home
from camlucida.store.keys import new_key
from camlucida.store.tables import ExplanationRow, ImageRow, Lane, ModelRow, State, now

UNBIDDEN = worklist_upkeep.UNBIDDEN
"""The method by which a station explains by itself. Whoever wants another one sits and waits for it."""
COMPUTED_AGAIN = "The kept map was damaged or missing; it is being computed again."
LOST_WITH_ITS_MODEL = "The kept map is damaged or missing, and its model is not current any more."
MOST_PLACES = 1000
AT_ONCE = 1000  # rows: a statement of PostgreSQL takes 65,535 values
PART_OF_A_WHOLE = "The image is a part of a volume that arrived whole later."

_log = structlog.get_logger()


class CurrentModel(NamedTuple):
    """A model that may be shown as current."""

    digest: str
    name: str
    version: str
    gpu: bool = False  # it wants a GPU: its explanations stand in the lanes of workers that have one


def set_current_models(home: Home, models: Sequence[CurrentModel], who: str = events.STATION) -> None:
    """Say which models are current; maps of all others are kept, and no longer shown as current."""
    wanted = set({model.digest: model for model in models}.values())
    with home.database.read() as session:
        if _current_models(session) == wanted:
            return
    with home.database.write() as session:
        known = _current_models(session)
        for changed, state in ((known - wanted, "no longer current"), (wanted - known, "current")):
            for model in sorted(changed):
                view: ViewState = {
                    "name": model.name,
                    "version": model.version,
                    "digest": model.digest,
                    "state": state,
                }
                events.note(session, EventKind.MODEL_CHANGED, who, view)
        digests = [model.digest for model in models]
        session.execute(
            update(ModelRow).where(ModelRow.current, ModelRow.digest.not_in(digests)).values(current=False)
        )
        for model in models:
            session.merge(ModelRow(**model._asdict(), current=True))
        session.flush()
        _queue_again(session, [model.digest for model in wanted - known])


def _queue_again(session: Session, model_digests: Sequence[str]) -> None:
    """What is wanted of a model that is current again: where a queue is fed by a trigger, this wakes it."""
    session.execute(
        update(ExplanationRow)
        .where(
            ExplanationRow.state == State.WANTED,
            ExplanationRow.claimed_by == "",
            ExplanationRow.model_digest.in_(model_digests),
        )
        .values(due=ExplanationRow.due)
    )


def _current_models(session: Session) -> set[CurrentModel]:
    rows = session.execute(
        select(ModelRow.digest, ModelRow.name, ModelRow.version, ModelRow.gpu).where(ModelRow.current)
    )
    return {CurrentModel(*row) for row in rows}


def unseen(session: Session, model_digest: str, method: str, *, named: bool = False) -> Sequence[ImageRow]:
    """Images of which nobody has said yet whether this model and method shall explain them.

    Those whose models a rule has named are left out, unless a user has named this model.
    """
    asked = select(ExplanationRow.image_id).where(
        ExplanationRow.model_digest == model_digest, ExplanationRow.method == method
    )
    query = select(ImageRow).where(ImageRow.id.not_in(asked), ~ImageRow.superseded).order_by(ImageRow.id)
    return session.scalars(query if named else query.where(~ImageRow.models_named)).all()


def want(
    session: Session, image_id: int, model_digest: str, method: str, *, asked: bool | None = None
) -> None:
    """Ask for an explanation; asking again changes nothing, unless it was cancelled.

    `asked`: somebody waits for it, so it comes before what the station does by itself, even if it was wanted
    already; None: any method but the one that the station explains by.
    """
    asked = method != UNBIDDEN if asked is None else asked
    lane = _lane(session.get(ModelRow, model_digest), asked=asked)
    added = session.execute(
        insert(ExplanationRow)
        .values(
            key=new_key(),
            image_id=image_id,
            model_digest=model_digest,
            method=method,
            state=State.WANTED,
            lane=lane,
        )
        .on_conflict_do_nothing(index_elements=["image_id", "model_digest", "method"])
        .returning(ExplanationRow.id)
    ).first()
    if added is None:
        _want_more(session, find(session, image_id, model_digest, method), lane, asked=asked)


def _lane(model: ModelRow | None, *, asked: bool) -> Lane:
    if model is not None and model.gpu:
        return Lane.GPU_INTERACTIVE if asked else Lane.GPU
    return Lane.INTERACTIVE if asked else Lane.PRECOMPUTE


def _want_more(session: Session, row: ExplanationRow, lane: Lane, *, asked: bool) -> None:
    """What is known already: wanted again if it was cancelled, and moved to the front if asked for."""
    if row.state == State.CANCELLED:
        row.lane = lane
        want_again(session, [row.id])
    elif row.state == State.WANTED and asked:
        row.lane, row.due = lane, None


def find(session: Session, image_id: int, model_digest: str, method: str) -> ExplanationRow:
    """The explanation of an image by a model and a method, which was wanted before."""
    return session.scalars(
        select(ExplanationRow).where(
            ExplanationRow.image_id == image_id,
            ExplanationRow.model_digest == model_digest,
            ExplanationRow.method == method,
        )
    ).one()


def waiting(session: Session, model_digest: str) -> Sequence[int]:
    """Ids of the explanations that are wanted of a model, oldest first."""
    return session.scalars(
        select(ExplanationRow.id)
        .where(ExplanationRow.model_digest == model_digest, ExplanationRow.state == State.WANTED)
        .order_by(ExplanationRow.id)
    ).all()


def places(session: Session) -> dict[int, int]:
    """Which place each wanted explanation of a current model has in the queue, by its id, counted from 1.

    The first `MOST_PLACES` only.
    """
    queue = session.scalars(
        select(ExplanationRow.id)
        .join(ExplanationRow.model)
        .where(ExplanationRow.state == State.WANTED, ModelRow.current)
        .order_by(*claims.QUEUE)
        .limit(MOST_PLACES)
    )
    return {identifier: place for place, identifier in enumerate(queue, start=1)}


def cancel(row: ExplanationRow, who: str) -> bool:
    """Want an explanation no more, with the results that were wanted of it; False: it is not wanted.

    A worker that computes it notices at its next heartbeat, and what it brings is thrown away.
    """
    if row.state != State.WANTED:
        return False
    claims.release(row)
    row.state, row.reason, row.finished = State.CANCELLED, f"Cancelled by {who}.", now()
    return True


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


def last_used(session: Session, model_digests: Sequence[str]) -> str | None:
    """Which of these models explained the image that was asked about last; None: none of them has."""
    return session.scalar(
        select(ExplanationRow.model_digest)
        .where(ExplanationRow.state == State.DONE, ExplanationRow.model_digest.in_(model_digests))
        .order_by(ExplanationRow.id.desc())
        .limit(1)
    )


def keep(
    home: Home,
    explanation_id: int,
    explanation: Explanation,
    taken: Mapping[Stage, float] | None = None,
    *,
    by: str = "",
) -> bool:
    """Keep a computed explanation with its prediction: first the blob, then the rows, together.

    `taken` says how many seconds it took to compute. `by`: the worker that has claimed it; False: the claim
    is not its any longer, and nothing is changed.
    """
    stopwatch = Stopwatch(taken or {})
    with stopwatch.time(Stage.KEEP):
        content = encode(explanation)
        digest = home.blobs.put(content)
    with home.database.write() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        if by and not claims.holds(row, by):
            return False
        claims.release(row)
        row.state, row.reason, row.finished = State.DONE, "", now()
        row.digest, row.bytes, row.attempts = digest, len(content), 0
        predictions.keep(session, row.image_id, row.model_digest, explanation.prediction)
        counters.count(session, Counter.EXPLANATIONS, State.DONE)
        counters.observe(session, stopwatch.items())
        events.explained(session, row)
        return True


def refuse(home: Home, explanation_id: int, reason: str, kind: str = OTHER, *, by: str = "") -> bool:
    """The model does not take this image, and why; `kind` is the class of the reason that is counted.

    `by` as in `keep`.
    """
    return _end(home, explanation_id, State.REFUSED, reason, kind, by)


def fail(home: Home, explanation_id: int, reason: str, kind: str = OTHER, *, by: str = "") -> bool:
    """It should have worked and did not, and why; the next start tries again. Otherwise as `refuse`."""
    return _end(home, explanation_id, State.FAILED, reason, kind, by)


def fail_for_now(home: Home, explanation_id: int, reason: str, kind: str = OTHER, *, by: str) -> bool:
    """As `fail`, but it is tried again after a while, unless this was the last attempt."""
    with home.database.write() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        if not claims.holds(row, by):
            return False
        claims.fail(session, row, reason, kind)
        return True


def load(home: Home, digest: str) -> Explanation:
    """The kept explanation; raises as `read` does."""
    return decode(read(home, digest))


def read(home: Home, digest: str) -> bytes:
    """The kept explanation as it was encoded, and looked at now.

    Raises
    ------
    DamagedBlob
        Its file is missing or damaged; it is wanted again by that.
    """
    try:
        return home.blobs.get(digest)
    except DamagedBlob as error:
        want_lost(home, digest)
        raise DamagedBlob(COMPUTED_AGAIN, digest) from error


def want_lost(home: Home, digest: str) -> int:
    """Want again what was kept under a digest and is damaged or missing; how many explanations that are.

    What a model of before has computed cannot be had again: its row says so.
    """
    with home.database.write() as session:
        rows = session.scalars(
            select(ExplanationRow).where(ExplanationRow.digest == digest, ExplanationRow.state == State.DONE)
        ).all()
        for row in rows:
            image = row.image
            names = {"study": image.study.key, "image": image.key, "explanation": row.key}
            events.note(session, EventKind.DAMAGED, events.STATION, {"digest": digest}, **names)
            if not row.model.current:
                row.state, row.reason, row.digest, row.bytes = State.FAILED, LOST_WITH_ITS_MODEL, None, 0
        want_again(session, [row.id for row in rows if row.model.current])
    if rows:
        _log.error("a kept explanation is damaged or missing", digest=digest, number=len(rows))
    return len(rows)


def is_wanted(home: Home, explanation_id: int) -> bool:
    """Whether it is still, or again, to be computed."""
    with home.database.read() as session:
        return session.get_one(ExplanationRow, explanation_id).state == State.WANTED


def mend(home: Home, *, thorough: bool = False) -> int:
    """Want again what has failed, and what is said to be done but whose file is missing or of another size.

    `thorough` reads every file, too, and finds those with another content. Returns how many explanations
    are wanted again.
    """
    columns = (ExplanationRow.id, ExplanationRow.digest, ExplanationRow.bytes)
    with home.database.read() as session:
        done = session.execute(select(*columns).where(ExplanationRow.state == State.DONE)).all()
    kept = dict(home.blobs.sizes())  # after the rows: what a worker keeps meanwhile is in none of the two
    lost = [
        identifier
        for identifier, digest, size in done
        if digest is None or kept.get(digest) != size or (thorough and not home.blobs.intact(digest))
    ]
    with home.database.write() as session:
        want_again(session, lost)
    return len(lost) + retry(home)


def retry(home: Home, who: str = events.STATION) -> int:
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
        if failed:
            view: ViewState = {"what": "explanations", "number": len(failed)}
            events.note(session, EventKind.TRIED_AGAIN, who, view)
    return len(failed)


def want_again(session: Session, explanation_ids: Sequence[int]) -> None:
    """Want explanations as if they had never been tried, with the results that were wanted of them."""
    for start in range(0, len(explanation_ids), AT_ONCE):
        some = explanation_ids[start : start + AT_ONCE]
        for row in session.scalars(select(ExplanationRow).where(ExplanationRow.id.in_(some))):
            row.state, row.reason, row.digest, row.bytes = State.WANTED, "", None, 0
            row.attempts, row.created = 0, now()  # its place in the queue stays; it is wanted since now
            claims.release(row)
        session.flush()
        orders.want_again(session, some)


def _end(home: Home, explanation_id: int, state: State, reason: str, kind: str, by: str) -> bool:
    with home.database.write() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        if by and not claims.holds(row, by):
            return False
        claims.release(row)
        row.state, row.reason, row.finished, row.attempts = state, reason, now(), 0
        claims.count_end(session, row, kind)
        return True
