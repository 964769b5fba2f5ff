"""Whether all that the rows name is kept, and is what was kept; what can be mended."""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import delete, select, update

from camlucida.errors import DamagedBlob
from camlucida.store import explanations
from camlucida.store.home import Home
from camlucida.store.tables import FileKind, FileRow, InstanceRow, OrderRow, OrderState
from camlucida.store.upkeep import uses
from camlucida.store.upkeep.uses import Use

MakeAgain = Callable[[Home, int], object]
"""Reads an image, whose pixels are made again of its originals by that: `pipeline.load_image`."""


class Fault(StrEnum):
    """What is wrong with a kept file."""

    MISSING = "missing"
    DAMAGED = "damaged"


class Checked(NamedTuple):
    """A kept file that was read; `fault` is None where it is what was kept."""

    digest: str
    uses: frozenset[Use]  # none: no row names it
    fault: Fault | None


def files_to_check(home: Home) -> dict[str, set[Use]]:
    """All files that are kept or should be, by digest, with what they are for."""
    with home.database.read() as session:
        found: dict[str, set[Use]] = {}
        for digest, use in uses.named(session):
            found.setdefault(digest, set()).add(use)
    for digest, _ in home.blobs.sizes():
        found.setdefault(digest, set())
    return found


def check(home: Home, files: dict[str, set[Use]]) -> Iterator[Checked]:
    """Read every file.

    Raises
    ------
    NotAnswering
        The store of kept files cannot be asked: that is no fault of a file.
    """
    kept = {digest for digest, _ in home.blobs.sizes()}
    for digest, used in files.items():
        fault = None if home.blobs.intact(digest) else Fault.DAMAGED
        if fault is not None and digest not in kept:
            fault = Fault.MISSING
        yield Checked(digest, frozenset(used), fault)


def mend(home: Home, checked: Checked, make_again: MakeAgain) -> bool:
    """Have a faulty file made again, now or by the next work; False: it must be imported or sent again."""
    for use, way in _WAYS.items():
        if use in checked.uses and not way(home, checked.digest, make_again):
            return False
    if not checked.uses:  # nobody wants it
        home.blobs.remove(checked.digest)
    return not checked.uses - _WAYS.keys()


def _pixels(home: Home, digest: str, make_again: MakeAgain) -> bool:
    with home.database.read() as session:
        images = session.scalars(
            select(FileRow.image_id).where(FileRow.digest == digest, FileRow.kind == FileKind.PIXELS)
        ).all()
    try:
        for image in images:
            make_again(home, image)
    except DamagedBlob:
        return False
    return True


def _thumbnail(home: Home, digest: str, _: MakeAgain) -> bool:
    """It is drawn again when it is asked for."""
    with home.database.write() as session:
        session.execute(delete(FileRow).where(FileRow.digest == digest, FileRow.kind == FileKind.THUMBNAIL))
    return True


def _evidence(home: Home, digest: str, _: MakeAgain) -> bool:
    return explanations.want_lost(home, digest) > 0


def _result(home: Home, digest: str, _: MakeAgain) -> bool:
    """Its order is wanted again: what is written of the same explanation is the same, byte for byte."""
    with home.database.write() as session:
        of = session.scalars(select(InstanceRow.explanation_id).where(InstanceRow.digest == digest)).all()
        again = update(OrderRow).where(OrderRow.explanation_id.in_(of), OrderRow.state == OrderState.DONE)
        rows = session.execute(again.values(state=OrderState.WANTED, attempts=0).returning(OrderRow.id))
        return bool(rows.all())


_WAYS = {
    Use.PIXELS: _pixels,
    Use.THUMBNAIL: _thumbnail,
    Use.EVIDENCE: _evidence,
    Use.RESULT: _result,
}
