"""How the station stands: what it needs, who works, room on the disk, versions."""

import platform
import shutil
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session

from camlucida.store import claims, counters
from camlucida.store.counters import Counter
from camlucida.store.tables import WorkerRow
from camlucida.version import __version__

if TYPE_CHECKING:
    from camlucida.store.home import Home

router = APIRouter()


@router.get("/status")
def status(request: Request) -> dict[str, Any]:
    """What an operator looks at first."""
    home: Home = request.app.state.home
    disk = shutil.disk_usage(home.folder)
    with home.database.read() as session:
        counted, kept = counters.values(session), request.app.state.metrics.station.sizes(session)
        workers = claims.workers(session)
        database = _database(session)
    return {
        "checks": [check._asdict() for check in request.app.state.health.checks()],
        "restarts": counted[Counter.RESTARTS],
        "workers": [_worker(one) for one in workers],
        "disk": {"free": disk.free, "total": disk.total},
        "kept": kept,
        "versions": {"camlucida": __version__, "Python": platform.python_version(), **database},
    }


def _worker(row: WorkerRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "lanes": row.lanes,
        "lives": claims.is_alive(row),
        "started": row.started.isoformat(),
        "seen": row.seen.isoformat(),
        "ended": row.ended,
    }


def _database(session: Session) -> dict[str, str]:
    dialect = session.connection().dialect
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[dialect.name]
    return {name: ".".join(map(str, dialect.server_version_info or ()))}
