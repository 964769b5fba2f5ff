"""Messages to a syslog server, RFC 5424: by UDP (RFC 5426), TCP (RFC 6587, counted) or TLS (RFC 5425)."""

import os
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import urlsplit

from camlucida.errors import NotReached

NOTICE_OF_AUTHORIZATION = 85  # facility 10, severity 5, as DICOM's audit messages have it
MESSAGE_ID = "DICOM+RFC3881"  # PS3.15 A.6
PORTS = {"udp": 514, "tcp": 514, "tls": 6514}
TIMEOUT = 10.0  # seconds
UTF_8 = b"\xef\xbb\xbf"


class Address(NamedTuple):
    """Where a syslog server is."""

    transport: str  # udp, tcp or tls
    host: str
    port: int

    @classmethod
    def read(cls, url: str) -> "Address":
        """Of `udp://host:port`."""
        parts = urlsplit(url)
        return cls(parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme])


def framed(content: bytes, moment: datetime) -> bytes:
    """A message of RFC 5424 with its header."""
    stamp = moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"<{NOTICE_OF_AUTHORIZATION}>1 {stamp} {_host()} camlucida {os.getpid()} {MESSAGE_ID} - "
    return head.encode() + UTF_8 + content


class Connection:
    """A connection to a syslog server, for a `with` block."""

    def __init__(self, address: Address, authorities: Path | None = None) -> None:
        """Not open yet; `authorities`: a file with certificates, by default those of the system."""
        self._address, self._authorities = address, authorities
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        """Connect.

        Raises
        ------
        NotReached
            The server does not answer, or its certificate is not good.
        """
        try:
            self._socket = self._connected()
        except OSError as error:
            raise self._not_reached(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        if self._socket is not None:
            self._socket.close()

    def send(self, message: bytes) -> None:
        """Send one message.

        Raises
        ------
        NotReached
            The server is gone.
        """
        if self._socket is None:
            raise NotReached("The connection to the syslog server is not open.")
        counted = self._address.transport != "udp"
        try:
            self._socket.sendall(b"%d %b" % (len(message), message) if counted else message)
        except OSError as error:
            raise self._not_reached(error) from error

    def _connected(self) -> socket.socket:
        transport, host, port = self._address
        if transport == "udp":
            family, kind, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            made = socket.socket(family, kind)
            made.connect(place)
            return made
        plain = socket.create_connection((host, port), TIMEOUT)
        if transport == "tcp":
            return plain
        context = ssl.create_default_context(cafile=self._authorities)
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except OSError:
            plain.close()
            raise

    def _not_reached(self, error: OSError) -> NotReached:
        where = f"{self._address.transport}://{self._address.host}:{self._address.port}"
        why = error.strerror or str(error) or type(error).__name__
        return NotReached(f"The syslog server {where} cannot be reached ({why}); what it misses comes later.")


def _host() -> str:
    return socket.gethostname() or "-"
