"""Who asks: a signed-in browser by its cookie, or a program by an access token.

A program sends `Authorization: Bearer TOKEN`; one that speaks only HTTP Basic (RFC 7617), as many PACS do,
sends the token as the password, with any user name.
"""

import base64
from typing import TYPE_CHECKING, NamedTuple

from fastapi import HTTPException, Request

from camlucida.store import access_tokens
from camlucida.web import signing_in
from camlucida.web.protection import must_be_own_request

if TYPE_CHECKING:
    from camlucida.store.home import Home

BROWSER = "browser"
REFUSED = "This access token is not one of the station's, has expired or was revoked."


class Visitor(NamedTuple):
    """Who asks, and whether it may store; `name` is that of the access token."""

    name: str
    may_store: bool


def must_read(request: Request) -> Visitor:
    """Who reads; refuses everybody else (401, with what would be accepted)."""
    home: Home = request.app.state.home
    token = _token(request)
    if token is not None:
        found = access_tokens.find(home, token)
        if found is None:
            raise HTTPException(401, REFUSED, _challenge(request))
        return Visitor(found.name, found.may_store)
    if signing_in.is_signed_in(home, request.cookies.get(signing_in.cookie_name(home))):
        return Visitor(BROWSER, may_store=True)
    raise HTTPException(401, signing_in.SIGNED_OUT, _challenge(request))


def must_store(request: Request) -> Visitor:
    """Who stores; refuses a token without that right, and pages of other sites (403)."""
    visitor = must_read(request)
    if not visitor.may_store:
        raise HTTPException(
            403,
            "This token may read only; `camlucida tokens add NAME --may-store` makes one that may store.",
        )
    must_be_own_request(request)
    return visitor


def _token(request: Request) -> str | None:
    """The token of the Authorization header; "" if it has another form, None if there is none."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    if scheme.casefold() == "bearer":
        return value.strip()
    if scheme.casefold() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except ValueError:  # neither base64 nor UTF-8
            return ""
    return ""


def _challenge(request: Request) -> dict[str, str]:
    """RFC 9110 11.6.1. A page of a browser is not told of Basic: the browser would ask for a password."""
    ways = ['Bearer realm="camlucida"']
    if "sec-fetch-mode" not in request.headers:
        ways.append('Basic realm="camlucida", charset="UTF-8"')
    return {"WWW-Authenticate": ", ".join(ways)}
