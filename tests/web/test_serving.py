import socket
import ssl
import threading

import httpx2
import pytest
import uvicorn

from camlucida.errors import InvalidSetting, StoreError
from camlucida.settings import settings
from camlucida.store.home import Home
from camlucida.web import serving
from camlucida.web.app import create_app
from certificates import Authority
from waiting import until


@pytest.fixture
def taken():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_taken_port_leads_to_the_next_free_one(taken):
    address = serving.listen("127.0.0.1", taken)
    with address.listening as bound:
        port = bound.getsockname()[1]
    assert taken < port <= taken + serving.PORTS_TO_TRY
    assert address.url == f"http://127.0.0.1:{port}"


def test_port_0_takes_any():
    with serving.listen("127.0.0.1", 0).listening as bound:
        assert bound.getsockname()[1] > 0


def test_small_answers_do_not_wait_for_acknowledgements():
    """asyncio sets TCP_NODELAY only on sockets whose protocol says TCP."""
    with serving.listen("127.0.0.1", 0).listening as bound:
        assert bound.proto == socket.IPPROTO_TCP


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.20", "::", "station.example"])  # noqa: S104
def test_an_address_that_others_reach_is_refused_with_the_cure(host):
    with pytest.raises(StoreError, match=r"listen on 127\.0\.0\.1.*CAMLUCIDA_PUBLIC_URL"):
        serving.listen(host, 0)


def test_behind_a_proxy_it_is_taken(monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_PUBLIC_URL", "https://camlucida.example")
    settings.cache_clear()
    try:
        serving.listen("0.0.0.0", 0).listening.close()  # noqa: S104
    finally:
        monkeypatch.undo()
        settings.cache_clear()


@pytest.mark.parametrize("url", ["http://camlucida.example", "camlucida.example", "https://a/b"])
def test_a_public_address_without_encryption_is_no_setting(monkeypatch, url):
    monkeypatch.setenv("CAMLUCIDA_PUBLIC_URL", url)
    settings.cache_clear()
    try:
        with pytest.raises(InvalidSetting, match="PUBLIC_URL"):
            settings()
    finally:
        monkeypatch.undo()
        settings.cache_clear()


@pytest.fixture
def encrypted(tmp_path, monkeypatch):
    """Settings with a certificate for this machine."""
    certificate, key = Authority(tmp_path / "authority").sign(
        "station", subject="IP:127.0.0.1,DNS:scan.example"
    )
    monkeypatch.setenv("CAMLUCIDA_TLS_CERTIFICATE", str(certificate))
    monkeypatch.setenv("CAMLUCIDA_TLS_KEY", str(key))
    settings.cache_clear()
    yield certificate.parent / "authority.pem"
    monkeypatch.undo()
    settings.cache_clear()


def test_with_a_certificate_it_listens_for_others_and_speaks_https_only(tmp_path, encrypted):
    home = Home.open(tmp_path / "home")
    address = serving.listen("0.0.0.0", 0)  # noqa: S104
    port = address.listening.getsockname()[1]
    assert address.url.startswith("https://")
    config = uvicorn.Config(create_app(home), log_level="critical", lifespan="off", **serving._tls())
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [address.listening]})
    thread.start()
    try:
        asking = {"verify": ssl.create_default_context(cafile=encrypted), "timeout": 300}
        answer = httpx2.get(f"https://127.0.0.1:{port}/api/me", **asking)
        assert answer.status_code == 401
        assert answer.headers["strict-transport-security"]
        named = httpx2.get(f"https://127.0.0.1:{port}/", headers={"host": "scan.example"}, **asking)
        assert named.status_code == 401  # it is this station, and nobody is signed in
        other = httpx2.get(f"https://127.0.0.1:{port}/", headers={"host": "evil.example"}, **asking)
        assert other.status_code == 421
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(f"http://127.0.0.1:{port}/", timeout=300)
    finally:
        server.should_exit = True
        thread.join()
        home.close()


@pytest.mark.usefixtures("encrypted")
def test_a_key_that_does_not_belong_to_the_certificate_is_a_sentence(tmp_path, monkeypatch):
    _, key = Authority(tmp_path / "another").sign("station")
    monkeypatch.setenv("CAMLUCIDA_TLS_KEY", str(key))
    settings.cache_clear()
    with pytest.raises(StoreError, match="belong together"):
        serving._tls()


def test_no_screen_means_no_browser_and_no_fault(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(serving.webbrowser, "open", lambda link: pytest.fail(f"opened {link}"))
    monkeypatch.setattr(serving.sys, "platform", "linux")
    serving.open_browser("http://127.0.0.1/")


def test_a_browser_that_fails_is_no_fault(monkeypatch):
    def fail(_link):
        raise serving.webbrowser.Error

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(serving.webbrowser, "open", fail)
    serving.open_browser("http://127.0.0.1/")


def goes_on(slow):
    try:
        slow.sendall(b"A: 1\r\n")
    except OSError:
        return False
    return True


def test_a_client_that_never_ends_its_headers_does_not_hold_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(serving, "HEADER_SECONDS", 0.3)
    home = Home.open(tmp_path / "home")
    address = serving.listen("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(create_app(home), log_level="critical", lifespan="off", http=serving.Impatient)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [address.listening]})
    thread.start()
    try:
        for first in (b"", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            with socket.create_connection(address.listening.getsockname()) as slow:
                slow.sendall(first + b"GET / HTTP/1.1\r\n")
                until(lambda: not goes_on(slow))
    finally:
        server.should_exit = True
        thread.join()
        home.close()
