"""Whoever we call or who calls us over TLS is known by a certificate, or refused in a sentence."""

import http.server
import ssl
import threading
from contextlib import contextmanager

import pytest
from pydicom import dcmread

from camlucida.errors import InvalidConfiguration, NotReached
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.pacs import dicomweb
from camlucida.pacs.configuration import DicomWeb, Dimse, Listening, Tls
from camlucida.pacs.probe import reach
from camlucida.pacs.receive import Receiver
from camlucida.pacs.send import send_to
from camlucida.pacs.verdict import Fate
from camlucida.store import deliveries, instances
from camlucida.store.tables import Origin
from certificates import Authority
from orthanc import HOST
from storescp import StoreScp


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ours") / "authority")


@pytest.fixture(scope="module")
def another(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("another") / "authority")


@pytest.fixture(scope="module")
def us(ours):
    """Our certificate, which all trust, and whom we trust."""
    certificate, key = ours.sign("camlucida")
    return Tls(certificate=certificate, key=key, authority=ours.certificate)


@pytest.fixture(scope="module")
def shown(ours, another):
    """What the other side may show, and the words with which we turn away; none: it is trusted."""
    return {
        "good": (ours.sign("pacs"), ""),
        "of another authority": (another.sign("stranger"), "is not trusted; `authority` names"),
        "for another name": (ours.sign("elsewhere", subject="DNS:pacs.example"), "is for another name"),
        "expired": (ours.sign("old", days=-1), "has expired"),
    }


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


CASES = ["good", "of another authority", "for another name", "expired"]


@pytest.mark.parametrize("case", CASES)
def test_a_receiver_of_ours_is_called_if_its_certificate_is_good(home, ours, us, shown, case):
    (certificate, key), words = shown[case]
    theirs = Tls(certificate=certificate, key=key, authority=ours.certificate)
    with Receiver(home, Listening(port=0, tls=theirs)) as receiver:
        node = Dimse(kind="dimse", ae_title="CAMLUCIDA", host=HOST, port=receiver.port, tls=us)
        if not words:
            assert reach(node) == "C-ECHO answers."
            return
        with pytest.raises(NotReached, match=words) as error:
            reach(node)
        assert str(error.value).startswith(f"CAMLUCIDA at {HOST}:{receiver.port} is not reached: its cert")


@pytest.mark.parametrize("case", CASES)
def test_dcmtk_gets_a_film_if_its_certificate_is_good(home, ours, us, shown, tmp_path, case):
    (certificate, key), words = shown[case]
    write_radiograph(radiograph(1, rows=64), tmp_path / "film.dcm")
    kept = instances.take(home, tmp_path / "film.dcm", Origin.IMPORTED)
    with home.database.write() as session:
        deliveries.want(session, kept.id, "SCP")
    tls = ["+tls", str(key), str(certificate), "+cf", str(ours.certificate), "+cf", str(us.certificate)]
    with StoreScp(tmp_path, options=tls) as scp:
        node = Dimse(kind="dimse", ae_title=scp.ae_title, host=HOST, port=scp.port, tls=us)
        (outcome,) = send_to(home, "SCP", node)
        assert outcome.fate is (Fate.LATER if words else Fate.KEPT)
        assert words in outcome.reason
        assert len(scp.received) == (not words)
    if not words:
        assert dcmread(scp.received[0]) == dcmread(tmp_path / "film.dcm")


def test_a_receiver_that_does_not_trust_us_says_so(home, another, us, shown):
    (certificate, key), _ = shown["good"]
    theirs = Tls(certificate=certificate, key=key, authority=another.certificate)
    with Receiver(home, Listening(port=0, tls=theirs)) as receiver:
        node = Dimse(kind="dimse", ae_title="CAMLUCIDA", host=HOST, port=receiver.port, tls=us)
        with pytest.raises(NotReached, match="check its TLS, and that it trusts our certificate"):
            reach(node)


def test_without_an_authority_the_system_s_are_trusted_and_no_others(home, ours, us, shown, monkeypatch):
    (certificate, key), _ = shown["good"]
    bare = us.model_copy(update={"authority": None})
    with Receiver(home, Listening(port=0, tls=Tls(certificate=certificate, key=key))) as receiver:
        node = Dimse(kind="dimse", ae_title="CAMLUCIDA", host=HOST, port=receiver.port, tls=bare)
        with pytest.raises(NotReached, match="is not trusted"):
            reach(node)
        monkeypatch.setenv("SSL_CERT_FILE", str(ours.certificate))  # where OpenSSL finds the system's
        assert reach(node) == "C-ECHO answers."


def test_tls_where_there_is_none_is_a_sentence(home, us):
    with Receiver(home, Listening(port=0)) as receiver:
        node = Dimse(kind="dimse", ae_title="CAMLUCIDA", host=HOST, port=receiver.port, tls=us)
        with pytest.raises(NotReached):
            reach(node)
        web = DicomWeb(kind="dicomweb", url=f"https://{HOST}:{receiver.port}")
        with pytest.raises(NotReached):
            reach(web)


def test_a_certificate_that_cannot_be_used_is_named(us, tmp_path):
    (tmp_path / "none.pem").write_text("nothing", "ascii")
    for wrong in ({"certificate": tmp_path / "none.pem"}, {"authority": tmp_path / "absent.pem"}):
        node = Dimse(kind="dimse", ae_title="A", host=HOST, port=1, tls=us.model_copy(update=wrong))
        with pytest.raises(InvalidConfiguration, match=f"A at {HOST}:1: the certificate .* cannot be used"):
            reach(node)


@contextmanager
def https(certificate, key):
    """A QIDO-RS server that knows of no study."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"[]")

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            """A client that turns away is what is tested."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server((HOST, 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"https://{HOST}:{server.server_port}/dicom-web"
        finally:
            server.shutdown()


@pytest.mark.parametrize("case", CASES)
def test_a_dicomweb_server_is_asked_if_its_certificate_is_good(ours, shown, case):
    (certificate, key), words = shown[case]
    with https(certificate, key) as url:
        server = DicomWeb(kind="dicomweb", url=url, authority=ours.certificate)
        if not words:
            assert dicomweb.search(server, "studies", {}) == []
            return
        with pytest.raises(NotReached, match=words):
            dicomweb.search(server, "studies", {})


def test_without_an_authority_no_own_certificate_of_a_dicomweb_server_is_trusted(shown):
    (certificate, key), _ = shown["good"]
    with https(certificate, key) as url, pytest.raises(NotReached, match="is not trusted"):
        dicomweb.search(DicomWeb(kind="dicomweb", url=url), "studies", {})
