"""TLS for the side that is called: BCP 195 (RFC 9325), as the BCP 195 profiles of PS3.15 annex B want."""

import ssl

from camlucida.errors import InvalidConfiguration
from camlucida.pacs.configuration import Tls

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # forward secrecy and authenticated encryption; TLS 1.3 has no others


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
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise InvalidConfiguration(
            f"[listen.tls]: the certificate {tls.certificate}, its key or the authority cannot be used "
            f"({reason}); give PEM files, the key without a password."
        ) from error
    return context


def _no_password() -> str:
    """Else OpenSSL would ask on the terminal, where nobody sits."""
    raise ValueError("the key has a password")
