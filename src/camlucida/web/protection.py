"""What every request must say and every response says, so that only the station's own page reads it.

The Host header is checked against DNS rebinding: a page of somebody else whose name was made to point to
127.0.0.1 would otherwise be read as ours.
"""

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

from camlucida.settings import settings

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
        answer = _Answer(send, scope)
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

    def __init__(self, send: Send, scope: Scope) -> None:
        self._send, self._scope = send, scope
        self._began = perf_counter()
        self.started = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            _add_headers(message)
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

    A bearer token is proof enough: no browser sends one by itself. Beside a cookie or a password, the
    browser must say that the page is of this very origin: by Sec-Fetch-Site, or, where it does not know
    that, by Origin. Who sends a password and neither of the two is a program.
    """
    authorization = request.headers.get("authorization", "").casefold()
    if authorization.startswith("bearer "):
        return
    if authorization and not {"sec-fetch-site", "origin"} & set(request.headers):
        return
    site = request.headers.get("sec-fetch-site")
    own = {request.headers.get("host", ""), urlsplit(settings().public_url).netloc} - {""}
    if site == "same-origin" or (site is None and _netloc(request.headers.get("origin", "")) in own):
        return
    raise HTTPException(403, "The station takes this from its own pages, or with an access token, only.")


def _netloc(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets, in lower case; "" if it cannot be read."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _add_headers(message: Message) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():  # OHIF's pages bring a policy of their own
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", NOT_KEPT)


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


_FAULT = JSONResponse({"detail": "The station met an error of its own; its log names the kind."}, 500)

_REFUSAL = PlainTextResponse(
    "This station answers under localhost only; open the link that it printed when it started. Behind a "
    "reverse proxy, set CAMLUCIDA_PUBLIC_URL to the name under which it is shown.\n",
    status_code=421,
)
