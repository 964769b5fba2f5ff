"""TLS of DIMSE connections: BCP 195 (RFC 9325), as the BCP 195 profiles of PS3.15 annex B want."""

import ssl
from typing import Any

from camlucida.errors import InvalidConfiguration
from camlucida.pacs.configuration import Tls

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # forward secrecy and authenticated encryption; TLS 1.3 has no others


EXPIRED, NOT_YET_VALID = 10, 9  # X509_V_ERR_…, of X509_verify_cert(3)
OTHER_NAME = frozenset({62, 64})  # another host name, another address


class CallingContext(ssl.SSLContext):
    """For the calling side; remembers why the other side's certificate was refused."""

    refusal: ssl.SSLCertVerificationError | None = None


class _Socket(ssl.SSLSocket):
    """pynetdicom says no more than that there is no connection."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except ssl.SSLCertVerificationError as error:
            context: Any = self.context
            context.refusal = error
            raise


def client_side(tls: Tls, place: str) -> CallingContext:
    """Our certificate is shown; the other side's must be of the `authority`, and for the host that we call.

    Without an `authority`, those of the system are trusted. `place` names the node in errors.

    Raises
    ------
    InvalidConfiguration
        A certificate or key cannot be read, or the two do not belong together.
    """
    context = CallingContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.sslsocket_class = _Socket
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
        if tls.authority is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(cafile=tls.authority)
    except (OSError, ValueError) as error:
        raise _unusable(place, tls, error) from error
    return context


def why_not_trusted(error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with a certificate that was shown to us, and the cure."""
    if error.verify_code == EXPIRED:
        return "its certificate has expired; have it renewed"
    if error.verify_code == NOT_YET_VALID:
        return "its certificate is not valid yet; check the clocks"
    if error.verify_code in OTHER_NAME:
        return "its certificate is for another name; give the one that stands in it"
    return "its certificate is not trusted; `authority` names its authority's file"


def server_side(tls: Tls) -> ssl.SSLContext:
    """Our certificate is shown; with an `authority`, callers must show one that it signed.

    Raises
    ------
    InvalidConfiguration
        A certificate or key cannot be read, or the two do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
        if tls.authority is not None:
            context.load_verify_locations(cafile=tls.authority)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise _unusable("[listen.tls]", tls, error) from error
    return context


def _unusable(place: str, tls: Tls, error: Exception) -> InvalidConfiguration:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return InvalidConfiguration(
        f"{place}: the certificate {tls.certificate}, its key or the authority cannot be used ({reason}); "
        "give PEM files, the key without a password."
    )


def _no_password() -> str:
    """Else OpenSSL would ask on the terminal, where nobody sits."""
    raise ValueError("the key has a password")
