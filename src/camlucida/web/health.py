"""Whether the process lives (`/healthz`) and whether it can do what it was started for (`/readyz`).

Anybody may ask: what is told names no study, no path and no address.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text

from camlucida.errors import StoreError
from camlucida.settings import settings
from camlucida.store import claims
from camlucida.store.turn import is_taken

if TYPE_CHECKING:
    from camlucida.store.home import Home

LOOK_AGAIN = 2.0  # seconds: many may ask, and each look writes a little
_REVISION = "SELECT version_num FROM alembic_version"

router = APIRouter()
_log = structlog.get_logger()


class Check(NamedTuple):
    """One thing that the station needs: `told` says in words what is wrong, or how it stands."""

    name: str
    ok: bool
    told: str


class Health:
    """Looks at what the station needs, at most every `LOOK_AGAIN` seconds.

    `works`: this process was started to have its studies explained, too, so that a worker must live.
    """

    def __init__(self, home: "Home", *, works: bool = False) -> None:
        self._home, self._works = home, works
        self._revision = _revision(home)
        self._known: tuple[float, list[Check]] | None = None
        self._looking = threading.Lock()

    def checks(self) -> list[Check]:
        """Every check, with its outcome."""
        known = self._known
        if known is None:
            return self._looked()
        if monotonic() - known[0] > LOOK_AGAIN and self._looking.acquire(blocking=False):
            try:
                return self._looked()
            finally:
                self._looking.release()
        return known[1]  # while another one waits for a database that hangs, what was seen last

    def _looked(self) -> list[Check]:
        checks = list(self._look())
        self._known = monotonic(), checks
        return checks

    def _look(self) -> Iterator[Check]:
        yield _checked("database", self._database)
        yield _checked("blobs", self._blobs)
        yield _checked("disk", self._disk)
        if self._works:
            yield _checked("worker", self._worker)

    def _database(self) -> str:
        if _revision(self._home) != self._revision:
            raise StoreError("Its tables were brought to another version; start this server again.")
        return f"revision {self._revision}"

    def _blobs(self) -> str:
        next(iter(self._home.blobs.sizes()), None)
        with self._home.blobs.begin() as part:
            part.write(b"\0")
            part.finish()
        return "can be read and written"

    def _disk(self) -> str:
        free, least = shutil.disk_usage(self._home.folder).free, settings().least_free_bytes
        if free < least:
            raise StoreError(
                f"Only {free / 1e9:.1f} GB are free, less than {least / 1e9:.1f} GB; make room, or set "
                "CAMLUCIDA_LEAST_FREE_BYTES."
            )
        return f"{free / 1e9:.1f} GB free"

    def _worker(self) -> str:
        with self._home.database.read() as session:
            alive = sum(claims.is_alive(worker) for worker in claims.workers(session))
        if not (alive or is_taken(self._home)):
            raise StoreError("No worker lives: it is starting, or its log says why it ends.")
        return "lives"


@router.get("/healthz", include_in_schema=False)
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "lives"}


@router.get("/readyz", include_in_schema=False)
def readyz(request: Request) -> JSONResponse:
    """Whether all that this process needs is there; 503 with the reason if not."""
    return answer(request.app.state.health.checks())


def answer(checks: Sequence[Check]) -> JSONResponse:
    """The checks in words."""
    ready = all(check.ok for check in checks)
    told: dict[str, Any] = {check.name: check.told for check in checks}
    return JSONResponse({"status": "ready" if ready else "not ready", **told}, 200 if ready else 503)


def _checked(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, told=look())
    except StoreError as error:
        told = str(error)
    except Exception as error:  # noqa: BLE001 - a driver's text may hold addresses and names
        told = f"It does not answer ({type(error).__name__}); the server's log may say more."
    _log.warning("not ready", check=name, reason=told)
    return Check(name, ok=False, told=told)


def _revision(home: "Home") -> str:
    with home.database.read() as session:
        return str(session.scalar(text(_REVISION)))
