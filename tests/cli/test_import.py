import signal
import sqlite3
from contextlib import closing
from functools import partial

import numpy as np
import pytest

import deadly
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.store import explanations
from camlucida.store.home import Home


def ask(home, question):
    with closing(sqlite3.connect(home / "camlucida.sqlite", timeout=30)) as database:
        return database.execute(question).fetchall()


def test_studies_are_taken_in_and_explained(run, home, films):
    done = run("import", films, "--home", home)
    assert done.returncode == 0, done.stderr
    assert "3 new images, 0 known already, 0 refused." in done.stdout
    assert "3 explanations computed, 0 not." in done.stdout
    assert ask(home, "SELECT count(*) FROM predictions") == [(6,)]


def test_the_same_files_again_are_known(run, full_home, films):
    again = run("import", films, films / "film-1.dcm", "--home", full_home)
    assert again.returncode == 0
    assert "0 new images, 3 known already, 0 refused." in again.stdout
    assert "computed" not in again.stdout
    assert ask(full_home, "SELECT count(*) FROM images") == [(3,)]


def test_a_broken_file_is_one_line_and_the_others_are_done(run, home, films, tmp_path):
    broken = tmp_path / "broken.dcm"
    broken.write_bytes((films / "film-1.dcm").read_bytes()[:3000])
    done = run("import", broken, films, tmp_path / "absent.png", "--home", home)
    assert done.returncode == 1
    assert "3 new images, 0 known already, 2 refused." in done.stdout
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error:")]
    assert len(errors) == 2
    assert "broken.dcm" in errors[0]
    assert "absent.png" in errors[1]
    assert "Traceback" not in done.stderr


def test_without_a_model_the_studies_are_kept_and_the_user_is_told(run, films, tmp_path):
    done = run("import", films, "--home", tmp_path / "empty")
    assert done.returncode == 0
    assert "No model is registered" in done.stderr
    assert ask(tmp_path / "empty", "SELECT count(*) FROM images") == [(3,)]


def test_an_unknown_model_is_a_sentence(run, home, films):
    done = run("import", films, "--model", "nobody", "--home", home)
    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def eight(tmp_path):
    """A folder with eight very small films."""
    folder = tmp_path / "films"
    folder.mkdir()
    for seed in range(8):
        write_radiograph(radiograph(seed, rows=48), folder / f"{seed}.dcm")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    "where", ["camlucida.saliency.explain:explain", "camlucida.store.predictions:keep"]
)  # the latter in the middle of a transaction, after the map was written
def test_kill_9_while_explaining_loses_nothing_and_doubles_nothing(run, home, eight, where):
    """Stopped in the middle as hard as it goes; the next start does the rest, and only the rest."""
    killed = run("import", eight, "--home", home, first=partial(deadly.at_call, 4, where, signal.SIGKILL))
    assert killed.returncode == -signal.SIGKILL
    before = dict(ask(home, "SELECT key, digest FROM explanations WHERE state = 'done'"))
    assert len(before) == 3

    again = run("import", "--home", home)
    assert again.returncode == 0, again.stderr
    assert "5 explanations computed, 0 not." in again.stdout
    after = dict(ask(home, "SELECT key, digest FROM explanations WHERE state = 'done'"))
    assert len(after) == 8
    assert {key: after[key] for key in before} == before
    assert ask(home, "SELECT count(*) FROM predictions") == [(16,)]
    opened = Home.open(home)
    for digest in after.values():
        assert np.isfinite(explanations.load(opened, digest).saliency_map.values).all()
    opened.close()


@pytest.mark.parametrize(
    ("where", "kept"),
    [
        ("camlucida.pipeline:_take_in", [(3, 0)]),
        ("camlucida.saliency.explain:explain", [(8, 3)]),
    ],
)
def test_ctrl_c_ends_an_import_without_a_traceback(run, home, eight, where, kept):
    done = run("import", eight, "--home", home, first=partial(deadly.at_call, 3, where, signal.SIGINT))
    assert done.returncode == 130, done.stderr
    assert "goes on from here" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    explained = "SELECT count(*) FROM explanations WHERE state = 'done'"
    assert ask(home, f"SELECT count(*), ({explained}) FROM images") == kept  # noqa: S608


def test_help_names_what_it_takes(run):
    done = run("import", "--help")
    assert done.returncode == 0
    for word in ("DICOM", "--model", "--home"):
        assert word in done.stdout
