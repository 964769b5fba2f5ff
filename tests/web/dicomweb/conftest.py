"""A station that listens on a real port, with clients as they are in the field."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import data_store
import httpx2
import pytest
import requests
import uvicorn
from dicomweb_client import DICOMwebClient

from camlucida.dicom.header import read_header
from camlucida.errors import CamlucidaError
from camlucida.records.role import Role
from camlucida.store.home import Home
from camlucida.store.instances import take
from camlucida.store.people import access_tokens
from camlucida.store.tables import Intent, Origin
from camlucida.web.app import create_app
from camlucida.web.serving import listen

REAL = Path(data_store.__file__).parent / "data"


class Served:
    """A home that is served, and its address."""

    def __init__(self, home: Home, url: str) -> None:
        self.home, self.url = home, url
        self.token = access_tokens.add(home, "tests", [Role.READER, Role.OPERATOR])
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def dicomweb(self) -> DICOMwebClient:
        session = requests.Session()
        session.headers.update(self.headers)
        session.trust_env = False
        return DICOMwebClient(f"{self.url}/dicom-web", session=session)

    @contextmanager
    def http(self) -> Iterator[httpx2.Client]:
        """A client without more than its token; no browser."""
        with httpx2.Client(base_url=self.url, headers=self.headers, timeout=240, trust_env=False) as client:
            yield client


@contextmanager
def serving(home: Home) -> Iterator[str]:
    address = listen("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(create_app(home), access_log=False, log_level="critical", lifespan="off")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [address.listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield address.url
    finally:
        server.should_exit = True
        thread.join(120)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    home = Home.open(tmp_path_factory.mktemp("served") / "home")
    with serving(home) as url:
        yield Served(home, url)
    home.close()


@pytest.fixture(scope="module")
def real_files() -> dict[str, Path]:
    """The real files that are DICOM instances: those with their four UIDs, one for each SOP Instance UID."""
    found: dict[str, Path] = {}
    for path in sorted(REAL.glob("*.dcm")):
        try:
            found.setdefault(read_header(path).sop_instance_uid, path)
        except CamlucidaError:
            continue
    return {path.name: path for path in found.values()}


@pytest.fixture
def put():
    """Keeps files in a home as if they had been imported."""

    def put_in(home: Home, *paths: Path) -> None:
        for path in paths:
            take(home, path, Origin.IMPORTED, intent=Intent.TAKEN)

    return put_in


@pytest.fixture(scope="session")
def send():
    """Stores contents by STOW-RS, each as a part; the answer."""

    def send_to(served: Served, *contents: bytes, path: str = "/studies", **headers: str) -> httpx2.Response:
        parts = [b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n" + content for content in contents]
        content_type = 'multipart/related; type="application/dicom"; boundary=b'
        with served.http() as http:
            return http.post(
                f"/dicom-web{path}",
                content=b"".join(parts) + b"\r\n--b--\r\n",
                headers={"Content-Type": content_type, **headers},
            )

    return send_to
