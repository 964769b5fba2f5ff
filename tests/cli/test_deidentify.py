"""`camlucida deidentify`: copies in a folder, refusals told, keys that give the same again."""

import shutil
import stat
from contextlib import closing

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from sqlalchemy import select
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.store.home import Home
from camlucida.store.tables import StudyRow

runner = CliRunner()


@pytest.fixture
def study(tmp_path, films):
    """Three films in a folder with a text beside them."""
    folder = tmp_path / "study"
    shutil.copytree(films, folder)
    (folder / "notes.txt").write_text("no DICOM")
    return folder


def deidentify(*words):
    return runner.invoke(app, ["deidentify", *map(str, words)], env={"COLUMNS": "200"})


def copies(folder):
    return sorted(folder.rglob("*.dcm"))


def test_a_folder_is_copied_without_identity(tmp_path, study):
    done = deidentify(study, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert done.stdout == "3 copies without identity, 0 refused.\n"
    found = [dcmread(path) for path in copies(tmp_path / "out")]
    assert len(found) == 3
    assert all(copy.PatientIdentityRemoved == "YES" for copy in found)
    assert not any(b"PHANTOM-" in path.read_bytes() for path in copies(tmp_path / "out"))
    assert all(b"PHANTOM-" in path.read_bytes() for path in study.glob("*.dcm"))


def test_the_command_runs_as_a_program(tmp_path, study, run):
    done = run("deidentify", study, "-o", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("3 copies")


def test_refusals_are_told_with_their_reason_and_the_others_are_done(tmp_path, study):
    shutil.copy(str(get_testdata_file("SC_rgb.dcm", download=False)), study / "photo.dcm")
    done = deidentify(study, study / "notes.txt", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "3 copies without identity, 2 refused." in done.stdout
    assert "photo.dcm: it is a Secondary Capture" in done.stderr
    assert "--pixels-checked" in done.stderr
    assert "notes.txt: this is not a DICOM file." in done.stderr
    again = deidentify(study, "--out", tmp_path / "all", "--pixels-checked")
    assert (again.exit_code, len(copies(tmp_path / "all"))) == (0, 4)


def test_a_key_gives_the_same_copies_again_and_no_key_others(tmp_path, study):
    key = tmp_path / "secret"
    for out in ("one", "two"):
        assert deidentify(study, "--out", tmp_path / out, "--key", key).exit_code == 0
    assert deidentify(study, "--out", tmp_path / "three").exit_code == 0
    one, two, three = (
        {p.name: p.read_bytes() for p in copies(tmp_path / o)} for o in ("one", "two", "three")
    )
    assert one == two
    assert not set(one) & set(three)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o644)
    refused = deidentify(study, "--out", tmp_path / "four", "--key", key)
    assert refused.exit_code == 1
    assert "chmod 600" in refused.stderr
    assert not (tmp_path / "four").exists()


def test_what_is_to_be_kept_is_kept(tmp_path, study):
    key = tmp_path / "secret"
    key.write_text("61" * 32, "ascii")  # any other might move a date of January by a day only
    key.chmod(0o600)
    words = ["--retain", "modified-dates", "--retain", "patient-characteristics", "--key", key]
    assert deidentify(study, "--out", tmp_path / "out", *words).exit_code == 0
    copy, source = dcmread(copies(tmp_path / "out")[0]), dcmread(study / "film-1.dcm")
    assert copy.PatientAge
    assert "1900" < copy.StudyDate[:4] < source.StudyDate[:4]
    assert deidentify(study, "--out", tmp_path / "x", "--retain", "everything").exit_code == 2


def test_a_folder_without_dicom_is_told(tmp_path):
    done = deidentify(tmp_path, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "no DICOM file" in done.stderr
    assert not (tmp_path / "out").exists()


def test_printed_letters_are_noted(tmp_path):
    file = str(get_testdata_file("mlut_18.dcm", download=False))
    done = deidentify(file, "--out", tmp_path / "out", "--pixels-checked")
    assert done.exit_code == 0
    assert "a line of letters" in done.stderr


@pytest.fixture
def home(tmp_path, imported):
    return shutil.copytree(imported, tmp_path / "home")


def studies_of(home):
    with closing(Home.open(home)) as opened, opened.database.read() as session:
        return list(session.scalars(select(StudyRow.key)))


@pytest.mark.slow
def test_an_export_is_without_identity_when_told_so(tmp_path, home):
    words = ["export", *studies_of(home), "--home", home, "--profile", "research", "--originals"]
    plain = runner.invoke(app, [*map(str, words), "--out", str(tmp_path / "plain")])
    done = runner.invoke(app, [*map(str, words), "--out", str(tmp_path / "shared"), "--deidentify"])
    assert (plain.exit_code, done.exit_code) == (0, 0), plain.output + done.output
    before, after = copies(tmp_path / "plain"), copies(tmp_path / "shared")
    assert len(after) == len(before) > 3
    assert any(b"PHANTOM-" in path.read_bytes() for path in before)
    found = [dcmread(path) for path in after]
    assert not any(b"PHANTOM-" in path.read_bytes() for path in after)
    assert all(one.PatientIdentityRemoved == "YES" for one in found)
    instances = {str(one.SOPInstanceUID) for one in found}
    referenced = {
        str(element.value)
        for one in found
        for element in one.iterall()
        if element.keyword == "ReferencedSOPInstanceUID"
    }
    assert referenced
    assert referenced <= instances


def test_options_of_sharing_need_to_share(tmp_path, home):
    done = runner.invoke(
        app,
        [
            "export",
            studies_of(home)[0],
            "--home",
            str(home),
            "--out",
            str(tmp_path / "out"),
            "--pixels-checked",
        ],
    )
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()
