"""Debian's Orthanc as a process of the test's own: a real PACS, with DIMSE and DICOMweb.

    with Orthanc(tmp_path / "orthanc", modalities={"CAMLUCIDA": port}) as orthanc:
        orthanc.ae_title, orthanc.dicom_port, orthanc.dicomweb_url ...

Orthanc 1.10 listens on all addresses and cannot be told otherwise, so it is told to serve this machine alone:
HTTP refuses other addresses, and DIMSE takes only associations of known AE titles that come from loopback.
"""

import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

HOST = "127.0.0.1"
PROGRAM = "/usr/sbin/Orthanc"
PORTS_OF_LISTENERS = 20_000, 32_000  # below those that Linux takes for outgoing calls
WORKERS = 16  # that run tests side by side, at most, without sharing ports
_given: set[int] = set()
CALLERS = ("CAMLUCIDA", "STORESCU", "FINDSCU", "MOVESCU", "GETSCU", "ECHOSCU")  # ours, and dcmtk's own titles


def free_port() -> int:
    """A port that nobody listens on, nor will soon: never one given before, none of those of outgoing calls.

    What the system hands out for port 0 may be handed out again, to a neighbour or to the same caller, before
    anybody listens there.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = range(*PORTS_OF_LISTENERS)[worker % WORKERS :: WORKERS]
    for port in random.SystemRandom().sample(own, len(own)):  # hypothesis seeds the usual one
        with suppress(OSError), socket.socket() as trying:
            trying.bind((HOST, port))
            if port not in _given:
                _given.add(port)
                return port
    raise AssertionError("no port is free")


def wait_for_port(host: str, port: int, seconds: float = 120) -> None:
    """Until somebody listens there."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection((host, port), 10):
            return
        time.sleep(0.02)
    raise AssertionError(f"nobody listens on {host}:{port}")


def dicomweb_plugin() -> Path:
    """Where the package orthanc-dicomweb has put its plugin."""
    listed = subprocess.run(
        ["/usr/bin/dpkg", "-L", "orthanc-dicomweb"], capture_output=True, text=True, check=True
    )
    return next(Path(line) for line in listed.stdout.splitlines() if "libOrthancDicomWeb.so" in line)


class Orthanc:
    """A running Orthanc; its storage, ports and AE title outlive a stop or a crash.

    `modalities` are the nodes it knows beside dcmtk's, AE title and port on loopback: who may call it, and
    where a C-MOVE may send to. `options` are words of its configuration (https://orthanc.uclouvain.be/book).
    """

    def __init__(
        self,
        folder: Path,
        *,
        ae_title: str = "ORTHANC",
        modalities: Mapping[str, int] | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.http_port, self.dicom_port = free_port(), free_port()
        self.modalities = {**dict.fromkeys(CALLERS, 104), **(modalities or {})}
        self.options = dict(options or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        return f"{self.url}/dicom-web"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()  # a stop takes seconds, and the folder goes with the test

    def start(self, seconds: float = 240) -> None:
        """Start, also after a stop or a crash, and wait until it answers both ways."""
        assert self._process is None, "Orthanc is running already"
        (self.folder / "storage").mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self._configuration()), "utf-8")
        with (self.folder / "log.txt").open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, configuration], stdout=log, stderr=log)  # noqa: S603
        until = time.monotonic() + seconds
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise AssertionError(f"Orthanc did not start:\n{self.log()[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as its service would be ended; it finishes what it is doing."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop and start, on the same ports and the same storage."""
        self.stop()
        self.start()

    def log(self) -> str:
        """What it has said since its first start."""
        return (self.folder / "log.txt").read_text("utf-8", errors="replace")

    def client(self, **options: object) -> httpx2.Client:
        """An HTTP client of its REST API (`/instances`, `/dicom-web/studies`, …)."""
        return httpx2.Client(base_url=self.url, timeout=240, **options)

    def stored(self) -> list[str]:
        """SOP Instance UIDs of all that it keeps, in no order, as often as it keeps them."""
        with self.client() as client:
            found = client.get("/instances", params={"expand": ""}).raise_for_status().json()
        return [one["MainDicomTags"]["SOPInstanceUID"] for one in found]

    def file(self, sop_instance_uid: str) -> bytes:
        """A kept instance as the Part 10 file that it stored."""
        with self.client() as client:
            keys = client.post("/tools/lookup", content=sop_instance_uid).raise_for_status().json()
            path = next(key["Path"] for key in keys if key["Type"] == "Instance")
            return client.get(f"{path}/file").raise_for_status().content

    def put(self, path: Path) -> None:
        """Have it keep a DICOM file, as if a modality had sent it."""
        with self.client() as client:
            client.post("/instances", content=path.read_bytes()).raise_for_status()

    def clear(self) -> None:
        """Have it forget all patients."""
        with self.client() as client:
            for key in client.get("/patients").json():
                client.delete(f"/patients/{key}").raise_for_status()

    def _end(self, with_signal: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(with_signal)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _answers(self) -> bool:
        try:
            with self.client() as client, socket.create_connection((HOST, self.dicom_port), 10):
                return client.get("/dicom-web/studies", params={"limit": 1}).status_code in {200, 401}
        except (httpx2.HTTPError, OSError):
            return False

    def _configuration(self) -> dict[str, object]:
        storage = str(self.folder / "storage")
        return {
            "Name": "Orthanc of a test",
            "StorageDirectory": storage,
            "IndexDirectory": storage,
            "TemporaryDirectory": storage,
            "Plugins": [str(dicomweb_plugin())],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Host": f"{HOST}:{self.http_port}"},
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "HttpDescribeErrors": True,
            "DicomAet": self.ae_title,
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": False,
            "DicomCheckModalityHost": True,
            "DicomAlwaysAllowEcho": False,
            "DicomAlwaysAllowStore": False,
            "DicomAlwaysAllowFind": False,
            "DicomAlwaysAllowGet": False,
            "DicomAlwaysAllowMove": False,
            "UnknownSopClassAccepted": True,  # label map segmentations
            "DicomModalities": {title: _modality(title, port) for title, port in self.modalities.items()},
            "StableAge": 1,
            "SaveJobs": False,
            "HttpThreadsCount": 8,
            **self.options,
        }


def _modality(title: str, port: int) -> dict[str, object]:
    allowed = dict.fromkeys(
        ("AllowEcho", "AllowFind", "AllowGet", "AllowMove", "AllowStore", "AllowStorageCommitment"), True
    )
    return {"AET": title, "Host": HOST, "Port": port, **allowed}
