"""Who may look: a one-time token in the link that the station prints, then a cookie.

Of both only the SHA-256 is kept, so who reads the database cannot sign in with it.
"""

import hashlib
import secrets
from datetime import timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from sqlalchemy import delete, select, update

from camlucida.settings import settings
from camlucida.store.home import Home
from camlucida.store.tables import TokenRow, VisitRow, now

SIGNED_OUT = "Sign in with the link that the station printed; `camlucida serve --new-token` prints a new one."

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>camlucida</title></head>
<body><h1>camlucida</h1><p>{sentence}</p><p>Research software, not a medical device.</p></body></html>
"""

router = APIRouter()


def new_token(home: Home) -> str:
    """A token that signs in once; earlier unused ones are withdrawn."""
    token = secrets.token_urlsafe(32)
    with home.database.write() as session:
        session.execute(delete(TokenRow).where(TokenRow.used.is_(None)))
        session.add(TokenRow(sha256=sha256(token), expires=now() + _lifetime()))
    return token


def use_token(home: Home, token: str) -> str | None:
    """What the cookie shall say, if the token is one that has not been used and has not expired."""
    cookie = secrets.token_urlsafe(32)
    with home.database.write() as session:
        used = session.scalar(
            update(TokenRow)
            .where(TokenRow.sha256 == sha256(token), TokenRow.used.is_(None), TokenRow.expires > now())
            .values(used=now())
            .returning(TokenRow.sha256)
        )
        if used is None:
            return None
        session.execute(delete(VisitRow).where(VisitRow.expires <= now()))
        session.add(VisitRow(sha256=sha256(cookie), expires=now() + _lifetime()))
    return cookie


def is_signed_in(home: Home, cookie: str | None) -> bool:
    """Whether a cookie belongs to a visit that has not expired."""
    if not cookie:
        return False
    with home.database.read() as session:
        found = session.scalar(
            select(VisitRow.sha256).where(VisitRow.sha256 == sha256(cookie), VisitRow.expires > now())
        )
    return found is not None


def cookie_name(home: Home) -> str:
    """The cookie's name: browsers share cookies between ports, so each home has its own."""
    return f"camlucida_{sha256(str(home.folder.resolve()))[:12]}"


def sha256(secret: str) -> str:
    """SHA-256 in hexadecimal; enough without salt, as the secrets have 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


@router.get("/sign-in", include_in_schema=False)
def sign_in(request: Request, token: str = "") -> Response:
    """Change a one-time token for a cookie."""
    home = request.app.state.home
    cookie = use_token(home, token)
    if cookie is None:
        return page(
            "This sign-in link has been used or has expired. `camlucida serve --new-token` prints a new one; "
            "if you are signed in already, open the page without the token.",
            403,
        )
    response = RedirectResponse("/", 303)
    response.set_cookie(
        cookie_name(home),
        cookie,
        max_age=int(_lifetime().total_seconds()),
        httponly=True,
        samesite="strict",
        secure=bool(settings().public_url),
    )
    return response


def page(sentence: str, status: int) -> HTMLResponse:
    """A plain page that says one sentence; it holds no data."""
    return HTMLResponse(PAGE.format(sentence=sentence), status)


def _lifetime() -> timedelta:
    return timedelta(hours=settings().session_hours)
