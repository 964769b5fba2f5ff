import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.records import EventKind, Flag, FlagReason, Region
from camlucida.store import explanations, studies
from camlucida.store.audit.replay import replay, seen_at
from camlucida.store.explanations import CurrentModel
from camlucida.store.remarks import flags
from camlucida.store.tables import EventRow

MODEL = "a" * 64
VIEW = {"viewer": "camlucida", "map": "1", "finding": "1"}


@pytest.fixture
def flagged(new_home, tmp_path, make_image, make_explanation):
    """A home with two flags on one film."""
    opened = new_home(tmp_path / "home")
    (tmp_path / "film.dcm").write_bytes(b"film")
    studies.keep(opened, [make_image()], [tmp_path / "film.dcm"])
    explanations.set_current_models(opened, [CurrentModel(MODEL, "chest", "1")])
    with opened.database.write() as session:
        (image,) = explanations.unseen(session, MODEL, "grad-cam")
        explanations.want(session, image.id, MODEL, "grad-cam")
    with opened.database.read() as session:
        (identifier,) = explanations.waiting(session, MODEL)
    explanations.keep(opened, identifier, make_explanation())
    region = Region(0, 0, ((10.0, 10.0), (10.0, 20.0), (30.0, 20.0)))
    for reason in (FlagReason.SHORTCUT, FlagReason.WRONG_PLACE):
        flags.keep(opened, identifier, Flag("Finding 1", reason, "", VIEW, "ada", region=region))
    yield opened
    opened.close()


@pytest.fixture
def camlucida(flagged):
    def run(*words):
        result = CliRunner().invoke(
            app, [*map(str, words), "--home", str(flagged.folder)], env={"COLUMNS": "200"}
        )
        return result.exit_code, " ".join(result.output.split())

    return run


def test_flags_are_listed_resolved_and_counted(camlucida):
    code, said = camlucida("flags", "list", "--state", "open")
    assert code == 0
    assert "shortcut or device" in said
    assert "chest@1 Finding 1 2 0 0 0 0" in said
    code, said = camlucida("flags", "resolve", 1, "--outcome", "not a fault", "--reason", "A shadow.")
    assert (code, said) == (0, "Flag 1: not a fault.")
    _, said = camlucida("flags", "list", "--state", "open")
    assert "shortcut or device" not in said
    assert "chest@1 Finding 1 1 0 1 0 0" in said


def test_a_resolution_that_does_not_fit_is_said_in_one_line(camlucida):
    code, said = camlucida("flags", "resolve", 1, "--outcome", "repaired", "--reason", "so")
    assert code == 1
    assert "names the model" in said


def test_masks_are_written_and_the_keys_only_elsewhere(camlucida, tmp_path):
    code, said = camlucida("flags", "export", "--to", tmp_path / "out", "--keys", tmp_path / "out" / "k.csv")
    assert code == 1
    assert "outside" in said
    code, said = camlucida("flags", "export", "--to", tmp_path / "out", "--keys", tmp_path / "keys.csv")
    assert code == 0, said
    assert "2 flags on 1 image, 1 mask" in said
    assert (tmp_path / "keys.csv").is_file()


def test_a_flag_s_picture_is_written(camlucida, flagged, tmp_path):
    with flagged.database.read() as session:
        number = session.scalar(select(func.min(EventRow.id)).where(EventRow.kind == EventKind.FLAGGED))
    code, said = camlucida("audit", "replay", number, "--out", tmp_path / "seen.png")
    assert code == 0, said
    assert "Explanation SHA-256" in said
    assert (tmp_path / "seen.png").read_bytes() == replay(flagged, seen_at(flagged, str(number))).png()
    code, said = camlucida("audit", "replay", 99, "--out", tmp_path / "none.png")
    assert (code, (tmp_path / "none.png").exists()) == (1, False)
