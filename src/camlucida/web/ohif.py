"""OHIF beside our own viewer: its built app under /ohif/, our module for it, and OHIF of another origin.

OHIF is not part of camlucida: `serve(app, folder)` shows an unpacked `@ohif/app` as it came from npm. That
build believes that it lies at the root of its host, so the few places where it says so are rewritten when
they are served; the rest goes out byte for byte.
"""

import base64
import gzip
import hashlib
import json
import mimetypes
import re
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, Response
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from camlucida.errors import StoreError
from camlucida.web.dicomweb.addresses import PREFIX as DICOM_WEB

PREFIX = "/ohif"
MODULE = Path(__file__).parent / "integrations" / "camlucida-ohif.js"
MODULE_PATH = "/camlucida-ohif.js"
FOR_OTHER_ORIGINS = ("/api/", f"{DICOM_WEB}/", MODULE_PATH)

REWRITTEN = frozenset({".js", ".css", ".html"})
HASHED = re.compile(r"\.[0-9a-f]{16}\.js$|^[0-9a-f]{16}\.\w+$")
"""Names with a digest of their content: what is once loaded stays right."""

AT_ROOT = (  # where the build says that it lies at the root, and what is said instead
    ('__webpack_require__.p = "/"', f'__webpack_require__.p = "{PREFIX}/"'),
    ("'/dicom-microscopy-viewer/", f"'{PREFIX}/dicom-microscopy-viewer/"),
    ("url(/", f"url({PREFIX}/"),
    ('window.PUBLIC_URL="/"', f'window.PUBLIC_URL="{PREFIX}/"'),
)
ADDRESS_AT_ROOT = re.compile(r'(?<=\s)(src|href)="/(?!/)')
INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)

POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval' {scripts}; "
    "worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; font-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self' blob: data:; manifest-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""As tight as OHIF 3.13 allows: its codecs and its reader of segmentations make functions of strings
(without, no SEG loads), its workers are partly blobs, its styles inline. Its own inline scripts run alone."""

WORKER_POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval' 'unsafe-eval'; connect-src 'self'"
"""For scripts, which matters where one becomes a worker."""

router = APIRouter()


@router.get(MODULE_PATH, include_in_schema=False)
def module() -> Response:
    """Our module for OHIF: code only, nothing of a patient, so anybody may load it."""
    return FileResponse(MODULE, media_type="text/javascript", headers={"Cache-Control": "no-cache"})


def app_folder(folder: Path) -> Path:
    """The folder of a built OHIF.

    Raises
    ------
    StoreError
        It is none; the sentence says how to get one.
    """
    if (folder / "index.html").is_file() and (folder / "app-config.js").is_file():
        return folder.resolve()
    raise StoreError(
        f"{folder} is no built OHIF; `npm pack @ohif/app@3.13.2 && tar xf ohif-app-3.13.2.tgz` unpacks one, "
        "to package/dist."
    )


def add(app: FastAPI, folder: Path) -> None:
    """Show the OHIF in `folder` under /ohif/ to those who are signed in."""
    root = app_folder(folder)

    def file(request: Request, path: str = "") -> Response:
        if path == "app-config.js":
            return Response(app_config(), media_type="text/javascript")
        return _file(request, _inside(root, path))

    for path in (PREFIX, f"{PREFIX}/{{path:path}}"):
        app.add_api_route(path, file, methods=["GET"], include_in_schema=False)


def app_config() -> str:
    """OHIF's configuration: our DICOMweb, our module and its panel; nothing of anybody else."""
    panel = "camlucida.panelModule.evidence"
    layout = {"rightPanels": {"$unshift": [panel]}, "rightPanelClosed": {"$set": False}}
    config = {
        "name": "camlucida",
        "routerBasename": PREFIX,
        "extensions": [MODULE_PATH],
        "modes": [],
        "customizationService": {},
        "showStudyList": True,
        "investigationalUseDialog": {"option": "never"},  # the panel says it, always
        "showWarningMessageForCrossOrigin": False,
        "showCPUFallbackMessage": True,
        "showLoadingIndicator": True,
        "maxNumberOfWebWorkers": 3,
        "strictZSpacingForVolumeViewport": True,
        "defaultDataSourceName": "camlucida",
        "dataSources": [
            {
                "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
                "sourceName": "camlucida",
                "configuration": {
                    "friendlyName": "camlucida",
                    "name": "camlucida",
                    "qidoRoot": DICOM_WEB,
                    "wadoRoot": DICOM_WEB,
                    "wadoUriRoot": DICOM_WEB,
                    "qidoSupportsIncludeField": True,
                    "imageRendering": "wadors",
                    "thumbnailRendering": "wadors",
                    "enableStudyLazyLoad": True,
                    "supportsFuzzyMatching": False,
                    "supportsWildcard": True,
                    "dicomUploadEnabled": False,
                    "omitQuotationForMultipartRequest": True,
                    "bulkDataURI": {"enabled": True},
                },
            }
        ],
        "modesConfiguration": {
            "@ohif/mode-longitudinal": {"routes": {"0": {"layoutInstance": {"props": layout}}}}
        },
    }
    return f"window.config = {json.dumps(config, indent=2)};\n"


class OtherOrigins:
    """Lets OHIF of named other origins read the API, DICOMweb and the module, with a bearer token only.

    Cookies are never taken from another origin: the answers do not allow credentials, and the cookie is
    SameSite=Strict.
    """

    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        self._plain = app
        self._open = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Accept", "Authorization", "Content-Type"],
            max_age=600,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what is shown to ourselves only is not opened."""
        opened = scope["type"] == "http" and scope["path"].startswith(FOR_OTHER_ORIGINS)
        await (self._open if opened else self._plain)(scope, receive, send)


def origins(setting: str) -> list[str]:
    """The origins in the setting `ohif_origins`.

    Raises
    ------
    StoreError
        One is no https origin.
    """
    found = [word for word in re.split(r"[,\s]+", setting) if word]
    for word in found:
        parts = urlsplit(word)
        if parts.scheme != "https" or f"https://{parts.netloc}" != word or not parts.hostname:
            raise StoreError(
                f"CAMLUCIDA_OHIF_ORIGINS names {word}, which is no origin; write https://ohif.example, no "
                "path after it."
            )
    return found


def _inside(root: Path, path: str) -> Path:
    """The file that an address means; a route of OHIF's own is its page."""
    wanted = root if "\0" in path else (root / path).resolve()
    if "\0" in path or not wanted.is_relative_to(root):
        raise HTTPException(404, "There is no such file.")
    if wanted.is_file() and wanted.name != "index.html":
        return wanted
    if wanted.suffix and wanted.name != "index.html":
        raise HTTPException(404, "There is no such file in this OHIF.")
    return root / "index.html"


def _file(request: Request, path: Path) -> Response:
    headers = {"Cache-Control": "no-cache"}
    if HASHED.search(path.name):
        headers["Cache-Control"] = "private, max-age=31536000, immutable"
    if path.suffix not in REWRITTEN:
        return FileResponse(path, headers=headers)
    packed, policy, etag = _rewritten(path, path.stat().st_mtime_ns)
    headers |= {"ETag": etag, "Vary": "Accept-Encoding"}
    if path.suffix == ".js":
        policy = WORKER_POLICY
    if policy:
        headers["Content-Security-Policy"] = policy
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    kind = mimetypes.guess_type(path.name)[0]
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(gzip.decompress(packed), headers=headers, media_type=kind)
    return Response(packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)


@lru_cache(maxsize=256)
def _rewritten(path: Path, changed: int) -> tuple[bytes, str, str]:  # noqa: ARG001 - another file under the same name
    """A file's content below our prefix, packed; for a page its policy, too; and its ETag."""
    text = path.read_text("utf-8")
    for at_root, below in AT_ROOT:
        text = text.replace(at_root, below)
    policy = ""
    if path.suffix == ".html":
        text = ADDRESS_AT_ROOT.sub(rf'\1="{PREFIX}/', text)
        policy = POLICY.format(scripts=" ".join(_allowed(script) for script in INLINE_SCRIPT.findall(text)))
    packed = gzip.compress(text.encode(), 1, mtime=0)
    return packed, policy, f'W/"{hashlib.sha256(packed).hexdigest()[:32]}"'


def _allowed(script: str) -> str:
    """An inline script as a source of the policy: its own digest, so that no other one runs."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
