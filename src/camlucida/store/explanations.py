"""What is wanted and what is done.

An explanation is wanted first, as a row; then it is computed; then its blob is written and, in one
transaction, its row says so. Whatever stops the process in between, the row still says "wanted", and the
next start computes it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from camlucida.records import Explanation
from camlucida.records.encoding import decode, encode
from camlucida.store import predictions
from camlucida.store.database import ExplanationRow, ImageRow, ModelRow, State, now
from camlucida.store.home import Home
from camlucida.store.studies import new_key


class CurrentModel(NamedTuple):
    """A model that may be shown as current."""

    digest: str
    name: str
    version: str


def set_current_models(home: Home, models: Sequence[CurrentModel]) -> None:
    """Say which models are current; maps of all others are kept, and no longer shown as current."""
    with home.database.write() as session:
        session.execute(update(ModelRow).values(current=False))
        for model in models:
            session.merge(ModelRow(digest=model.digest, name=model.name, version=model.version, current=True))


def unseen(session: Session, model_digest: str, method: str) -> Sequence[ImageRow]:
    """Images of which nobody has said yet whether this model and method shall explain them."""
    asked = select(ExplanationRow.image_id).where(
        ExplanationRow.model_digest == model_digest, ExplanationRow.method == method
    )
    return session.scalars(select(ImageRow).where(ImageRow.id.not_in(asked)).order_by(ImageRow.id)).all()


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


def count_waiting(home: Home, model_digests: Sequence[str] | None = None) -> int:
    """How many explanations of these models, or of all current ones, are wanted and not done."""
    chosen = ModelRow.current if model_digests is None else ModelRow.digest.in_(model_digests)
    query = select(func.count(ExplanationRow.id)).join(ExplanationRow.model)
    with home.database.read() as session:
        return session.scalar(query.where(ExplanationRow.state == State.WANTED, chosen)) or 0


def keep(home: Home, explanation_id: int, explanation: Explanation) -> None:
    """Keep a computed explanation with its prediction: first the blob, then the rows, together."""
    content = encode(explanation)
    digest = home.blobs.put(content)
    with home.database.write() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        row.state, row.reason, row.finished = State.DONE, "", now()
        row.digest, row.bytes = digest, len(content)
        predictions.keep(session, row.image_id, row.model_digest, explanation.prediction)


def refuse(home: Home, explanation_id: int, reason: str) -> None:
    """The model does not take this image, and why."""
    _end(home, explanation_id, State.REFUSED, reason)


def fail(home: Home, explanation_id: int, reason: str) -> None:
    """It should have worked and did not, and why; the next start tries again."""
    _end(home, explanation_id, State.FAILED, reason)


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
        failed = session.scalars(select(ExplanationRow.id).where(ExplanationRow.state == State.FAILED)).all()
        for identifier in (*lost, *failed):
            row = session.get_one(ExplanationRow, identifier)
            row.state, row.reason, row.digest, row.bytes = State.WANTED, "", None, 0
    return len(lost) + len(failed)


def _end(home: Home, explanation_id: int, state: State, reason: str) -> None:
    with home.database.write() as session:
        row = session.get_one(ExplanationRow, explanation_id)
        row.state, row.reason, row.finished = state, reason, now()
