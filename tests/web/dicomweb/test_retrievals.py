"""Who has retrieved what is in the audit trail, and not once for each frame."""

from contextlib import closing

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from camlucida import pipeline
from camlucida.dicom.header import read_header
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.records import EventKind
from camlucida.records.role import Role
from camlucida.store.people import access_tokens
from camlucida.store.tables import EventRow, StudyRow
from camlucida.web.app import create_app
from camlucida.web.dicomweb import retrievals


@pytest.fixture
def home(new_home, tmp_path):
    with closing(new_home(tmp_path / "home")) as opened:
        yield opened


@pytest.fixture
def client(home):
    return TestClient(create_app(home), "http://127.0.0.1:8765")


@pytest.fixture
def film(home, tmp_path):
    """The addresses of a film's study and instance."""
    path = tmp_path / "film.dcm"
    write_radiograph(radiograph(8101, ("Nodule",), rows=64), path)
    assert not next(pipeline.take_in(home, pipeline.find([path]))).error
    header = read_header(path)
    study = f"/dicom-web/studies/{header.study_instance_uid}"
    return study, f"{study}/series/{header.series_instance_uid}/instances/{header.sop_instance_uid}"


@pytest.fixture
def named(home):
    """The headers of a program with a token of this name."""
    return lambda name: {"Authorization": f"Bearer {access_tokens.add(home, name, [Role.READER])}"}


def told(home):
    with home.database.read() as session:
        rows = session.execute(
            select(EventRow.who, EventRow.study_key, EventRow.view)
            .where(EventRow.kind == EventKind.RETRIEVED)
            .order_by(EventRow.id)
        )
        return [tuple(row) for row in rows]


def test_a_study_that_is_retrieved_in_many_requests_is_told_once_for_each_who(home, client, film, named):
    study, instance = film
    with home.database.read() as session:
        key = session.scalar(select(StudyRow.key))
    for who in ("ohif", "research"):
        headers = named(who)
        for path in (study, f"{instance}/frames/1", f"{instance}/rendered", f"{study}/metadata"):
            assert client.get(path, headers=headers).status_code == 200
    assert told(home) == [(who, key, {"by": "dicomweb"}) for who in ("ohif", "research")]


def test_after_ten_minutes_it_is_told_again(home, client, film, named, monkeypatch):
    headers, clock = named("ohif"), [1000.0]
    monkeypatch.setattr(retrievals, "monotonic", lambda: clock[0])
    for elapsed in (0, 599, 1, 300):
        clock[0] += elapsed
        assert client.get(film[0], headers=headers).status_code == 200
    assert len(told(home)) == 2


def test_a_search_and_what_is_not_there_are_no_retrieval(home, client, film, named):
    headers = named("ohif")
    found = client.get("/dicom-web/studies", headers=headers).json()
    assert film[0].endswith(found[0]["0020000D"]["Value"][0])
    assert client.get("/dicom-web/studies/1.2.3", headers=headers).status_code == 404
    assert told(home) == []


def test_what_cannot_be_written_down_is_not_given_out(home, film, named, monkeypatch):
    headers = named("ohif")
    client = TestClient(create_app(home), "http://127.0.0.1:8765", raise_server_exceptions=False)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(retrievals.events, "note", full)
    answer = client.get(film[0], headers=headers)
    assert answer.status_code >= 500
    monkeypatch.undo()
    assert client.get(film[0], headers=headers).status_code == 200
    assert len(told(home)) == 1


def test_of_many_only_the_last_are_remembered(home, monkeypatch):
    monkeypatch.setattr(retrievals, "MOST_KNOWN", 2)
    noted = retrievals.Retrievals()
    for study in ("1.1", "1.2", "1.3", "1.3", "1.1"):
        noted.note(home, "ohif", study)
    assert len(told(home)) == 4
