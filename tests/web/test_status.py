from datetime import timedelta

from camlucida.store import claims, counters
from camlucida.store.counters import Counter
from camlucida.store.tables import Lane, WorkerRow, now
from camlucida.version import __version__


def test_what_the_station_needs_its_disk_and_its_versions_are_told(browser):
    told = browser.get("/api/status").json()
    assert [(check["name"], check["ok"]) for check in told["checks"]] == [
        ("database", True),
        ("blobs", True),
        ("disk", True),
    ]
    assert 0 < told["disk"]["free"] < told["disk"]["total"]
    assert told["kept"]["evidence"] > 0
    assert told["versions"]["camlucida"] == __version__
    assert {"Python", "SQLite"} < set(told["versions"])


def test_workers_are_told_with_whether_they_live(station, browser):
    for name in ("here", "gone", "silent"):
        claims.seen(station.home, name, [Lane.INTERACTIVE, Lane.PRECOMPUTE])
    with station.home.database.write() as session:
        session.get_one(WorkerRow, "gone").ended = "Out of memory."
        session.get_one(WorkerRow, "silent").seen = now() - timedelta(hours=1)
        counters.count(session, Counter.RESTARTS, "worker", 2)
    told = browser.get("/api/status").json()
    workers = {one["name"]: (one["lives"], one["ended"]) for one in told["workers"]}
    assert workers == {"here": (True, ""), "gone": (False, "Out of memory."), "silent": (False, "")}
    assert told["workers"][0]["lanes"] == "interactive,precompute"
    assert told["restarts"] == {"worker": 2}
