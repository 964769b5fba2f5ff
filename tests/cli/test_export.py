from pathlib import Path

import pytest
from pydicom import dcmread
from sqlalchemy import select

from camlucida.store.home import Home
from camlucida.store.tables import StudyRow


@pytest.fixture
def study(full_home) -> StudyRow:
    """One of the three explained studies."""
    home = Home.open(full_home)
    with home.database.read() as session:
        found = session.scalars(select(StudyRow).order_by(StudyRow.id)).first()
    home.close()
    return found


def files(folder: Path) -> dict[str, str]:
    """Names below the folder, and their Modality."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): dcmread(path).Modality for path in found}


def test_results_and_originals_are_written_under_names_without_a_patient(run, full_home, study, tmp_path):
    out = tmp_path / "out"
    done = run("export", study.key[:8], "--out", out, "--originals", "--home", full_home)
    assert done.returncode == 0, done.stderr
    found = files(out)
    folder = study.key[:12]
    assert found[f"{folder}/SR-1.dcm"] == "SR"
    assert found[f"{folder}/original-0001.dcm"] == "DX"
    assert all(name.startswith(f"{folder}/") for name in found)
    for name in found:
        assert dcmread(out / name).StudyInstanceUID == study.study_instance_uid
        assert f" {Path(name).name} " in done.stdout
    assert f"Written to {folder}/" in done.stdout
    said = done.stdout + done.stderr + "".join(found)
    assert not any(word in said for word in (study.patient_id, study.patient_name, study.study_instance_uid))


def test_a_dry_run_says_the_same_and_writes_nothing(run, full_home, study, tmp_path):
    words = ("export", study.accession_number, "--profile", "research", "--home", full_home)
    dry = run(*words, "--out", tmp_path / "dry", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert not (tmp_path / "dry").exists()
    real = run(*words, "--out", tmp_path / "real")
    assert dry.stdout.startswith("Would be written")
    assert dry.stdout.splitlines()[1:] == real.stdout.splitlines()[1:]
    kinds = {Path(name).name.partition("-")[0] for name in files(tmp_path / "real")}
    assert {"SR", "PM"} <= kinds
    assert all(kind in dry.stdout for kind in kinds)


def test_a_finding_that_is_named_is_written(run, full_home, study, tmp_path):
    out = tmp_path / "out"
    words = ("export", study.study_instance_uid, "--out", out, "--home", full_home)
    done = run(*words, "--finding", "pneumothorax")
    assert done.returncode == 0, done.stderr
    assert "SC-1-pneumothorax.dcm" in {Path(name).name for name in files(out)}
    unknown = run(*words, "--finding", "Fracture")
    assert unknown.returncode == 1
    assert "No model says anything of “Fracture”" in unknown.stderr
    assert "Pneumothorax" in unknown.stderr


def test_a_study_that_is_not_there_is_a_sentence_without_the_name(run, full_home, tmp_path):
    done = run("export", "Doe^Jane", "--out", tmp_path / "out", "--home", full_home)
    assert done.returncode == 1
    assert "No study here has this key" in done.stderr
    assert "Doe" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_study_without_explanations_is_a_sentence(run, films, tmp_path):
    run("import", films / "film-1.dcm", "--home", tmp_path / "home")
    accession = dcmread(films / "film-1.dcm").AccessionNumber
    done = run("export", accession, "--out", tmp_path / "out", "--home", tmp_path / "home")
    assert done.returncode == 1
    assert "Nothing of this study is explained yet" in done.stderr
