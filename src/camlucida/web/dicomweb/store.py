"""STOW-RS: instances that a client sends, kept as they come (PS3.18 10.5).

Each part is written to the disk while it arrives, and taken when it is whole: what was told as stored stays
stored, whatever becomes of the parts behind it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from enum import IntEnum
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from camlucida.dicom.header import read_header
from camlucida.errors import CamlucidaError, DiskFull, FileTooLarge, InputError
from camlucida.records import InstanceHeader
from camlucida.settings import settings
from camlucida.store.blobs import Part
from camlucida.store.home import Home
from camlucida.store.instances import Arrival, Kept, take
from camlucida.store.tables import Origin
from camlucida.web.access import Visitor, who_asks
from camlucida.web.dicomweb.addresses import retrieve_url
from camlucida.web.dicomweb.media_types import DICOM, MULTIPART, parameters, wants_json
from camlucida.web.dicomweb.multipart import Malformed, Reader

router = APIRouter()

MOST_PARTS = 10_000
LARGEST_BODY = 50  # times max_file_bytes
SILENCE_SECONDS = 60.0

_log = structlog.get_logger()


class Reason(IntEnum):
    """Failure Reason (0008,1197) and Warning Reason (0008,1196), PS3.18 tables I.2-1 and I.2-2."""

    PROCESSING_FAILURE = 0x0110
    OUT_OF_RESOURCES = 0xA700
    DOES_NOT_MATCH = 0xA900  # for us: it is of another study than the address says
    CANNOT_UNDERSTAND = 0xC000
    KEPT_APART = 0xB000  # another content is kept under this UID, and stays what is shown


@router.post("/studies")
@router.post("/studies/{study}")
async def store(
    request: Request, visitor: Annotated[Visitor, Depends(who_asks)], study: str = ""
) -> JSONResponse:
    """Keep the instances of a message, of any study or of one."""
    media_type = wants_json(request)
    incoming = Incoming(request.app.state.home, visitor.name, study)
    try:
        problem = await _receive(request, incoming)
    finally:
        incoming.close()
    if problem and not incoming.results:
        raise HTTPException(400, problem)
    _log.info("instances stored", sender=visitor.name, **incoming.counts(), complete=not problem)
    headers = {"Warning": f'299 camlucida "{problem}"'} if problem else None
    return JSONResponse(
        _told(request, incoming, study), _status(incoming, problem), headers, media_type=media_type
    )


class Failure:
    """A part that was not kept: why, and who it is as far as its header can be read."""

    def __init__(self, reason: Reason, header: InstanceHeader | None = None) -> None:
        self.reason, self.header = reason, header


class Incoming:
    """Takes the parts of a message, one after the other."""

    def __init__(self, home: Home, sender: str, study: str) -> None:
        self._home, self._sender, self._study = home, sender, study
        self._part: Part | None = None
        self._bytes = 0
        self._failure: Failure | None = None
        self.results: list[tuple[InstanceHeader, Arrival] | Failure] = []

    def begin(self, headers: dict[str, str]) -> None:
        """A part begins: only DICOM is written to the disk."""
        if len(self.results) == MOST_PARTS:
            raise Malformed(f"The message has more than {MOST_PARTS} parts; send the others in another one.")
        self._bytes, self._failure = 0, None
        if parameters(headers.get("content-type", DICOM))[0] != DICOM:
            self._failure = Failure(Reason.CANNOT_UNDERSTAND)
            return
        try:
            self._part = self._home.blobs.begin()
        except CamlucidaError as error:
            self._fail(error)

    def content(self, content: bytes) -> None:
        """Write some more of it, unless it has failed already."""
        if self._part is None:
            return
        self._bytes += len(content)
        try:
            if self._bytes > settings().max_file_bytes:
                raise FileTooLarge
            self._part.write(content)
        except CamlucidaError as error:
            self._fail(error)

    def end(self) -> None:
        """Take it."""
        header = None
        if self._part is not None:
            try:
                self._part.finish()
                header = read_header(self._part.path)
                self._take(self._part, header)
            except CamlucidaError as error:
                self._fail(error, header)
        if self._failure is not None:
            self.results.append(self._failure)
        self.close()

    def close(self) -> None:
        """Drop what was not kept."""
        if self._part is not None:
            self._part.discard()
        self._part = None

    def counts(self) -> dict[str, int]:
        """How many were new, known, conflicting and failed."""
        words = [kept.value for kept in Kept]
        found = [result[1].kept.value for result in self.results if not isinstance(result, Failure)]
        return {**{word: found.count(word) for word in words}, "failed": len(self.results) - len(found)}

    def _take(self, part: Part, header: InstanceHeader) -> None:
        if self._study and header.study_instance_uid != self._study:
            self._failure = Failure(Reason.DOES_NOT_MATCH, header)
            return
        arrival = take(self._home, part, Origin.STOW, self._sender, header=header)
        self.results.append((header, arrival))

    def _fail(self, error: CamlucidaError, header: InstanceHeader | None = None) -> None:
        out = isinstance(error, DiskFull | FileTooLarge)
        broken = Reason.CANNOT_UNDERSTAND if isinstance(error, InputError) else Reason.PROCESSING_FAILURE
        self._failure = Failure(Reason.OUT_OF_RESOURCES if out else broken, header)
        self.close()


async def _receive(request: Request, incoming: Incoming) -> str:
    """Read the message; what is wrong with it, if anything is.

    Raises
    ------
    HTTPException
        408, 413, 415: it is too slow, too large or not of parts, and nothing of it was looked at.
    """
    reader = _reader(request, incoming)
    received, most = 0, LARGEST_BODY * settings().max_file_bytes
    if int(request.headers.get("content-length", "0")) > most:
        raise HTTPException(413, f"The message is longer than {most:,} bytes; send it in parts.")
    try:
        async for content in _pieces(request):
            received += len(content)
            if received > most:
                raise Malformed(f"The message is longer than {most:,} bytes.")  # noqa: TRY301 - one way to end
            await run_in_threadpool(reader.feed, content)
        reader.finish()
    except Malformed as error:
        return str(error)
    except TimeoutError:
        return f"Nothing came for {SILENCE_SECONDS:g} seconds, so the message was not read to its end."
    except ClientDisconnect:
        return "The client has gone."
    return "" if incoming.results else "The message has no parts."


def _reader(request: Request, incoming: Incoming) -> Reader:
    kind, found = parameters(request.headers.get("content-type", ""))
    if kind != MULTIPART or found.get("type", DICOM).casefold() != DICOM:
        raise HTTPException(415, f'Instances are stored as {MULTIPART}; type="{DICOM}"; boundary=…')
    try:
        return Reader(found.get("boundary", ""), incoming)
    except Malformed as error:
        raise HTTPException(400, str(error)) from None


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; TimeoutError if nothing comes for long."""
    stream = aiter(request.stream())
    with suppress(StopAsyncIteration):
        while True:
            yield await asyncio.wait_for(anext(stream), SILENCE_SECONDS)


def _status(incoming: Incoming, problem: str) -> int:
    """200: all are kept; 202: some, or with a warning; 409: none (PS3.18 table 10.5.3-1)."""
    failed = [isinstance(result, Failure) for result in incoming.results]
    if all(failed):
        return 409
    apart = incoming.counts()[Kept.CONFLICTING.value]
    return 202 if any(failed) or apart or problem else 200


def _told(request: Request, incoming: Incoming, study: str) -> dict[str, Any]:
    """The Store Instances Response Module (PS3.18 table 10.5.3-2)."""
    kept = [_kept(request, *one) for one in incoming.results if not isinstance(one, Failure)]
    failures = [one for one in incoming.results if isinstance(one, Failure)]
    known = [{**_who(one.header), **_us("00081197", one.reason)} for one in failures if one.header]
    others = [_us("00081197", one.reason) for one in failures if not one.header]
    told: dict[str, Any] = {}
    for tag, items in (("00081198", known), ("00081199", kept), ("0008119A", others)):
        if items:
            told[tag] = {"vr": "SQ", "Value": items}
    if study and kept:
        told["00081190"] = {"vr": "UR", "Value": [retrieve_url(request, study)]}
    return told


def _kept(request: Request, header: InstanceHeader, arrival: Arrival) -> dict[str, Any]:
    address = retrieve_url(
        request, header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid
    )
    warning = _us("00081196", Reason.KEPT_APART) if arrival.kept is Kept.CONFLICTING else {}
    return {**_who(header), "00081190": {"vr": "UR", "Value": [address]}, **warning}


def _who(header: InstanceHeader) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [header.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [header.sop_instance_uid]},
    }


def _us(tag: str, reason: Reason) -> dict[str, Any]:
    return {tag: {"vr": "US", "Value": [int(reason)]}}
