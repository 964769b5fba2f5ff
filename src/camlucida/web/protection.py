"""What every request must say and every response says, so that only the station's own page reads it.

The Host header is checked against DNS rebinding: a page of somebody else whose name was made to point to
127.0.0.1 would otherwise be read as ours.
"""

import re
import secrets
import traceback
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import structlog
from fastapi import HTTPException, Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from camlucida.settings import is_encrypted, settings

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
UNDER_ANY_NAME = frozenset({"/healthz", "/readyz"})  # asked by address, and nothing is told by them
WITH_TOKEN_UNDER_ANY_NAME = frozenset({"/metrics"})  # no page knows the token
NOT_KEPT = "no-store"  # what may say who a patient is stays out of the browser's cache

REQUEST_ID = re.compile(r"[0-9A-Za-z-]{8,64}")

_log = structlog.get_logger()


class Protection:
    """ASGI middleware: refuses foreign Host names, adds the security headers, logs without query or name."""

    def __init__(self, app: ASGIApp, names: Iterable[str] = ()) -> None:
        self._app = app
        self._names = LOOPBACK | {name.casefold() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = _request_id(Headers(scope=scope).get("x-request-id", ""))
        with structlog.contextvars.bound_contextvars(request=request):
            await self._answer(scope, receive, _Answer(send, scope, request))

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        app = self._app if self._is_meant(scope) else _REFUSAL
        try:
            await app(scope, receive, answer.send)
        except Exception as error:  # noqa: BLE001 - its text may quote what is kept: nobody above may print it
            _log.error("unexpected", route=route(scope), error=type(error).__name__, place=_place(error))
            if not answer.started:
                await _FAULT(scope, receive, answer.send)

    def _is_meant(self, scope: Scope) -> bool:
        headers, path = Headers(scope=scope), scope["path"]
        if path in UNDER_ANY_NAME:
            return True
        if path in WITH_TOKEN_UNDER_ANY_NAME and "authorization" in headers:
            return True
        return host_name(headers.get("host", "")) in self._names


class _Answer:
    """Sends on what the application answers, with the security headers."""

    def __init__(self, send: Send, scope: Scope, request: str) -> None:
        self._send, self._scope, self._request = send, scope, request
        self._began = perf_counter()
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            _add_headers(message, self._request)
            seconds = round(perf_counter() - self._began, 4)
            _log.debug("request", route=route(self._scope), status=message["status"], seconds=seconds)
        await self._send(message)


def route(scope: Scope) -> str:
    """What a log says of an address: its pattern, as DICOMweb's addresses hold UIDs; no query.

    FastAPI keeps the pattern with all prefixes beside the route, which knows its own part only.
    """
    whole = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return str(getattr(whole, "path", "") or "no route")


def must_be_own_request(request: Request) -> None:
    """Refuse what changes something when another site's page asks for it (403).

    A bearer token of ours is proof enough: no browser sends one by itself. A provider's may be added by a
    proxy that keeps the sign-in, so it is treated as a cookie and a password are: the browser must say that
    the page is of this very origin, by Sec-Fetch-Site, or, where it does not know that, by Origin; or of one
    in `ohif_origins`. Who sends neither of the two is a program, if it sends something beside a cookie.
    """
    authorization = request.headers.get("authorization", "").casefold()
    bearer = authorization.startswith("bearer ")
    if bearer and "." not in authorization:
        return
    if authorization and not {"sec-fetch-site", "origin"} & set(request.headers):
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    own = {request.headers.get("host", ""), urlsplit(settings().public_url).netloc} - {""}
    if site == "same-origin" or (site is None and _netloc(origin) in own):
        return
    if bearer and origin in settings().ohif_origins.replace(",", " ").split():
        return
    raise HTTPException(403, "The station takes this from its own pages, or with an access token, only.")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def names() -> list[str]:
    """The names under which the settings show the station: the public one, and those of its certificate."""
    public = urlsplit(settings().public_url).hostname
    certificate = settings().tls_certificate
    return [*([public] if public else []), *(_certified(certificate) if certificate else [])]


def _certified(certificate: Path) -> list[str]:
    """The names and addresses that a certificate is for (RFC 5280 4.2.1.6)."""
    from cryptography import x509  # noqa: PLC0415 - only where the server itself speaks TLS

    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    said = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [*said.get_values_for_type(x509.DNSName), *map(str, said.get_values_for_type(x509.IPAddress))]


def _request_id(told: str) -> str:
    """The one that a proxy has given it, if it is one; otherwise a new one."""
    return told if REQUEST_ID.fullmatch(told) else secrets.token_hex(8)


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; "" if it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _add_headers(message: Message, request: str) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():  # OHIF's pages bring a policy of their own
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", NOT_KEPT)
    headers["X-Request-ID"] = request
    if is_encrypted():
        headers["Strict-Transport-Security"] = "max-age=31536000"


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


_FAULT = JSONResponse({"detail": "The station met an error of its own; its log names the kind."}, 500)

_REFUSAL = PlainTextResponse(
    "This station answers under localhost only; open the link that it printed when it started. Behind a "
    "reverse proxy, set CAMLUCIDA_PUBLIC_URL to the name under which it is shown.\n",
    status_code=421,
)
