"""What somebody saw, drawn again: an event of the trail, the kept map that it names, and the kept pixels.

A tab of a browser tells how a study was opened (all of the view) and then each change of it, so the view at
an event is that of the last opening with all changes up to the event. Which map lay over the image is told by
its digest; where an old event does not say it, the explanation's map is taken, unless it was made anew since.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngInfo
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from camlucida.errors import DamagedBlob, StoreError
from camlucida.records import EventKind, Image, Patient, SaliencyMap, ViewState
from camlucida.rendering.look import Look, inverted, look, not_drawn, voi
from camlucida.rendering.seen import Evidence, evidence, picture
from camlucida.rendering.window import display
from camlucida.store import explanations, pixels, studies
from camlucida.store.audit import events, hash_tree
from camlucida.store.home import Home
from camlucida.store.remarks import flag_queue
from camlucida.store.tables import LARGEST_ID, EventRow, ExplanationRow, ImageRow
from camlucida.version import __version__

VIEWER = "camlucida"
DIGEST = re.compile(r"[0-9a-f]{64}")
CHANGED_ORDER = (
    "By the browser's clock this tab's events happened in another order than they arrived in; theirs by the "
    "clock was taken."
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What an event says of what was on the screen: keys, the maps' digests, and the whole view.

    `digest` is "" where no map had come yet; `other` is that of the map that it was compared with.
    """

    event: EventRow
    view: ViewState = field(repr=False)
    digest: str = ""
    other: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """The picture (row, column, 3), and where it comes from in words for the file; nothing of a patient."""

    rgb: NDArray[np.uint8]
    origin: Mapping[str, str]
    remarks: tuple[str, ...]

    def png(self) -> bytes:
        """The picture as a PNG with its origin in text chunks; the same picture gives the same bytes."""
        written, info = BytesIO(), PngInfo()
        for name, text in self.origin.items():
            info.add_text(name, text)
        PIL.Image.fromarray(self.rgb).save(written, "PNG", pnginfo=info)
        return written.getvalue()


def seen_at(home: Home, name: str) -> Seen:
    """What was on the screen at an event: its place in the trail, or its key.

    Raises
    ------
    StoreError
        There is no such event, nothing was on a screen then, or it was changed after it was kept.
    """
    with home.database.read() as session:
        event = _event(session, name)
        if event.kind == EventKind.FLAGGED:
            return _flagged(session, event)
        if event.kind not in {EventKind.OPENED, EventKind.CHANGED, EventKind.LEFT}:
            raise StoreError(
                f"Event {event.id} is “{event.kind}”: it shows no picture. Pictures are seen at the kinds "
                "opened, changed, left and flagged."
            )
        told = _told_until(session, event)
        view = _folded(told)
        remarks = (CHANGED_ORDER,) if [one.id for one in told] != sorted(one.id for one in told) else ()
        return Seen(event, view, *_digests(session, event, view), remarks)


def replay(home: Home, seen: Seen, axis: int | None = None) -> Replayed:
    """Draw again what was on the screen; `axis` chooses one of the three planes of a volume.

    Raises
    ------
    StoreError
        The image, or the map of then, is no longer kept.
    InputError
        The view cannot be read, or has a window that cannot be.
    """
    looked = look(seen.view, axis)
    row = _image(home, seen.event.image_key)
    plane = _plane(home, row, looked)
    shown = _evidence(home, seen, looked)
    tone = replace(plane, photometric=inverted(plane)) if looked.inverted else plane
    grey = display(plane.values, tone, voi(looked, plane))
    rgb = picture(grey, looked, shown, row.header["spacing"])
    remarks = (*seen.remarks, *(f"Not drawn: {words}." for words in not_drawn(seen.view)))
    return Replayed(rgb, _origin(seen, row, rgb, shown, remarks), remarks)


# ---- what the trail says ----


def _event(session: Session, name: str) -> EventRow:
    is_place = name.isdecimal() and int(name[:20]) <= LARGEST_ID
    named = EventRow.id == int(name) if is_place else EventRow.key == name
    event = session.scalar(select(EventRow).where(named))
    if event is None:
        raise StoreError("There is no such event; `camlucida audit query` shows their numbers.")
    return event


def _told_until(session: Session, event: EventRow) -> list[EventRow]:
    """The opening and the changes that lead to the view at an event, in the order in which they happened."""
    same = select(EventRow).where(EventRow.study_key == event.study_key, EventRow.tab == event.tab)
    rows = sorted(session.scalars(same), key=lambda row: (row.happened, row.id))
    until = rows[: rows.index(event) + 1]
    opened = [place for place, row in enumerate(until) if row.kind == EventKind.OPENED]
    if not opened:
        raise StoreError(f"The trail does not tell how the study was opened before event {event.id}.")
    told = until[opened[-1] :]
    _must_be_whole(session, told)
    return told


def _must_be_whole(session: Session, told: Sequence[EventRow]) -> None:
    for row in told:
        said = events.content({name: getattr(row, name) for name in events.SAID})
        if hash_tree.leaf(said) != row.nodes[: hash_tree.HASH_BYTES]:
            raise StoreError(
                f"Event {row.id} was changed after it was kept; `camlucida audit verify` says what else was."
            )
    first, last = min(row.happened for row in told), max(row.happened for row in told)
    lost = session.scalar(
        select(EventRow.id).where(
            EventRow.kind == EventKind.LOST,
            EventRow.tab == told[0].tab,
            EventRow.happened.between(first, last),
        )
    )
    if lost is not None:
        raise StoreError(
            f"The browser lost some of this tab's events before event {told[-1].id} (event {lost}): what was "
            "on the screen is not known."
        )


def _folded(told: Sequence[EventRow]) -> ViewState:
    view: ViewState = {}
    for row in told:
        view |= row.view
    return {name: said for name, said in view.items() if said is not None}


def _digests(session: Session, event: EventRow, view: ViewState) -> tuple[str, str]:
    """Those of the map and of the one that it was compared with, as the view or the times tell."""
    if "digest" in view:
        return _digest(view["digest"]), _digest(view.get("other_digest") or "")
    if view.get("difference"):
        raise StoreError(
            f"Event {event.id} was told by an older viewer, and does not say which map was subtracted."
        )
    if not (view.get("map") and event.explanation_key):
        return "", ""
    row = session.scalar(select(ExplanationRow).where(ExplanationRow.key == event.explanation_key))
    if row is None or row.digest is None or row.finished is None or row.finished > event.happened:
        raise StoreError(
            f"Event {event.id} was told by an older viewer, which does not say which map it showed, and the "
            "map of this explanation has been made anew since or is not kept."
        )
    return row.digest, ""


def _digest(said: Any) -> str:
    """Only what is one: it becomes a file's name."""
    if said and not DIGEST.fullmatch(str(said)):
        raise StoreError("The event names its map by something that is no SHA-256.")
    return str(said)


def _flagged(session: Session, event: EventRow) -> Seen:
    _must_be_whole(session, [event])
    number = event.view.get("flag")
    if not isinstance(number, int):
        raise StoreError(f"Event {event.id} is of an older station, and does not say which flag it is of.")
    flag = flag_queue.get(session, number)
    if flag.view.get("viewer", VIEWER) != VIEWER:
        raise StoreError(f"Flag {number} was made in another viewer, which does not say what it showed.")
    return Seen(event, dict(flag.view), flag.digest, _digest(flag.view.get("other_digest") or ""))


# ---- what is kept ----


def _image(home: Home, key: str) -> ImageRow:
    with home.database.read() as session:
        row = session.scalar(
            select(ImageRow).where(ImageRow.key == key).options(selectinload(ImageRow.files))
        )
    if row is None:
        raise StoreError("The image that was looked at is no longer kept.")
    return row


def _plane(home: Home, row: ImageRow, seen: Look) -> Image:
    """The plane that was seen, as an image with the window that the whole one opens with."""
    space, position = row.header["space"], None
    if len(space) == 3 and seen.axis == 0:
        position, space = seen.place(tuple(space)), space[1:]
    planes = _planes(home, row, position)
    image = pixels.rebuild({**row.header, "space": space}, row.source, Patient(), planes)
    if not image.windows and not image.voi_luts:
        image = replace(image, windows=(pixels.window(row.header["default_window"]),))
    if len(space) < 3:
        return image
    return replace(image, values=image.values.take(seen.place(tuple(space)), seen.axis), spacing=None)


def _planes(home: Home, row: ImageRow, position: int | None) -> list[bytes]:
    try:
        return list(studies.kept_slices(home, row, position).values())
    except DamagedBlob as error:
        raise StoreError(f"The pixels that were looked at are no longer kept whole: {error}") from error


def _evidence(home: Home, seen: Seen, looked: Look) -> Evidence | None:
    if not (looked.map and seen.digest):
        return None
    if looked.difference and not seen.other:  # the other map had not come yet
        looked = replace(looked, difference=False)
    own = _map(home, seen.digest)
    try:
        return evidence(looked, own, _map(home, seen.other) if looked.difference else None)
    except (IndexError, ValueError) as error:
        raise StoreError(
            "The kept map has no such finding as the view names: it is of another one."
        ) from error


def _map(home: Home, digest: str) -> SaliencyMap:
    try:
        return explanations.load(home, digest).saliency_map
    except DamagedBlob as error:
        raise StoreError(
            f"The map that was looked at (SHA-256 {digest}) is no longer kept: it was pruned, or its file is "
            "damaged. Maps computed since are others, so there is no picture."
        ) from error


def _origin(
    seen: Seen, row: ImageRow, rgb: NDArray[np.uint8], shown: Evidence | None, remarks: Sequence[str]
) -> dict[str, str]:
    event = seen.event
    told = {
        "Software": f"camlucida {__version__}",
        "Event": f"{event.id} {event.key}",
        "Event kind": event.kind,
        "Happened": event.happened.isoformat(),
        "Study": event.study_key,
        "Image": event.image_key,
        "Image pixels SHA-256": row.pixel_digest,
        "Explanation": event.explanation_key if shown else "",
        "Explanation SHA-256": seen.digest if shown else "",
        "Full colour": f"{shown.scale:g}" if shown else "",
        "View": json.dumps(seen.view, sort_keys=True),
        "Remarks": " ".join(remarks),
        "Picture SHA-256": sha256(np.ascontiguousarray(rgb).tobytes()).hexdigest(),
    }
    return {name: text for name, text in told.items() if text}
