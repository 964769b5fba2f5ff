import re
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import httpx2
import numpy as np
import psutil
import pytest

from camlucida.images.read import read_image
from camlucida.models.registry import Registry
from camlucida.pacs.configuration import Listening
from waiting import until


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_what_is_kept_and_ends_cleanly(start, full_home, films, number):
    running = start("serve", "--home", full_home, "--port", 0)
    with running.signed_in() as browser:
        studies = browser.get("/api/studies").json()["studies"]
        assert [study["state"] for study in studies] == ["explained"] * 3
        assert all(study["phantom"] for study in studies)
        study = browser.get(f"/api/studies/{studies[-1]['key']}").json()
        (image,) = study["images"]
        pixels = browser.get(f"/api/images/{image['key']}/pixels").content
        assert pixels == read_image(films / "film-1.dcm").values.astype("<u2").tobytes()
        (explanation,) = image["explanations"]
        words = browser.get(f"/api/explanations/{explanation['key']}").json()
        values = browser.get(f"/api/explanations/{explanation['key']}/values").content
        shape = (2, *words["saliency_map"]["geometry"]["native_shape"])
        sums = np.frombuffer(values, "<f4").reshape(shape).sum(axis=(1, 2), dtype=np.float64)
        logits = np.add(words["saliency_map"]["bias"], sums)
        assert logits == pytest.approx(words["prediction"]["logits"], abs=1e-4)
    assert running.end(number) == 0
    assert "Traceback" not in running.said()
    assert "The station has ended." in running.said()
    assert not (full_home / "serving.json").exists()


def test_the_server_process_has_no_torch_in_it(start, full_home):
    running = start("serve", "--home", full_home, "--port", 0)
    with running.signed_in() as browser:
        browser.get("/api/studies")
        maps = Path(f"/proc/{running.process.pid}/maps")
        if not maps.is_file():
            pytest.skip("this system does not show what a process has loaded")
        assert "torch" not in maps.read_text()


def test_nothing_of_a_patient_nor_a_token_is_logged(start, full_home):
    running = start("--verbose", "serve", "--home", full_home, "--port", 0)
    with running.signed_in() as browser:
        study = browser.get("/api/studies").json()["studies"][0]
        browser.get(f"/api/studies/{study['key']}")
        browser.get("/api/nothing")
    token = running.link().partition("token=")[2]
    running.end()
    lines = [line for line in running.lines if not line.startswith("Open ")]
    logged = "".join(lines)
    assert "/studies" in logged  # it does log
    assert token not in logged
    assert study["patient_name"]
    assert study["patient_name"] not in logged
    assert study["patient_id"] not in logged


def test_a_taken_port_is_said_and_the_next_is_used(start, full_home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        running = start("serve", "--home", full_home, "--port", taken)
        assert f":{taken}/" not in running.link()
    running.end()
    assert f"Port {taken} is taken; this station listens on port" in running.said()


def test_a_new_link_for_a_running_station(start, run, full_home):
    running = start("serve", "--home", full_home, "--port", 0)
    with running.signed_in() as browser:
        assert browser.get("/api/about").status_code == 200
    first = running.link()
    done = run("serve", "--home", full_home, "--new-token")
    assert done.returncode == 0
    second = done.stdout.strip()
    assert second.partition("?")[0] == first.partition("?")[0]
    assert second != first
    with httpx2.Client(follow_redirects=True, timeout=120) as other:
        assert other.get(first).status_code == 403  # used
        assert other.get(second).status_code == 200


def test_an_address_that_others_reach_is_refused_in_a_sentence(run, full_home):
    done = run("serve", "--home", full_home, "--host", "0.0.0.0", "--port", 0)  # noqa: S104
    assert done.returncode == 1
    assert "CAMLUCIDA_PUBLIC_URL" in done.stderr
    assert "Traceback" not in done.stderr


def test_studies_that_came_before_the_model_are_explained_later(start, run, films, tmp_path, small_model):
    home = tmp_path / "later"
    run("import", films, "--home", home)
    Registry(home).add(small_model)
    assert "3 explanations computed" in run("import", "--home", home).stdout
    running = start("serve", "--home", home, "--port", 0)
    with running.signed_in() as browser:
        assert [s["state"] for s in browser.get("/api/studies").json()["studies"]] == ["explained"] * 3


def test_what_waits_is_said_where_nobody_works(start, full_home):
    with closing(sqlite3.connect(full_home / "camlucida.sqlite")) as database, database:
        database.execute("UPDATE explanations SET state = 'wanted' WHERE id < 3")
    running = start("serve", "--home", full_home, "--port", 0, "--no-work", "--no-dicom")
    running.link()
    assert not psutil.Process(running.process.pid).children()
    running.end()
    assert f"2 explanations waiting; `camlucida work --home {full_home}` computes them." in running.said()
    assert "DICOM: " not in running.said()


def test_what_has_failed_is_tried_again_by_the_next_station(start, full_home):
    with closing(sqlite3.connect(full_home / "camlucida.sqlite")) as database, database:
        database.execute("UPDATE explanations SET state = 'failed', attempts = 3 WHERE id < 3")
    running = start("serve", "--home", full_home, "--port", 0)
    with running.signed_in() as browser:
        until(lambda: states(browser) == {"explained"}, said=running.said)


def test_it_works_beside_and_takes_its_worker_with_it(start, full_home):
    with closing(sqlite3.connect(full_home / "camlucida.sqlite")) as database, database:
        database.execute("UPDATE explanations SET state = 'wanted' WHERE id < 3")
    running = start("serve", "--home", full_home, "--port", 0)
    with running.signed_in() as browser:
        until(lambda: states(browser) == {"explained"}, said=running.said)
    (worker,) = psutil.Process(running.process.pid).children()
    assert running.end() == 0
    assert not worker.is_running()
    assert running.said().splitlines()[-1] == "The station has ended."


def test_where_dicom_and_dicomweb_are_is_said_and_they_answer(start, full_home):
    running = start("serve", "--home", full_home, "--port", 0, "--dicom-port", 0, "--no-work")
    until(lambda: "Ctrl-C ends the station." in running.said(), said=running.said)  # its last line
    port = re.search(r"^DICOM: CAMLUCIDA at 127\.0\.0\.1:(\d+)$", running.said(), re.MULTILINE).group(1)
    echo = ["/usr/bin/echoscu", "-aec", "CAMLUCIDA", "127.0.0.1", port]
    assert subprocess.run(echo, check=False, timeout=120).returncode == 0  # noqa: S603 - dcmtk
    url = re.search(r"^DICOMweb: (http://\S+)$", running.said(), re.MULTILINE).group(1)
    assert httpx2.get(f"{url}/studies", timeout=120).status_code == 401
    assert running.end() == 0
    assert subprocess.run(echo, check=False, timeout=120, capture_output=True).returncode != 0  # noqa: S603


def test_a_taken_dicom_port_that_was_chosen_is_an_error(run, full_home):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        done = run("serve", "--home", full_home, "--port", 0, "--no-work", "--dicom-port", taken)
        assert done.returncode == 1
        assert "cannot be listened on" in done.stderr
        (full_home / "pacs.toml").write_text(f"[listen]\nport = {taken}\n")
        assert run("serve", "--home", full_home, "--port", 0, "--no-work").returncode == 1


def test_the_usual_dicom_port_may_be_taken(start, full_home):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(AssertionError):  # whoever keeps it for good will do as well
            until(
                lambda: listens(other, Listening().port), 60
            )  # a station of another test may be about to end
        running = start("serve", "--home", full_home, "--port", 0, "--no-work")
        running.link()
        running.end()
    assert f"Port {Listening().port} is taken, so nothing is received by C-STORE" in running.said()


def test_an_invalid_configuration_is_a_sentence(run, full_home):
    (full_home / "pacs.toml").write_text("[listen]\nprot = 1\n")
    done = run("serve", "--home", full_home, "--port", 0)
    assert done.returncode == 1
    assert "listen.prot: there is no such word" in done.stderr


def listens(taking, port):
    """Whether the socket listens now on a port that others may have."""
    with suppress(OSError):
        taking.bind(("127.0.0.1", port))
        taking.listen()
        return True
    return False


def states(browser):
    return {one["state"] for one in browser.get("/api/studies").json()["studies"]}
