import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from camlucida.store.turn import turn
from camlucida.web import health
from camlucida.web.app import create_app


@pytest.fixture
def ready(station, monkeypatch):
    """What the station says now, asked by anybody; nothing of before is remembered."""
    monkeypatch.setattr(health, "LOOK_AGAIN", -1.0)

    def ask(app=station.app):
        station.app = app
        return station.client().get("/readyz")

    return ask


def test_a_process_that_answers_lives(station):
    assert station.client().get("/healthz", headers={"host": "10.1.2.3:80"}).json() == {"status": "lives"}


def test_a_station_is_ready_when_all_that_it_needs_is_there(ready):
    answer = ready()
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    assert set(answer.json()) == {"status", "database", "blobs", "disk"}


def test_a_full_disk_is_told_with_the_cure(ready, monkeypatch):
    nearly_full = shutil._ntuple_diskusage(10**12, 10**12 - 10**8, 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: nearly_full)
    answer = ready()
    assert answer.status_code == 503
    assert answer.json()["disk"].startswith("Only 0.1 GB are free, less than 0.5 GB; make room")


def test_a_folder_that_cannot_be_written_to_is_told(station, ready):
    shutil.rmtree(station.home.folder / "blobs" / "parts")
    answer = ready()
    assert answer.status_code == 503
    assert "cannot be written to" in answer.json()["blobs"]
    assert answer.json()["database"].startswith("revision ")


def test_a_database_that_does_not_answer_is_told_without_its_address(station, ready, monkeypatch):
    def gone():
        raise OSError("postgresql://secret:password@db.hospital/station")

    monkeypatch.setattr(type(station.home.database), "read", lambda _: gone())
    answer = ready()
    assert answer.status_code == 503
    assert answer.json()["database"] == "It does not answer (OSError); the server's log may say more."


def test_a_database_that_a_newer_server_has_brought_on_is_told(station, ready):
    with station.home.database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "start this server again" in ready().json()["database"]


def test_a_server_that_was_started_to_work_is_ready_when_its_worker_lives(station, ready):
    app = create_app(station.home, works=True)
    answer = ready(app)
    assert answer.status_code == 503
    assert "No worker lives" in answer.json()["worker"]
    with turn(station.home, lambda _: True):
        assert ready(app).json()["worker"] == "lives"


def test_many_who_ask_cause_one_look(station, monkeypatch):
    monkeypatch.setattr(health, "LOOK_AGAIN", 3600.0)
    first = station.client().get("/readyz")
    shutil.rmtree(station.home.folder / "blobs" / "parts")
    assert station.client().get("/readyz").json() == first.json()
    Path(station.home.folder / "blobs" / "parts").mkdir()
