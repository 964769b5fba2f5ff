"""Signing in: by a one-time link that the station prints, or by name and password; then a cookie."""

import base64
import hashlib
import html
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from camlucida.errors import MustWait
from camlucida.settings import is_encrypted
from camlucida.store.people import users, visits
from camlucida.web.protection import HEADERS, must_be_own_request

if TYPE_CHECKING:
    from camlucida.store.home import Home

SIGNED_OUT = "Sign in with the link that the station printed; `camlucida serve --new-token` prints a new one."
SIGN_IN = "Sign in with your name and password."
WRONG = "Name and password do not belong together, or this user may not sign in any more."
USED = (
    "This sign-in link has been used or has expired. `camlucida serve --new-token` prints a new one; "
    "if you are signed in already, open the page without the token."
)
MOST_BYTES = 4_000

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 26rem; margin: 12vh auto; padding: 0 1rem }
form { display: grid; gap: .75rem; margin: 1.5rem 0 }
label { display: grid; gap: .25rem }
input, button { font: inherit; padding: .5rem .6rem; border-radius: .4rem; border: 1px solid GrayText }
button { cursor: pointer }
"""
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
POLICY = HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
PAGE_HEADERS = {
    "Content-Security-Policy": f"{POLICY}; style-src 'sha256-{_STYLE_DIGEST}'",
    "Referrer-Policy": "same-origin",  # without one, a browser calls the form's origin “null”
}

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>camlucida</title><style>{style}</style></head>
<body><main><h1>camlucida</h1><p role="status">{sentence}</p>{form}
<p>Research software, not a medical device.</p></main></body></html>
"""

FORM = """<form method="post" action="/sign-in">
<label>Name <input name="name" autocomplete="username" autocapitalize="none" required
 maxlength="64" autofocus></label>
<label>Password <input name="password" type="password" autocomplete="current-password" required
 maxlength="256"></label>
<button>Sign in</button></form>"""

router = APIRouter()


def cookie_name(home: "Home") -> str:
    """The cookie's name: browsers share cookies between ports, so each home has its own.

    `__Host-` (RFC 6265bis) lets no other host, and nothing unencrypted, set it.
    """
    name = f"camlucida_{visits.sha256(str(home.folder.resolve()))[:12]}"
    return f"__Host-{name}" if is_encrypted() else name


@router.get("/sign-in", include_in_schema=False)
def sign_in(request: Request, token: str | None = None) -> Response:
    """Change a one-time token for a cookie; without one, the form for name and password."""
    home: Home = request.app.state.home
    if token is None:
        return door(home, 200)
    cookie = visits.use_token(home, token)
    return page(USED, 403) if cookie is None else _let_in(home, cookie)


@router.post("/sign-in", include_in_schema=False)
async def by_password(request: Request) -> Response:
    """Change name and password for a cookie."""
    must_be_own_request(request)
    name, password = _form(await _body(request))
    return await run_in_threadpool(_signed_in, request, name, password)


@router.post("/sign-out", status_code=204, include_in_schema=False)
def sign_out(request: Request) -> Response:
    """End the visit of this browser."""
    must_be_own_request(request)
    home: Home = request.app.state.home
    visits.end(home, request.cookies.get(cookie_name(home)))
    response = Response(status_code=204)
    response.delete_cookie(cookie_name(home), httponly=True, samesite="strict", secure=is_encrypted())
    return response


def door(home: "Home", status: int) -> HTMLResponse:
    """The page for who is not signed in: a form where there are users, otherwise a sentence."""
    return page(SIGN_IN, status, form=True) if users.any_may_sign_in(home) else page(SIGNED_OUT, status)


def page(sentence: str, status: int, *, form: bool = False) -> HTMLResponse:
    """A plain page that says one sentence; it holds no data."""
    shown = PAGE.format(style=STYLE, sentence=html.escape(sentence), form=FORM if form else "")
    return HTMLResponse(shown, status, PAGE_HEADERS)


def _signed_in(request: Request, name: str, password: str) -> Response:
    home: Home = request.app.state.home
    address = request.client.host if request.client else ""
    try:
        user = users.sign_in(home, name, password, address)
    except MustWait as error:
        answer = page(str(error), 429, form=True)
        answer.headers["Retry-After"] = str(error.seconds)
        return answer
    cookie = None if user is None else visits.begin(home, user)
    if cookie is None:
        return page(WRONG, 403, form=True)
    visits.end(home, request.cookies.get(cookie_name(home)))
    return _let_in(home, cookie)


def _let_in(home: "Home", cookie: str) -> Response:
    response = RedirectResponse("/", 303)
    response.set_cookie(
        cookie_name(home),
        cookie,
        max_age=int(visits.lifetime().total_seconds()),
        httponly=True,
        samesite="strict",
        secure=is_encrypted(),
    )
    return response


async def _body(request: Request) -> bytes:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > MOST_BYTES:
            raise HTTPException(413, f"This form is larger than {MOST_BYTES} bytes.")
    return bytes(content)


def _form(content: bytes) -> tuple[str, str]:
    """Name and password of a form; an absent one is "".

    A name is what is typed, without the blanks and capitals that phones add.
    """
    try:
        said = parse_qs(content.decode(), keep_blank_values=True, max_num_fields=8, errors="strict")
    except ValueError:  # not UTF-8, or too many fields
        raise HTTPException(422, "This form cannot be read.") from None
    name, password = (said.get(field, [""])[0] for field in ("name", "password"))
    return re.sub(r"\s", "", name).lower()[:64], password
