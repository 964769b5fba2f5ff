"""The server process: a free port, a link with a one-time token, and an end without a traceback."""

import asyncio
import errno
import gc
import json
import os
import signal
import socket
import ssl
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from camlucida.errors import StoreError
from camlucida.settings import is_loopback, settings
from camlucida.store.home import Home
from camlucida.store.people import users, visits
from camlucida.web.app import create_app
from camlucida.web.models import Described

PORTS_TO_TRY = 50
HEADER_SECONDS = 20.0
MOST_CONNECTIONS = 256  # more are answered 503


class Address(NamedTuple):
    """Where the server listens."""

    listening: socket.socket
    url: str


def listen(host: str, port: int) -> Address:
    """Bind the port, or the next free one after it; 0 takes any.

    Raises
    ------
    StoreError
        The address can be reached by other machines and no `public_url` is set, it is none of this
        machine's, or no port is free.
    """
    refuse_open_address(host)
    last = port if port == 0 else min(port + PORTS_TO_TRY, 65535)
    for candidate in range(port, last + 1):
        bound = _bind(host, candidate)
        if bound is not None:
            name = f"[{host}]" if ":" in host else host
            scheme = "https" if settings().tls_certificate else "http"
            return Address(bound, f"{scheme}://{name}:{bound.getsockname()[1]}")
    raise StoreError(f"The ports {port} to {last} of {host} are all taken; choose another with --port.")


def refuse_open_address(host: str) -> None:
    """Other machines may reach studies encrypted only: by the server's own certificate, or by a proxy."""
    if is_loopback(host) or settings().public_url or settings().tls_certificate:
        return
    raise StoreError(
        f"{host} can be reached by other machines, and the station speaks plain HTTP; listen on 127.0.0.1, "
        "give it a certificate by CAMLUCIDA_TLS_CERTIFICATE and CAMLUCIDA_TLS_KEY, or put a reverse proxy "
        "with TLS in front and set CAMLUCIDA_PUBLIC_URL to its https:// address."
    )


def serve(
    home: Home,
    address: Address,
    on_ready: Callable[[str], None],
    *,
    ohif: Path | None = None,
    described: Described = lambda: (),
    works: bool = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM; `on_ready` gets the link once it works.

    Where there are users, the link has no one-time token. `ohif` is the folder of an unpacked OHIF that is
    shown under /ohif/, too; `described` reads the models; `works`: a worker of this station has to live.
    """
    url = settings().public_url or address.url
    link = url if users.any_may_sign_in(home) else sign_in_link(home, url)
    config = uvicorn.Config(
        create_app(home, ohif_app=ohif, described=described, works=works),
        access_log=False,  # the token of a sign-in link would be in it
        log_level="critical",  # tracebacks may quote what is kept; the application logs what may be logged
        server_header=False,
        timeout_graceful_shutdown=3,
        lifespan="off",
        http=Impatient,
        limit_concurrency=MOST_CONNECTIONS,
        # Who asks is whom the proxy names, if FORWARDED_ALLOW_IPS has the proxy; nobody else is believed.
        proxy_headers=bool(settings().public_url),
        **_tls(),
    )
    # Nobody is answered during a search for garbage: it need not go through what was imported and stays.
    gc.collect()
    gc.freeze()
    note = home.folder / "serving.json"
    note.write_text(json.dumps({"url": address.url, "pid": os.getpid()}), encoding="utf-8")
    try:
        _Server(config, lambda: on_ready(link)).run(sockets=[address.listening])
    finally:
        note.unlink(missing_ok=True)
        address.listening.close()


def _tls() -> dict[str, Any]:
    """Uvicorn's options for HTTPS, if the settings name a certificate.

    Raises
    ------
    StoreError
        Certificate and key cannot be read, or do not belong together.
    """
    certificate, key = settings().tls_certificate, settings().tls_key
    if certificate is None:
        return {}
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise StoreError(
            f"CAMLUCIDA_TLS_CERTIFICATE {certificate} and CAMLUCIDA_TLS_KEY {key or 'empty'} cannot be used "
            f"({error}); they are PEM files that belong together, the key without a password."
        ) from error
    return {"ssl_certfile": certificate, "ssl_keyfile": key}


def _no_password() -> str:
    raise ValueError("the key has a password")


def sign_in_link(home: Home, url: str) -> str:
    """A link that opens the station once."""
    return f"{url}/sign-in?token={visits.new_token(home)}"


def running_url(home: Home) -> str | None:
    """Where a server shows this home now, if one does."""
    with suppress(OSError, ValueError, KeyError):
        noted = json.loads((home.folder / "serving.json").read_text(encoding="utf-8"))
        os.kill(noted["pid"], 0)  # signal 0 asks only whether the process lives
        return str(noted["url"])
    return None


def open_browser(link: str) -> None:
    """Show the link in a graphical browser, if there is one; none is no fault, the link was printed."""
    on_a_screen = (
        sys.platform in {"darwin", "win32"} or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if on_a_screen:  # without one, a text browser would take the terminal
        with suppress(webbrowser.Error, OSError):
            webbrowser.open(link)


def _bind(host: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is: without it, every
    # small answer waits 40 ms for an acknowledgement that the browser's system delays.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port closed a moment ago is free
    try:
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise StoreError(f"{host} is no address of this machine; choose another host.") from error
        return None
    return listening


class Impatient(H11Protocol):
    """Ends a connection on which no request comes to the end of its headers, however slowly it goes on.

    uvicorn waits for ever, so that a few hundred of them would hold every place (“slow-loris”).
    """

    _looked_at: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Look at it now and then."""
        super().connection_made(transport)
        self._looks = self.loop.call_later(HEADER_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._looks.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """The same as at the last look, and with nothing to answer: no request has come in between."""
        waits = self.cycle is None or self.cycle.response_complete
        if waits and (self._looked_at is self.cycle):
            self.transport.close()
            return
        self._looked_at = self.cycle
        self._looks = self.loop.call_later(HEADER_SECONDS, self._look)


class _Server(uvicorn.Server):
    """Tells when it answers; ends at Ctrl-C and SIGTERM as something that was meant."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            await asyncio.to_thread(self._on_ready)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End the loop at a signal without raising it again afterwards, as uvicorn would."""
        before: dict[int, Any] = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
