"""WADO-RS: instances whole, their metadata, their bulk data and their frames (PS3.18 10.4)."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response, StreamingResponse

from camlucida.dicom.container import is_part_10
from camlucida.dicom.retrieving.explicit_little_endian import explicit_little_endian
from camlucida.dicom.retrieving.frames import Frames, open_frames
from camlucida.dicom.retrieving.json_model import bulk_data, metadata
from camlucida.errors import InputError
from camlucida.store import instances
from camlucida.store.tables import InstanceRow
from camlucida.web.dicomweb import media_types, multipart, retrievals
from camlucida.web.dicomweb.addresses import retrieve_url
from camlucida.web.dicomweb.media_types import DICOM, EXPLICIT, KEPT, OCTETS, Range
from camlucida.web.dicomweb.multipart import Piece

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()

CHUNK_BYTES = 1 << 18
MOST_FRAMES = 10_000  # of one request
PLACE = re.compile(r"[0-9A-Fa-f]{8}(/[1-9][0-9]{0,8}/[0-9A-Fa-f]{8}){0,64}")
NOTHING = "There is no such study, series or instance in this store."

STUDY = "/studies/{study}"
SERIES = "/studies/{study}/series/{series}"
INSTANCE = "/studies/{study}/series/{series}/instances/{instance}"


class Kept(NamedTuple):
    """A kept instance and the file that holds it."""

    row: InstanceRow
    path: Path


@router.get(STUDY)
@router.get(SERIES)
@router.get(INSTANCE)
def retrieve(request: Request, study: str, series: str = "", instance: str = "") -> Response:
    """All instances of a study or a series, or one."""
    ranges = media_types.accepted(request)
    pieces = [_piece(request, kept, ranges) for kept in found(request, study, series, instance)]
    single = next((one for one in ranges if one.covers(DICOM)), None)
    if single is not None and single.type == DICOM and not single.multipart and instance:
        return _single(pieces[0])
    return message(pieces, DICOM)


@router.get(STUDY + "/metadata")
@router.get(SERIES + "/metadata")
@router.get(INSTANCE + "/metadata")
def describe(request: Request, study: str, series: str = "", instance: str = "") -> Response:
    """DICOM JSON of every instance, what is large in it as addresses."""
    media_type = media_types.wants_json(request)
    return StreamingResponse(
        _described(request, found(request, study, series, instance)), media_type=media_type
    )


@router.get(INSTANCE + "/bulkdata/{place:path}")
def bulk(request: Request, study: str, series: str, instance: str, place: str) -> Response:
    """What stands behind a BulkDataURI."""
    kept = one(request, study, series, instance)
    if not PLACE.fullmatch(place):
        raise HTTPException(404, "This is no address of bulk data.")
    if place.upper() in {"7FE00010", "7FE00008", "7FE00009"}:
        frames = open_pixels(kept)
        return _frames(request, kept, frames, range(1, frames.count + 1))
    try:
        content = bulk_data(kept.path, place)
    except InputError as error:
        raise HTTPException(404, str(error)) from None
    wanted = next((one for one in media_types.accepted(request) if one.covers(OCTETS)), None)
    if wanted is None:
        raise media_types.refuse(f"Bulk data is given as {OCTETS} only.")
    piece = Piece(OCTETS, str(request.url.replace(query="")), len(content), lambda: (content,))
    return message([piece], OCTETS) if wanted.multipart or wanted.type == "*/*" else _single(piece)


@router.get(INSTANCE + "/frames/{numbers}")
def frames(request: Request, study: str, series: str, instance: str, numbers: str) -> Response:
    """Frames by their numbers, from 1 on."""
    kept = one(request, study, series, instance)
    opened = open_pixels(kept)
    return _frames(request, kept, opened, frame_numbers(opened, numbers))


def found(request: Request, study: str, series: str = "", instance: str = "") -> list[Kept]:
    """The kept instances of an address, as they came; that somebody retrieves them goes to the audit trail.

    Raises
    ------
    HTTPException
        404: there is none.
    """
    home: Home = request.app.state.home
    with home.database.read() as session:
        if instance:
            row = instances.find(session, instance)
            rows: Sequence[InstanceRow] = [row] if row is not None else []
        elif series:
            rows = instances.of_series(session, study, series)
        else:
            rows = instances.of_study(session, study)
    rows = [
        row for row in rows if row.study_instance_uid == study and series in ("", row.series_instance_uid)
    ]
    if not rows:
        raise HTTPException(404, NOTHING)
    retrievals.note(request, study)
    return [Kept(row, home.blobs.path(row.digest)) for row in rows]


def one(request: Request, study: str, series: str, instance: str) -> Kept:
    """As `found`, a single instance."""
    return found(request, study, series, instance)[0]


def open_pixels(kept: Kept) -> Frames:
    """The frames of an instance.

    Raises
    ------
    HTTPException
        404: it has no pixel data; 406: it is of a kind that is not read here.
    """
    try:
        opened = open_frames(kept.path)
    except InputError as error:
        raise media_types.refuse(f"{error} The whole instance can be retrieved.") from None
    if opened is None:
        raise HTTPException(404, "This instance has no frames: it holds no pixel data.")
    return opened


def frame_numbers(opened: Frames, text: str) -> list[int]:
    """A list of frame numbers, as it stands in an address.

    Raises
    ------
    HTTPException
        400: it is no such list; 404: there is no such frame.
    """
    words = text.split(",")
    if len(words) > MOST_FRAMES or not all(re.fullmatch(r"[0-9]{1,9}", word) for word in words):
        raise HTTPException(400, f"Frames are whole numbers from 1 on with commas, at most {MOST_FRAMES}.")
    numbers = [int(word) for word in words]
    if not all(1 <= number <= opened.count for number in numbers):
        raise HTTPException(404, f"The instance has frames 1 to {opened.count}.")
    return numbers


def message(pieces: Sequence[Piece], part_type: str) -> Response:
    """A multipart/related answer that is sent as it is read."""
    written = multipart.write(pieces, part_type)
    return StreamingResponse(
        written.content,
        headers={"Content-Type": written.content_type, "Content-Length": str(written.length)},
    )


def _single(piece: Piece) -> Response:
    return StreamingResponse(
        iter(piece.content()),
        headers={"Content-Type": piece.content_type, "Content-Length": str(piece.length)},
    )


def _piece(request: Request, kept: Kept, ranges: Sequence[Range]) -> Piece:
    """An instance as the client wants it: as it is kept, or as Explicit VR Little Endian."""
    syntax = kept.row.transfer_syntax_uid
    asked = [one.transfer_syntax for one in ranges if one.covers(DICOM)]
    anything = any(one.type == "*/*" and not one.transfer_syntax for one in ranges)
    for wanted in asked:
        with suppress(InputError):  # it cannot be written otherwise than it is
            if wanted in (KEPT, syntax) or anything:
                return _as_kept(request, kept)
            if wanted in ("", EXPLICIT):  # PS3.18 8.7.3.5.2: the default
                return _decoded(request, kept)
    if "" in asked and is_part_10(kept.path):
        return _as_kept(request, kept)  # the client does not insist, and a whole instance is better than none
    raise media_types.refuse(
        f"An instance is kept in the transfer syntax {syntax} and cannot be given as it was asked; ask for "
        f'multipart/related; type="{DICOM}"; transfer-syntax=* to have it as it is.'
    )


def _as_kept(request: Request, kept: Kept) -> Piece:
    """The kept file; where that has no file meta group (PS3.10 7.1), clients want one."""
    path = kept.path
    if not is_part_10(path):
        return _written_again(request, kept)
    return Piece(
        f"{DICOM}; transfer-syntax={kept.row.transfer_syntax_uid}",
        _location(request, kept),
        path.stat().st_size,
        lambda: _chunks(path),
    )


def _decoded(request: Request, kept: Kept) -> Piece:
    if kept.row.transfer_syntax_uid == EXPLICIT:
        return _as_kept(request, kept)
    return _written_again(request, kept)


def _written_again(request: Request, kept: Kept) -> Piece:
    length, content = explicit_little_endian(kept.path)
    return Piece(f"{DICOM}; transfer-syntax={EXPLICIT}", _location(request, kept), length, lambda: content)


def _location(request: Request, kept: Kept) -> str:
    row = kept.row
    return retrieve_url(request, row.study_instance_uid, row.series_instance_uid, row.sop_instance_uid)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _described(request: Request, kept: Iterable[Kept]) -> Iterator[str]:
    """The list of all instances' metadata, one after the other."""
    separator = "["
    for item in kept:
        base = _location(request, item)
        described = metadata(item.path, partial(_bulk_url, base))
        described["00083002"] = {"vr": "UI", "Value": [item.row.transfer_syntax_uid]}
        described["00081190"] = {"vr": "UR", "Value": [base]}
        yield separator + json.dumps(dict(sorted(described.items())), ensure_ascii=False, allow_nan=False)
        separator = ","
    yield "]"


def _bulk_url(base: str, place: str) -> str:
    return f"{base}/bulkdata/{place}"


def _frames(request: Request, kept: Kept, opened: Frames, numbers: Sequence[int]) -> Response:
    """Frames in the first form that the client accepts and the station can give."""
    wanted, media_type, decoded = _form(opened, media_types.accepted(request), numbers)
    syntax = EXPLICIT if decoded or not opened.compressed else kept.row.transfer_syntax_uid
    content_type = f"{media_type}; transfer-syntax={syntax}"
    base = _location(request, kept)
    if len(numbers) == 1:
        only = opened.decoded(numbers[0]) if decoded else opened.kept(numbers[0])
        piece = Piece(content_type, f"{base}/frames/{numbers[0]}", len(only), lambda: (only,))
        if not wanted.multipart and wanted.type != "*/*":
            return _single(piece)
        return message([piece], media_type)
    return message(
        [_frame(opened, number, content_type, base, decoded=decoded) for number in numbers], media_type
    )


def _frame(opened: Frames, number: int, content_type: str, base: str, *, decoded: bool) -> Piece:
    """One of several frames: of decoded ones the length is known, codestreams are read to know it."""
    location = f"{base}/frames/{number}"
    if decoded or not opened.compressed:
        return Piece(content_type, location, opened.decoded_bytes, lambda: (opened.decoded(number),))
    return Piece(content_type, location, len(opened.kept(number)), lambda: (opened.kept(number),))


def _form(opened: Frames, ranges: Sequence[Range], numbers: Sequence[int]) -> tuple[Range, str, bool]:
    """The range that is met, the media type of the frames, and whether they are decoded (PS3.18 8.7.3)."""
    codestream = media_types.CODESTREAMS.get(opened.syntax, "")
    refusal = ""
    for one in ranges:
        if not one.multipart and one.type != "*/*" and len(numbers) > 1:
            continue  # several frames are several parts
        if one.covers(OCTETS) and one.transfer_syntax in ("", EXPLICIT):
            try:
                opened.decoded(numbers[0])
            except InputError as error:
                refusal = f" {error}"
            else:
                return one, OCTETS, True
        if one.covers(OCTETS) and one.transfer_syntax in (KEPT, opened.syntax):
            return one, OCTETS, not opened.compressed
        if codestream and one.covers(codestream) and one.transfer_syntax in ("", KEPT, opened.syntax):
            return one, one.type if one.type in media_types.OLD_NAMES else codestream, False
    kept_as = f"{codestream} or " if codestream else ""
    raise media_types.refuse(
        f"These frames can be had as parts of multipart/related, of type {kept_as}{OCTETS}.{refusal}"
    )
