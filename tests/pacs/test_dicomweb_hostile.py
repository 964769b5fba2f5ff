"""A DICOMweb server that we ask may answer anything: it ends in a sentence, within time, memory and disk."""

import gzip
import http.server
import threading
import time
import tracemalloc
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from camlucida.errors import FileTooLarge, NotReached
from camlucida.pacs import dicomweb
from camlucida.pacs import fetch as fetching
from camlucida.pacs.configuration import DicomWeb, Listening
from camlucida.pacs.fetch import fetch
from camlucida.pacs.search import Query, Study, find_studies, series_of
from orthanc import HOST

STUDY = Study("1.2.1", "P1", "A1", "20240105", "", ("DX",), None)
MULTIPART = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=x'}
GZIP = {"Content-Encoding": "gzip"}
MILLION = 1_000_000
PART = b"--x\r\nContent-Type: application/dicom\r\n\r\n"


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@contextmanager
def answering(pieces, headers, status=200):
    """A server that answers each GET with these pieces until we hang up; and the paths and headers it saw."""
    came = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            came.append((self.path, dict(self.headers)))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for piece in pieces():
                    self.wfile.write(piece)
            except OSError:  # they have hung up: that is what we hope for
                pass

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield DicomWeb(kind="dicomweb", url=f"http://{HOST}:{server.server_port}/dicom-web"), came
        finally:
            server.shutdown()


@contextmanager
def within(seconds, most_bytes):
    begun = time.monotonic()
    tracemalloc.start()
    yield
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert time.monotonic() - begun < seconds
    assert peak < most_bytes


def packed(first, piece, number):
    """A gzip file of many members: a thousandth of what it becomes."""
    return lambda: [gzip.compress(first) + gzip.compress(piece) * number]


def for_ever(first, piece):
    def pieces():
        end = time.monotonic() + 600  # a number of pieces may have gone by sooner than anybody loses patience
        yield first
        while time.monotonic() < end:
            yield piece

    return pieces


@pytest.mark.parametrize(
    ("pieces", "headers"),
    [
        (packed(b"[", b" " * MILLION, 200), GZIP),
        (for_ever(b"[", b"{}," * 20_000), {}),
        (for_ever(b"", b"[" * 100_000), {}),
        (lambda: [b"[" * 100_000], {}),
        (lambda: [b'[{"0020000D": 3}, 4]'], {}),
        (lambda: [b"not gzip"], GZIP),
    ],
    ids=["a gzip bomb", "no end", "no end of depth", "deep", "no data set", "broken gzip"],
)
def test_a_search_that_is_answered_with_too_much_or_nonsense(pieces, headers, monkeypatch):
    monkeypatch.setattr(dicomweb, "JSON_BYTES", 2_000_000)
    with answering(pieces, headers) as (server, _), within(200, 20_000_000), pytest.raises(NotReached):
        dicomweb.search(server, "studies", {})


def test_a_page_of_hundred_thousands_is_cut_off():
    with (
        answering(lambda: [b"[", b"{}," * 400_000, b"{}]"], {}) as (server, _),
        within(200, 200_000_000),
    ):
        assert len(dicomweb.search(server, "studies", {}, most=200)) <= 200


def test_what_is_answered_leads_to_no_other_address():
    nonsense = b'[{"0020000D":{"vr":"UI","Value":["../../etc"]},"0020000E":{"vr":"UI","Value":["1/../2"]}}]'
    with answering(lambda: [nonsense], {}) as (server, came):
        assert find_studies(server, Query(accession_number="A1")) == []
        assert series_of(server, "1.2.1") == []
        assert all(".." not in path for path, _ in came)


def test_a_token_does_not_follow_a_redirect(monkeypatch):
    monkeypatch.setenv("PACS_TOKEN", "s3cret")
    with answering(lambda: [b"[]"], {}) as (elsewhere, came):
        leads = {"Location": f"{elsewhere.url}/studies"}
        with answering(list, leads, 307) as (server, asked):
            sent = server.model_copy(update={"token_variable": "PACS_TOKEN"})
            with pytest.raises(NotReached, match="sends us elsewhere"):
                dicomweb.search(sent, "studies", {})
            with pytest.raises(NotReached, match="sends us elsewhere"):
                list(dicomweb.retrieve(sent, "studies/1.2.1", None))
    assert [one["Authorization"] for _, one in asked] == ["Bearer s3cret"] * 2
    assert came == []


def left(home):
    return [path for path in home.folder.rglob("*") if path.is_file() and path.suffix == ".dcm"]


@pytest.mark.parametrize(
    ("pieces", "more"),
    [(packed(PART, bytes(MILLION), 100), GZIP), (for_ever(PART, bytes(60_000)), {})],
    ids=["a gzip bomb", "no end"],
)
def test_an_instance_that_is_too_large_leaves_nothing_on_the_disk(home, monkeypatch, pieces, more):
    headers = MULTIPART | more
    monkeypatch.setattr(dicomweb, "settings", lambda: SimpleNamespace(max_file_bytes=MILLION))
    with answering(pieces, headers) as (server, _), within(200, 20_000_000), pytest.raises(FileTooLarge):
        list(fetch(home, server, STUDY, Listening(port=0), name="PACS"))
    assert left(home) == []


def test_parts_without_an_end_are_no_more_than_the_most(home, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_INSTANCES", 20)
    with (
        answering(for_ever(b"", PART + b"nonsense\r\n"), MULTIPART) as (server, _),
        pytest.raises(NotReached, match="more than"),
    ):
        list(fetch(home, server, STUDY, Listening(port=0), name="PACS"))
    assert left(home) == []


@pytest.mark.parametrize(
    "pieces",
    [
        for_ever(b"--x\r\n", b"X-More: more\r\n" * 1000),
        for_ever(b"--x\r\nX-Long: ", b"long" * 10_000),
        for_ever(PART + b"x\r\n--x--\r\n", b"epilogue" * 1000),
    ],
    ids=["headers", "one header", "an epilogue"],
)
def test_what_is_no_instance_does_not_go_on_for_ever(home, monkeypatch, pieces):
    monkeypatch.setattr(dicomweb, "INSTANCE_SECONDS", 1.0)
    with answering(pieces, MULTIPART) as (server, _), within(200, 20_000_000), pytest.raises(NotReached):
        list(fetch(home, server, STUDY, Listening(port=0), name="PACS"))
    assert left(home) == []
