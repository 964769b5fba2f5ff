# ruff: noqa: S314 - the messages are our own
import re
import socket
import ssl
import threading
from contextlib import closing, contextmanager
from xml.etree import ElementTree as ET

import pytest

from camlucida.errors import NotReached
from camlucida.pacs.audit_keeper import AuditKeeper, begin, forward
from camlucida.pacs.syslog import Address
from camlucida.records import EventKind
from camlucida.settings import settings
from camlucida.store.audit import events
from camlucida.store.tables import CheckpointRow, ForwardedRow
from certificates import Authority
from orthanc import free_port
from waiting import until

HEADER = re.compile(
    rb"<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ camlucida \d+ DICOM\+RFC3881 - \xef\xbb\xbf"
)


class Server:
    """Takes what comes by TCP or TLS, cut as RFC 6587 counts it."""

    def __init__(self, context=None):
        self.messages = []
        self._context = context
        self.port = free_port()  # nobody else's, either, once it is closed
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            try:
                self._read(self._context.wrap_socket(taken, server_side=True) if self._context else taken)
            except OSError:
                taken.close()

    def _read(self, connection):
        with connection, connection.makefile("rb") as stream:
            while count := b"".join(iter(lambda: stream.read(1).strip(), b"")):
                self.messages.append(stream.read(int(count)))

    def close(self):
        if not self._thread.is_alive():
            return
        self._listening.shutdown(socket.SHUT_RDWR)  # it wakes the thread that waits
        self._listening.close()
        self._thread.join(120)


@pytest.fixture
def home(new_home, tmp_path):
    with closing(new_home(tmp_path / "home")) as opened:
        yield opened


@pytest.fixture
def server():
    with closing(Server()) as running:
        yield running


def tell(home, who="ann", number=1):
    with home.database.write() as session:
        for _ in range(number):
            events.note(session, EventKind.SIGNED_IN, who)


def users(messages):
    return [ET.fromstring(HEADER.sub(b"", one)).find("ActiveParticipant").get("UserID") for one in messages]


@contextmanager
def waiting_for(server, number):
    yield
    until(lambda: len(server.messages) >= number, said=lambda: f"{len(server.messages)} messages of {number}")


def test_a_new_server_is_told_of_what_happens_from_now_on_and_nothing_twice(home, server):
    address = Address("tcp", "127.0.0.1", server.port)
    tell(home, "before")
    begin(home, address)
    tell(home, "ann")
    with waiting_for(server, 1):
        assert forward(home, address) == 1
    begin(home, address)
    tell(home, "bob")
    with waiting_for(server, 2):
        assert forward(home, address) == 1
    assert users(server.messages) == ["ann", "bob"]
    assert all(HEADER.match(one) for one in server.messages)


def test_what_a_server_misses_is_sent_when_it_is_back(home, server):
    address = Address("tcp", "127.0.0.1", server.port)
    begin(home, address)
    server.close()
    tell(home, "ann")
    with pytest.raises(NotReached, match=r"tcp://127.0.0.1:\d+ cannot be reached .*comes later"):
        forward(home, address)
    with closing(Server()) as again:
        back = Address("tcp", "127.0.0.1", again.port)
        with home.database.write() as session:
            session.get(
                ForwardedRow, f"tcp://127.0.0.1:{server.port}"
            ).destination = f"tcp://127.0.0.1:{again.port}"
        with waiting_for(again, 1):
            assert forward(home, back) == 1
        assert users(again.messages) == ["ann"]


def test_one_datagram_is_one_message(home):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.settimeout(120)
        address = Address.read(f"udp://127.0.0.1:{taken.getsockname()[1]}")
        begin(home, address)
        tell(home, "ann")
        forward(home, address)
        assert users([taken.recv(65536)]) == ["ann"]


def test_by_tls_only_a_server_whose_certificate_is_good_is_told(home, tmp_path, monkeypatch):
    authority = Authority(tmp_path / "authority")
    certificate, key = authority.sign("server")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with closing(Server(context)) as server:
        address = Address.read(f"tls://127.0.0.1:{server.port}")
        begin(home, address)
        tell(home, "ann")
        with pytest.raises(NotReached, match="certificate"):
            forward(home, address)
        monkeypatch.setenv("CAMLUCIDA_AUDIT_SYSLOG_CA", str(authority.certificate))
        settings.cache_clear()
        try:
            with waiting_for(server, 1):
                forward(home, address)
        finally:
            monkeypatch.undo()
            settings.cache_clear()
        assert users(server.messages) == ["ann"]


def test_a_keeper_tells_its_start_what_happens_and_its_end_and_signs_the_trail(home, server):
    keeper = AuditKeeper(home, url=f"tcp://127.0.0.1:{server.port}")
    keeper.start()
    tell(home, "ann")
    with waiting_for(server, 3):
        keeper.stop(120)
    assert users(server.messages) == ["station", "ann", "station"]
    with home.database.read() as session:
        assert session.query(CheckpointRow).one().size == 1


def test_of_two_servers_over_one_store_one_tells_what_happens_and_the_other_takes_over(home, server):
    one, two = (AuditKeeper(home, url=f"tcp://127.0.0.1:{server.port}") for _ in range(2))
    one.start()
    two.start()
    with waiting_for(server, 3):
        tell(home, "ann", 1)
    with waiting_for(server, 4):
        one.stop(120)
    with waiting_for(server, 6):
        tell(home, "bob", 1)
        two.stop(120)
    assert sorted(users(server.messages)) == ["ann", "bob", *["station"] * 4]


def test_a_keeper_whose_server_is_gone_stands_in_nobodys_way(home, server):
    server.close()
    keeper = AuditKeeper(home, url=f"tcp://127.0.0.1:{server.port}")
    keeper.start()
    tell(home, "ann")
    keeper.stop(120)
    with home.database.read() as session:
        assert events.count(session) == 1
