"""What a client accepts, and which of it the station can give (RFC 9110 12.5.1, PS3.18 8.7)."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from fastapi import HTTPException, Request
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

MULTIPART = "multipart/related"
DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
JSON = "application/json"
OCTETS = "application/octet-stream"
EXPLICIT = str(ExplicitVRLittleEndian)
KEPT = "*"  # transfer-syntax=*: as it is kept
MOST_RANGES = 64

CODESTREAMS: Mapping[str, str] = {  # PS3.18 8.7.3.3.2
    JPEGBaseline8Bit: "image/jpeg",
    JPEGExtended12Bit: "image/jpeg",
    JPEGLossless: "image/jpeg",
    JPEGLosslessSV1: "image/jpeg",
    JPEGLSLossless: "image/jls",
    JPEGLSNearLossless: "image/jls",
    JPEG2000Lossless: "image/jp2",
    JPEG2000: "image/jp2",
    HTJ2KLossless: "image/jphc",
    HTJ2KLosslessRPCL: "image/jphc",
    HTJ2K: "image/jphc",
    RLELossless: "image/dicom-rle",
}
OLD_NAMES = {"image/x-dicom-rle": "image/dicom-rle", "image/x-jls": "image/jls", "image/j2c": "image/jp2"}

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_RANGE = re.compile(rf"(?:{_QUOTED}|[^,\"])+")
_PARAMETER = re.compile(rf';\s*([\w-]+)\s*=\s*({_QUOTED}|[^;,"\s]*)')


class Range(NamedTuple):
    """One media range that a client accepts; `type` is that of the parts where `multipart` is set."""

    type: str
    multipart: bool
    transfer_syntax: str  # "": the client does not say
    quality: float

    def covers(self, media_type: str) -> bool:
        """Whether a media type is within the range."""
        wanted, given = OLD_NAMES.get(self.type, self.type), OLD_NAMES.get(media_type, media_type)
        return wanted in (given, "*/*", f"{given.partition('/')[0]}/*")


def accepted(request: Request) -> list[Range]:
    """What the client accepts, best first: the query parameter `accept`, else the header, else anything.

    Raises
    ------
    HTTPException
        400: there are too many ranges.
    """
    header = request.query_params.get("accept") or ",".join(request.headers.getlist("accept")) or "*/*"
    texts = [text.strip() for text in _RANGE.findall(header) if text.strip()]
    if len(texts) > MOST_RANGES:
        raise HTTPException(400, f"Accept has {len(texts)} media ranges; at most {MOST_RANGES} are read.")
    ranges = [found for text in texts if (found := _range(text)).quality > 0]
    return sorted(ranges, key=lambda one: -one.quality)


def parameters(header: str) -> tuple[str, dict[str, str]]:
    """Media type and parameters of a Content-Type, names in lower case, without quotes."""
    kind = header.partition(";")[0].strip().casefold()
    found = {name.casefold(): _unquoted(value) for name, value in _PARAMETER.findall(header)}
    return kind, found


def refuse(sentence: str) -> HTTPException:
    """406, with what can be had instead."""
    return HTTPException(406, sentence)


def wants_json(request: Request) -> str:
    """The media type of an answer in DICOM JSON.

    Raises
    ------
    HTTPException
        406: the client accepts none (XML is not written here).
    """
    for one in accepted(request):
        for media_type in (DICOM_JSON, JSON):
            if not one.multipart and one.covers(media_type):
                return media_type
    raise refuse(f"The station answers this in {DICOM_JSON} only.")


def _range(text: str) -> Range:
    kind, found = parameters(text)
    multipart = kind == MULTIPART
    inner = found.get("type", "*/*").casefold() if multipart else kind
    return Range(inner, multipart, found.get("transfer-syntax", ""), _quality(found.get("q", "1")))


def _quality(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value[:1] == '"' else value
