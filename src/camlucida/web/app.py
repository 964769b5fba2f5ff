"""The station's web application: what is kept, shown; nothing is computed in a request."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from camlucida.errors import CamlucidaError, NotAnswering
from camlucida.records.role import Role
from camlucida.settings import settings
from camlucida.store.home import Home
from camlucida.version import __version__
from camlucida.web import (
    access,
    asking,
    events,
    explanations,
    find,
    flag_queue,
    flags,
    health,
    images,
    jobs,
    metrics,
    models,
    ohif,
    opinions,
    priors,
    rights,
    sheet,
    signing_in,
    status,
    studies,
    worklist,
)
from camlucida.web.dicomweb import routes as dicomweb
from camlucida.web.dicomweb.addresses import PREFIX
from camlucida.web.dicomweb.retrievals import Retrievals
from camlucida.web.limits import Limits
from camlucida.web.protection import Protection, names, route
from camlucida.web.rights import Right

if TYPE_CHECKING:
    from camlucida.web.oidc import Provider

STATIC = Path(__file__).parent / "static"
IN_JSON = ("/studies", "/series", "/instances", "/metadata")
PIXELS = ("/pixels", "/thumbnail")
NOTICE = "Research software, not a medical device."
PARTS = (
    *(worklist, studies, images, explanations, priors, asking, find),
    *(flags, flag_queue, opinions, events, models, jobs, status, sheet),
)

_log = structlog.get_logger()


def create_app(
    home: Home,
    static: Path = STATIC,
    ohif_app: Path | None = None,
    described: models.Described = lambda: (),
    works: bool = False,
) -> FastAPI:
    """The application over an open home; `static` holds the built viewer, `ohif_app` an unpacked OHIF.

    `described` reads the registered models for their page; `works`: a worker must live for it to be ready.
    """
    app = FastAPI(
        title="camlucida",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(access.must_have_right)],
    )
    app.state.home = home
    app.state.limits = Limits()
    app.state.retrievals = Retrievals()
    app.state.provider = _provider()
    app.state.described = described
    app.state.static = static
    app.state.health = health.Health(home, works=works)
    app.state.metrics = metrics.Metrics(home, app.state.health)
    _add_routes(app, static, ohif_app)
    app.add_exception_handler(access.SignedOut, _signed_out)
    app.add_exception_handler(CamlucidaError, _said)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_middleware(Compression)
    if origins := ohif.origins(settings().ohif_origins):
        app.add_middleware(ohif.OtherOrigins, origins=origins)
    app.add_middleware(Protection, names=names())
    app.add_middleware(metrics.Meter, metrics=app.state.metrics)
    return app


def _add_routes(app: FastAPI, static: Path, ohif_app: Path | None) -> None:
    app.include_router(_api())
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(dicomweb.router)
    app.include_router(signing_in.router)
    app.include_router(ohif.router)
    if ohif_app is not None:
        ohif.add(app, ohif_app)
    app.add_api_route("/", page, include_in_schema=False)
    if static.is_dir():
        app.mount("/static", StaticFiles(directory=static))


def _provider() -> "Provider | None":
    """The OpenID provider, if the settings name one."""
    if not settings().oidc_issuer:
        return None
    from camlucida.web.oidc import Provider  # noqa: PLC0415 - joserfc: only where it is needed

    return Provider(settings())


class Compression:
    """gzip for everything but pixels: they gain a tenth by it, and cost a second (zstd lies on the disk).

    Of DICOMweb, what is JSON is packed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._plain = app
        self._gzip = GZipMiddleware(app, minimum_size=1000, compresslevel=1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        path = scope.get("path", "")
        pixels = path.endswith(PIXELS) or (path.startswith(f"{PREFIX}/") and not path.endswith(IN_JSON))
        await (self._plain if pixels else self._gzip)(scope, receive, send)


def page(request: Request) -> Response:
    """The viewer, for those who are signed in."""
    index = request.app.state.static / "index.html"
    if not index.is_file():
        return signing_in.page(
            "The viewer has not been built in this checkout: run `npm ci && npm run build` in viewer/.", 503
        )
    return FileResponse(index)


def about() -> dict[str, str]:
    """The version, and what camlucida is not."""
    return {"version": __version__, "notice": NOTICE}


def me(request: Request) -> dict[str, Any]:
    """Who is signed in, as what, and what that lets them do."""
    visitor = access.who_asks(request)
    allowed = rights.of_roles(visitor.roles)
    return {
        "name": visitor.name,
        "roles": [role for role in Role if role in visitor.roles],
        "rights": [right.name.lower() for right in Right if right in allowed],
    }


def _api() -> APIRouter:
    """Everything under /api."""
    api = APIRouter(prefix="/api")
    api.add_api_route("/about", about)
    api.add_api_route("/me", me)
    for part in PARTS:
        api.include_router(part.router)
    return api


def _signed_out(request: Request, error: Exception) -> Response:
    """A page for pages, JSON for programs."""
    refused = cast("access.SignedOut", error)
    if route(request.scope).startswith(("/api/", f"{PREFIX}/")):
        return JSONResponse({"detail": refused.detail}, 401, refused.headers)
    return signing_in.door(request.app.state.home, 401)


def _said(request: Request, error: Exception) -> JSONResponse:
    _log.error("refused", route=route(request.scope), error=type(error).__name__, reason=str(error))
    if isinstance(error, NotAnswering):
        return JSONResponse({"detail": str(error)}, 503, {"Retry-After": "10"})
    return JSONResponse({"detail": str(error)}, 500)


def _unreadable(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 - Starlette's signature
    """Names the routes' own parameters; what was sent for them is not said again."""
    wrong = cast("RequestValidationError", error).errors()
    named = sorted({str(one["loc"][1]) for one in wrong if len(one["loc"]) > 1})
    return JSONResponse({"detail": f"This request cannot be read: {', '.join(named)}."}, 422)
