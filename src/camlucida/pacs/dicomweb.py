"""DICOMweb as the side that asks: STOW-RS, QIDO-RS and WADO-RS of another server (PS3.18 10.4 to 10.6)."""

import json
import os
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, BinaryIO

import requests
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser
from requests.auth import AuthBase, HTTPBasicAuth

from camlucida.errors import DamagedBlob, FileTooLarge, InvalidConfiguration, NotReached
from camlucida.pacs.configuration import DicomWeb
from camlucida.pacs.tls import why_not_trusted
from camlucida.pacs.verdict import KEPT, Fate, Parcel, Verdict, of_status
from camlucida.settings import settings

TIMEOUT = (10.0, 60.0)  # seconds to connect, and of silence in an answer
JSON_BYTES = 16_000_000  # of an answer that is read whole
JSON_SECONDS = 120.0  # for it
INSTANCE_SECONDS = 3600.0  # from one instance to the end of the next
PAGE = 100  # results of a QIDO-RS answer
CHUNK = 1 << 16
DICOM_JSON = "application/dicom+json"
OF_THE_SERVICE = frozenset({401, 403, 404, 405, 429, 502, 503, 504})
"""HTTP statuses that speak of the service, not of the one object that was sent."""

FAILED_SOP_SEQUENCE = "00081198"
REFERENCED_SOP_SEQUENCE = "00081199"
REFERENCED_SOP_INSTANCE_UID = "00081155"
FAILURE_REASON = "00081197"


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _Body:
    """A file as the one part of a multipart/related message, read while it is sent; its length is known."""

    def __init__(self, path: Path, boundary: str) -> None:
        self.path = path
        self.head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self.tail = f"\r\n--{boundary}--\r\n".encode()
        self.size = path.stat().st_size

    def __len__(self) -> int:
        return len(self.head) + self.size + len(self.tail)

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk
        yield self.tail


@contextmanager
def opened(server: DicomWeb) -> Iterator[requests.Session]:
    """A session with the server's credentials, which come from the environment.

    Raises
    ------
    InvalidConfiguration
        The environment variable is not set, or the authority's file is not there.
    """
    with requests.Session() as session:
        session.trust_env = False  # no proxy and no .netrc: pacs.toml says it all
        session.auth = _credentials(server)
        if server.authority is not None:
            if not server.authority.is_file():
                raise InvalidConfiguration(f"There is no file {server.authority}, named by `authority`.")
            session.verify = str(server.authority)
        yield session


def store(
    server: DicomWeb, parcels: Sequence[Parcel], stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[Parcel, Verdict]]:
    """Send instances by STOW-RS, one a request: the fault of one is not that of its neighbours.

    It ends early when `stop()` is true between two of them.

    Raises
    ------
    NotReached
        The service does not answer, or refuses all.
    """
    broken = 0
    with opened(server) as session:
        for parcel in parcels:
            if stop():
                return
            try:
                found = _store_one(server, session, parcel)
                broken = 0
            except requests.RequestException as error:
                broken += 1
                if broken > 1 or _nobody_there(error):
                    raise _unreachable(server, error) from None
                found = Verdict(Fate.LATER, f"{server.url} broke off while the object was sent.")
            yield parcel, found


def search(
    server: DicomWeb, resource: str, matching: Mapping[str, str], wanted: Sequence[str] = (), most: int = 1000
) -> list[dict[str, Any]]:
    """Results of a QIDO-RS search (PS3.18 10.6) as DICOM JSON, at most so many; pages are followed.

    `wanted` are attributes that shall be in the results.

    Raises
    ------
    NotReached
        The service does not answer, refuses us, or answers with something else.
    """
    found: list[dict[str, Any]] = []
    with opened(server) as session:
        while len(found) < most:
            paging = [("limit", str(min(PAGE, most - len(found)))), ("offset", str(len(found)))]
            # One word each: Orthanc 1.10 does not know the comma of a list in its escaped form.
            fields = [("includefield", word) for word in wanted]
            page = _page(server, session, resource, [*matching.items(), *fields, *paging])
            del page[most:]  # a server may not know `limit`
            fresh = [one for one in page if one not in found]  # nor `offset`
            found += fresh
            if len(page) < PAGE or not fresh:
                break
    return found[:most]


def retrieve(server: DicomWeb, resource: str, folder: Path) -> Iterator[Path]:
    """Instances by WADO-RS (PS3.18 10.4), each a file in `folder`, as they come; the caller removes them.

    Raises
    ------
    NotReached
        The service does not answer, refuses us, or breaks off.
    FileTooLarge
        An instance is larger than the setting `max_file_bytes`.
    """
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    with opened(server) as session:
        try:
            with session.get(
                f"{server.url.rstrip('/')}/{resource}",
                headers={"Accept": accept},
                timeout=TIMEOUT,
                stream=True,
                allow_redirects=False,
            ) as answer:
                _check(server, answer)
                if answer.status_code != 204:
                    yield from _parts(server, answer, folder)
        except requests.RequestException as error:
            raise _unreachable(server, error) from None


def _store_one(server: DicomWeb, session: requests.Session, parcel: Parcel) -> Verdict:
    boundary = secrets.token_hex(16)
    try:
        body = _Body(parcel.path(), boundary)
    except DamagedBlob:
        return Verdict(Fate.NEVER, "The kept file is missing or damaged.")
    kind = f'multipart/related; type="application/dicom"; boundary={boundary}'
    with session.post(
        f"{server.url.rstrip('/')}/studies",
        data=body,
        headers={"Content-Type": kind, "Accept": DICOM_JSON},
        timeout=TIMEOUT,
        stream=True,
        allow_redirects=False,
    ) as answer:
        if answer.status_code in OF_THE_SERVICE or 300 <= answer.status_code < 400:
            _check(server, answer)
        return _verdict(answer.status_code, _read(answer), parcel.sop_instance_uid)


def _verdict(status: int, content: bytes, sop_instance_uid: str) -> Verdict:
    """What a STOW-RS answer (PS3.18 10.5.3) says of the one instance that was sent."""
    answer = _json(content)
    told = answer if isinstance(answer, dict) else {}
    for item in _items(told, FAILED_SOP_SEQUENCE):
        if _first(item, REFERENCED_SOP_INSTANCE_UID) in {sop_instance_uid, None}:
            reason = _first(item, FAILURE_REASON)
            return of_status(reason if isinstance(reason, int) else 0x0110)
    kept = _items(told, REFERENCED_SOP_SEQUENCE)
    if any(_first(item, REFERENCED_SOP_INSTANCE_UID) == sop_instance_uid for item in kept):
        return KEPT
    if status in {200, 202} and not kept:  # some say no more than 200
        return KEPT if status == 200 else Verdict(Fate.LATER, "The receiver does not say that it keeps it.")
    if 400 <= status < 500 and status != 408:
        return Verdict(Fate.NEVER, f"The receiver refuses the object (HTTP {status}).")
    return Verdict(Fate.LATER, f"The receiver failed (HTTP {status}).")


def _page(
    server: DicomWeb, session: requests.Session, resource: str, words: Sequence[tuple[str, str]]
) -> list[dict[str, Any]]:
    try:
        with session.get(
            f"{server.url.rstrip('/')}/{resource}",
            params=list(words),
            headers={"Accept": DICOM_JSON},
            timeout=TIMEOUT,
            stream=True,
            allow_redirects=False,
        ) as answer:
            _check(server, answer)
            found = [] if answer.status_code == 204 else _json(_read(answer))
    except requests.RequestException as error:
        raise _unreachable(server, error) from None
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise NotReached(f"{server.url} answers a search with something else than DICOM JSON; check `url`.")
    return found


def _read(answer: requests.Response) -> bytes:
    """An answer, whole; bounded in size and time."""
    until, content = time.monotonic() + JSON_SECONDS, bytearray()
    for chunk in answer.iter_content(CHUNK):
        content += chunk
        if len(content) > JSON_BYTES or time.monotonic() > until:
            raise requests.exceptions.ContentDecodingError("too long")
    return bytes(content)


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _items(dataset: Mapping[str, Any], tag: str) -> list[dict[str, Any]]:
    element = dataset.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [one for one in values if isinstance(one, dict)] if isinstance(values, list) else []


def _first(dataset: Mapping[str, Any], tag: str) -> Any:
    element = dataset.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and values else None


class _Folder:
    """Where the parts of a message are written, one file a part."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.number = 0
        self.whole: list[Path] = []
        self._file: BinaryIO | None = None
        self._size = 0

    def begin(self) -> None:
        self.number += 1
        self._file, self._size = self._path.open("wb"), 0

    def data(self, data: bytes, start: int, end: int) -> None:
        self._size += end - start
        if self._size > settings().max_file_bytes:
            raise FileTooLarge(
                "An instance is larger than CAMLUCIDA_MAX_FILE_BYTES allows; it is not fetched."
            )
        if self._file is not None:
            self._file.write(data[start:end])

    def end(self) -> None:
        self.close()
        self.whole.append(self._path)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None

    def take(self) -> list[Path]:
        whole, self.whole = self.whole, []
        return whole

    @property
    def _path(self) -> Path:
        return self.folder / f"{self.number}.dcm"


def _parts(server: DicomWeb, answer: requests.Response, folder: Path) -> Iterator[Path]:
    header = Message()
    header["Content-Type"] = answer.headers.get("Content-Type", "")
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/related" or not boundary or len(boundary) > 70:
        raise NotReached(f"{server.url} answers with something else than DICOM files; check `url`.")
    files = _Folder(folder)
    callbacks = {"on_part_begin": files.begin, "on_part_data": files.data, "on_part_end": files.end}
    parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]  # a TypedDict of all of them
    until = time.monotonic() + INSTANCE_SECONDS
    try:
        for chunk in answer.iter_content(CHUNK):
            parser.write(chunk)
            if time.monotonic() > until:
                raise NotReached(f"{server.url} takes too long to send an instance.")
            for path in files.take():
                yield path
                until = time.monotonic() + INSTANCE_SECONDS
        parser.finalize()
    except MultipartParseError as error:
        raise NotReached(f"{server.url} answers with a damaged multipart message.") from error
    finally:
        files.close()


def _check(server: DicomWeb, answer: requests.Response) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        return
    if status in {401, 403}:
        named = server.token_variable or server.password_variable
        cure = (
            f"check the account, and what the environment variable {named} holds"
            if named
            else "set `user` and `password_variable`, or `token_variable`"
        )
        raise NotReached(f"{server.url} refuses our credentials (HTTP {status}); {cure}.")
    if 300 <= status < 400:
        raise NotReached(
            f"{server.url} sends us elsewhere (HTTP {status}); put the right address into `url`."
        )
    if status in {404, 405}:
        raise NotReached(
            f"{server.url} has nothing there (HTTP {status}); check `url`, and what was asked for."
        )
    if status in OF_THE_SERVICE:
        raise NotReached(f"{server.url} is busy or down (HTTP {status}).")
    raise NotReached(f"{server.url} failed (HTTP {status}); its log says why.")


def _credentials(server: DicomWeb) -> AuthBase | None:
    if server.token_variable:
        return _Bearer(_secret(server.token_variable, "token_variable"))
    if server.user:
        secret = _secret(server.password_variable, "password_variable") if server.password_variable else ""
        return HTTPBasicAuth(server.user.encode(), secret.encode())
    return None


def _secret(variable: str, named_by: str) -> str:
    found = os.environ.get(variable)
    if not found or "\n" in found or "\r" in found:
        raise InvalidConfiguration(
            f"The environment variable {variable}, named by `{named_by}`, is not set (or holds a line break)."
        )
    return found


def _nobody_there(error: requests.RequestException) -> bool:
    """Whether no connection was made at all."""
    return isinstance(error, (requests.exceptions.ConnectTimeout, requests.exceptions.SSLError)) or (
        "NewConnectionError" in repr(error) or "NameResolutionError" in repr(error)
    )


def _unreachable(server: DicomWeb, error: requests.RequestException) -> NotReached:
    """A sentence without the error's text, which may quote the address with what was asked for."""
    refusal = _refusal(error)
    if refusal is not None:
        return NotReached(f"{server.url} is not reached: {why_not_trusted(refusal)}.")
    if isinstance(error, requests.exceptions.SSLError):
        return NotReached(f"{server.url} is not reached by TLS; check whether it is `https`.")
    if _nobody_there(error):
        return NotReached(
            f"{server.url} is not reached: nobody answers; check `url`, and that it is running."
        )
    return NotReached(f"{server.url} broke off, or answered too slowly or too much.")


def _refusal(error: BaseException) -> ssl.SSLCertVerificationError | None:
    """Why a certificate was refused; urllib3 and requests have wrapped it."""
    inner: object = error
    while isinstance(inner, BaseException) and not isinstance(inner, ssl.SSLCertVerificationError):
        inner = getattr(inner, "reason", None) or next(iter(inner.args), None)
    return inner if isinstance(inner, ssl.SSLCertVerificationError) else None
