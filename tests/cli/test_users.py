import pytest
from typer.testing import CliRunner

from camlucida.cli.users import app
from camlucida.store.home import Home
from camlucida.store.people import passwords, users, visits

runner = CliRunner()
GOOD = "kite-orbit-fennel\n"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `camlucida users …` over one home."""
    monkeypatch.setattr(passwords, "hash_of", lambda password: f"hash of {password}")

    def run(*words, said=None):
        return runner.invoke(app, [*words, "--home", str(tmp_path)], input=said, env={"COLUMNS": "200"})

    return run


def kept(folder):
    home = Home.open(folder)
    try:
        return {row.name: (row.password, row.roles, row.disabled) for row in users.all_users(home)}
    finally:
        home.close()


def test_users_are_added_listed_changed_and_disabled(run, tmp_path):
    assert run("add", "eva", "scientist", "reader", said=GOOD).exit_code == 0
    assert kept(tmp_path) == {"eva": ("hash of kite-orbit-fennel", ["reader", "scientist"], False)}
    assert run("roles", "eva", "auditor").exit_code == 0
    assert run("password", "eva", said="plum-quartz-wicket\r\n").exit_code == 0
    assert "0 browsers signed out" in run("disable", "eva").output
    assert kept(tmp_path) == {"eva": ("hash of plum-quartz-wicket", ["auditor"], True)}
    assert [word for word in ("eva", "auditor", "no") if word not in run("list").stdout] == []
    assert run("enable", "eva").exit_code == 0
    assert kept(tmp_path)["eva"][2] is False


def test_who_is_signed_in_is_said_and_ended(run, tmp_path):
    run("add", "eva", "reader", said=GOOD)
    home = Home.open(tmp_path)
    visits.use_token(home, visits.new_token(home))
    home.close()
    assert "browser" in run("signed-in").stdout
    assert "no user" in str(run("sign-out", "evva").exception)
    assert "1 browser signed out" in run("sign-out").output
    assert "browser" not in run("signed-in").stdout


@pytest.mark.parametrize("said", ["", "short\n", "password12345\n"])
def test_a_weak_or_missing_password_adds_nobody(run, tmp_path, said):
    assert run("add", "eva", "reader", said=said).exit_code == 1
    assert kept(tmp_path) == {}


def test_a_password_is_no_argument_and_a_role_is_one_of_five(run):
    assert run("add", "eva", "reader", "kite-orbit-fennel").exit_code == 2
    assert run("add", "eva", said=GOOD).exit_code == 2


def test_without_a_store_there_is_nothing_to_list(tmp_path):
    answer = runner.invoke(app, ["list", "--home", str(tmp_path / "none")])
    assert answer.exit_code == 1
    assert not (tmp_path / "none").exists()
