"""A radiology department asks: do results come to where we look, whatever happens on the way?

A modality sends; the station, a real process with a real worker, explains by rule; the results go to the PACS
by C-STORE and to an archive by STOW-RS. The worker is killed in the middle, and the archive is down at first.
"""

import os
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import httpx2
import psutil
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.registry import Registry, shipped_models
from orthanc import Orthanc
from waiting import until

CONFIGURATION = """
[listen]
port = 0
quiet_seconds = 0.5

[destination.pacs]
kind = "dimse"
ae_title = "{pacs.ae_title}"
host = "127.0.0.1"
port = {pacs.dicom_port}

[destination.archive]
kind = "dicomweb"
url = "{archive.dicomweb_url}"

[[rule]]
name = "legs"
body_part = ["*LEG*", "KNEE"]
not_for_us = "No model here knows legs."

[[rule]]
name = "films"
modality = ["DX", "CR"]
models = ["phantom-radiograph"]
send_to = ["pacs", "archive"]
"""
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"


class Station:
    """`camlucida serve` as a process; ended by its number."""

    def __init__(self, home: Path) -> None:
        self.home = home
        command = [sys.executable, "-m", "camlucida.cli", "--verbose", "serve", "--home", home, "--port", "0"]
        self.process = subprocess.Popen(  # noqa: S603 - our own command
            [str(word) for word in command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "".join(self.lines)

    def dicom_port(self) -> str:
        return until(lambda: re.search(r"DICOM: CAMLUCIDA at 127.0.0.1:(\d+)", self.said)).group(1)

    def worker(self) -> psutil.Process:
        """The process that computes."""
        return until(lambda: psutil.Process(self.process.pid).children())[0]

    def ask(self, question: str) -> list[tuple]:
        with closing(sqlite3.connect(self.home / "camlucida.sqlite", timeout=30)) as database:
            return database.execute(question).fetchall()

    def end(self) -> int:
        self.process.terminate()
        code = self.process.wait(120)
        self._reader.join(10)
        self.process.stdout.close()
        return code


def run(*command: object) -> str:
    done = subprocess.run(  # noqa: S603 - dcmtk, and files of ours
        [str(word) for word in command], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def films(tmp_path):
    """A phantom film, RG1 (a real chest radiograph) and RG3 (a leg)."""
    write_radiograph(radiograph(7102, ("Effusion",), rows=300), tmp_path / "film.dcm")
    real = [Path(str(get_testdata_file(f"{name}_UNCR.dcm", download=False))) for name in ("RG1", "RG3")]
    leg = dcmread(real[1])
    leg.BodyPartExamined = "LEG"
    leg.save_as(tmp_path / "leg.dcm")
    return [tmp_path / "film.dcm", real[0], tmp_path / "leg.dcm"]


@pytest.fixture
def pacs(tmp_path):
    with Orthanc(tmp_path / "pacs", ae_title="PACS") as running:
        yield running


@pytest.fixture
def archive(tmp_path):
    """Not running yet."""
    made = Orthanc(tmp_path / "archive", ae_title="ARCHIVE")
    yield made
    made.kill()


@pytest.fixture
def station(tmp_path, pacs, archive):
    home = tmp_path / "home"
    Registry(home).add(shipped_models()["phantom-radiograph"])
    (home / "pacs.toml").write_text(CONFIGURATION.format(pacs=pacs, archive=archive), "utf-8")
    running = Station(home)
    yield running
    running.process.kill()
    running.process.wait()
    running.process.stdout.close()


@pytest.mark.slow
def test_results_come_back_to_the_pacs_and_the_archive_whatever_happens(station, pacs, archive, films):
    run("/usr/bin/storescu", "-aec", "CAMLUCIDA", "127.0.0.1", station.dicom_port(), *films)

    until(lambda: station.ask("SELECT 1 FROM orders"))  # read, and wanted
    station.worker().kill()
    until(lambda: station.ask("SELECT count(*) FROM orders WHERE state = 'done'") == [(4,)], seconds=300)

    results = station.ask("SELECT sop_instance_uid, sop_class_uid FROM instances WHERE origin = 'result'")
    uids = {uid for uid, _ in results}
    kinds = [kind for _, kind in results]
    assert len(uids) == len(results)
    assert kinds.count(COMPREHENSIVE_3D_SR) == 2
    assert kinds.count(SECONDARY_CAPTURE) >= 1
    until(lambda: set(pacs.stored()) == uids)
    archive.start()
    until(lambda: set(archive.stored()) == uids)
    until(lambda: not station.ask("SELECT 1 FROM deliveries WHERE state != 'sent'"))
    for node in (pacs, archive):
        assert sorted(node.stored()) == sorted(uids)
        for uid, digest in station.ask(
            "SELECT sop_instance_uid, digest FROM instances WHERE origin = 'result'"
        ):
            kept = station.home / "blobs" / "sha256" / digest[:2] / digest
            assert dcmread(kept) == dcmread(_file(node, uid, station.home))
    assert station.ask("SELECT intent, reason FROM instances WHERE header LIKE '%\"LEG\"%'") == [
        ("not for us", "No model here knows legs.")
    ]

    study = str(dcmread(films[0]).StudyInstanceUID)
    found = run(
        "/usr/bin/findscu", "-S", "-aec", "PACS", "127.0.0.1", pacs.dicom_port,
        "-k", "QueryRetrieveLevel=SERIES", "-k", f"StudyInstanceUID={study}", "-k", "Modality",
        "-k", "SeriesInstanceUID",
    )  # fmt: skip
    assert {"OT", "SR"} <= set(re.findall(r"CS \[(\w+) *\]", found))
    with httpx2.Client(base_url=archive.dicomweb_url) as client:
        series = client.get(f"/studies/{study}/series").raise_for_status().json()
    assert {one["00080060"]["Value"][0] for one in series} == {"OT", "SR"}

    assert station.end() == 0
    assert not psutil.pid_exists(station.process.pid)
    _names_nobody(station.said, films, uids)


def _file(node: Orthanc, uid: str, home: Path) -> Path:
    path = home.parent / "back.dcm"
    path.write_bytes(node.file(uid))
    return path


def _is_said(word: str, said: str) -> bool:
    """A number is found by chance within a digest or a time of day: it counts where it stands alone."""
    return word in said if not word.isdecimal() else bool(re.search(rf"(?<![\w.]){word}(?!\w)", said))


def _names_nobody(said: str, films: list[Path], uids: set[str]) -> None:
    """What was logged holds no name, no number and no UID; and it did log."""
    assert "instance received" in said
    assert "a process has ended" in said
    assert "Traceback" not in said
    for film in films:
        header = dcmread(film, stop_before_pixels=True)
        words = [str(header.PatientID), str(header.StudyInstanceUID), str(header.SOPInstanceUID)]
        words += str(header.PatientName).replace("^", " ").split()
        assert not [word for word in words if len(word) > 3 and _is_said(word, said)]
    assert not [uid for uid in uids if uid in said]
