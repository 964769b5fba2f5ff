"""Studies come from a real PACS; nothing of a patient is said."""

import subprocess

import pytest
from pydicom import dcmread

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.store import instances
from camlucida.store.home import Home
from cli.conftest import COMMAND
from forked import ENVIRONMENT
from orthanc import HOST


@pytest.fixture
def archive(orthanc, tmp_path):
    """An Orthanc with a study and its prior, and a home that knows it."""
    for number, date in ((1, "20240101"), (2, "20230101")):
        write_radiograph(radiograph(number, rows=32), tmp_path / "film.dcm")
        data = dcmread(tmp_path / "film.dcm")
        data.StudyInstanceUID, data.PatientID, data.PatientName = f"1.2.{number}", "SECRET", "SECRET^NAME"
        data.AccessionNumber, data.StudyDate = f"A{number}", date
        data.save_as(tmp_path / "film.dcm")
        orthanc.put(tmp_path / "film.dcm")
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "pacs.toml").write_text(
        f'[destination.web]\nkind = "dicomweb"\nurl = "{orthanc.dicomweb_url}"\n'
        f'[destination.archive]\nkind = "dimse"\nae_title = "ORTHANC"\nhost = "{HOST}"\n'
        f"port = {orthanc.dicom_port}\n"
    )
    return folder


def kept(folder):
    home = Home.open(folder)
    with home.database.read() as session:
        found = [len(instances.of_study(session, uid)) for uid in ("1.2.1", "1.2.2")]
    home.close()
    return found


@pytest.mark.parametrize("source", ["web", "archive"])
def test_a_study_and_its_prior_come(run, archive, source):
    done = run("fetch", "--from", source, "--accession", "A1", "--priors", 3, "--home", archive)
    assert done.returncode == 0, done.stderr
    assert "2 new fetched, 0 failed." in done.stdout
    assert kept(archive) == [1, 1]
    assert "SECRET" not in done.stdout + done.stderr


def test_a_dry_run_fetches_nothing(run, archive):
    done = run("fetch", "--from", "web", "--study", "1.2.1", "--dry-run", "--home", archive)
    assert done.returncode == 0, done.stderr
    assert "DX" in done.stdout
    assert kept(archive) == [0, 0]


def test_a_patient_is_named_on_stdin(archive):
    words = ["fetch", "--from", "archive", "--query", "-", "--home", str(archive)]
    done = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, *words],
        input='patient-id = "SECRET"\n',
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert kept(archive) == [1, 1]


def test_what_is_not_there_and_what_is_no_query_are_sentences(run, archive, tmp_path):
    done = run("fetch", "--from", "web", "--patient-id", "NOBODY", "--home", archive)
    assert (done.returncode, done.stderr.strip()) == (1, "Error: web has no such study.")
    done = run("fetch", "--from", "web", "--home", archive)
    assert "is needed" in done.stderr
    (tmp_path / "query.toml").write_text("patient-id = SECRET")
    done = run("fetch", "--from", "web", "--query", tmp_path / "query.toml", "--home", archive)
    assert "is not TOML" in done.stderr
    assert "SECRET" not in done.stderr
