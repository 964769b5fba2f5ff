"""Who asks: a signed-in browser by its cookie, or a program by an access token.

A program sends `Authorization: Bearer TOKEN`; one that speaks only HTTP Basic (RFC 7617), as many PACS do,
sends the token as the password, with any user name.
"""

import base64
import math
from typing import TYPE_CHECKING, NamedTuple

from fastapi import HTTPException, Request

from camlucida.records.event import EventKind
from camlucida.records.role import Role
from camlucida.store.audit import events
from camlucida.store.people import access_tokens, visits
from camlucida.store.people.sign_in_tries import network
from camlucida.web import rights, signing_in
from camlucida.web.protection import must_be_own_request, route
from camlucida.web.rights import Right

if TYPE_CHECKING:
    from camlucida.store.home import Home
    from camlucida.web.limits import Limits
    from camlucida.web.oidc import Provider

REFUSED = "This access token is not one of the station's, has expired or was revoked."
NOT_IN_TABLE = "The station does not say who may use this address, so nobody may."


class Visitor(NamedTuple):
    """Who asks, by name (a user's, an access token's, or "browser": the holder of the one-time link)."""

    name: str
    roles: frozenset[Role]

    def may(self, right: Right) -> bool:
        """Whether one of the roles has this right."""
        return right in rights.of_roles(self.roles)


class SignedOut(HTTPException):
    """401, with what would be accepted."""

    def __init__(self, request: Request, detail: str) -> None:
        super().__init__(401, detail, _challenge(request))


def must_have_right(request: Request) -> None:
    """Let in who has the right that the table asks for; before every route.

    Raises
    ------
    SignedOut
        Nobody is signed in, or with a token that is none of the station's (401).
    HTTPException
        403: the visitor has no such right, another site's page asks for a change, or the route is not in the
        table. 429: too often.
    """
    right = rights.of_route(request.method, route(request.scope))
    limits: Limits = request.app.state.limits
    if right is Right.SIGN_IN:
        _slowly(limits.sign_ins.wait(_address(request)))
    if right in {Right.ANYBODY, Right.SIGN_IN}:
        return
    visitor = who_asks(request)
    if right is None:
        raise HTTPException(403, NOT_IN_TABLE)
    must_have(visitor, right)
    if right in rights.CHANGING:
        must_be_own_request(request)
        _slowly(limits.writes.wait(visitor.name))


def _slowly(wait: float) -> None:
    if wait:
        seconds = math.ceil(wait)
        raise HTTPException(
            429,
            f"This is more than is taken in a minute; go on in {seconds} s.",
            {"Retry-After": str(seconds)},
        )


def must_have(visitor: Visitor, right: Right) -> None:
    """Refuse who has no such right (403)."""
    if not visitor.may(right):
        named = ", ".join(rights.roles_with(right))
        raise HTTPException(
            403,
            f"To {right.value}, one must be: {named}. "
            "`camlucida users roles` and `camlucida tokens add --role` give roles.",
        )


def who_asks(request: Request) -> Visitor:
    """Who asks; found once a request.

    Raises
    ------
    SignedOut
        Nobody is signed in, or with a token that is none of the station's (401).
    """
    known: Visitor | None = getattr(request.state, "visitor", None)
    visitor = known or _found(request)
    request.state.visitor = visitor
    return visitor


def _found(request: Request) -> Visitor:
    home: Home = request.app.state.home
    token = _token(request)
    if token is not None:
        return _by_token(request, home, token)
    signed = visits.find(home, request.cookies.get(signing_in.cookie_name(home)))
    if signed is not None:
        return Visitor(*signed)
    raise SignedOut(request, signing_in.SIGNED_OUT)


def _by_token(request: Request, home: "Home", token: str) -> Visitor:
    provider: Provider | None = request.app.state.provider
    by_provider = provider is not None and token.count(".") == 2
    found = provider.who(token) if provider and by_provider else access_tokens.find(home, token)
    if found is None:
        if not request.app.state.limits.refusals_noted.wait(_address(request)):
            _note(home, EventKind.SIGN_IN_REFUSED, "unknown", "why", "token")
        raise SignedOut(request, REFUSED)
    if provider and by_provider and provider.is_first_sight(token):
        _note(home, EventKind.SIGNED_IN, found.name, "by", "provider")
    return Visitor(*found)


def _note(home: "Home", kind: EventKind, who: str, name: str, value: str) -> None:
    with home.database.write() as session:
        events.note(session, kind, who, {name: value})


def _address(request: Request) -> str:
    return network(request.client.host) if request.client else ""


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
