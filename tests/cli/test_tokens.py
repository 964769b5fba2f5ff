import pytest
from typer.testing import CliRunner

from camlucida.cli.tokens import app
from camlucida.records.role import Role
from camlucida.store.home import Home
from camlucida.store.people import access_tokens

runner = CliRunner()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def tokens(folder):
    """Runs `camlucida tokens …` over one home."""

    def run(*words):
        return runner.invoke(app, [*words, "--home", str(folder)], env={"COLUMNS": "200"})

    return run


def found(folder, token):
    home = Home.open(folder)
    try:
        return access_tokens.find(home, token)
    finally:
        home.close()


def test_a_token_is_told_once_and_opens_the_station_until_it_is_revoked(tokens, folder):
    added = tokens("add", "ohif", "--may-store", "--days", "90")
    assert added.exit_code == 0, added.output
    token = added.stdout.split()[0]
    assert found(folder, token) == ("ohif", {Role.READER, Role.OPERATOR})
    listed = tokens("list").stdout
    assert "ohif" in listed
    assert "reader operator" in listed
    assert token not in listed
    assert tokens("revoke", "ohif").exit_code == 0
    assert found(folder, token) is None
    assert "ohif" not in tokens("list").stdout


def test_a_token_reads_only_and_lives_for_ever_unless_told(tokens, folder):
    token = tokens("add", "pacs").stdout.split()[0]
    assert found(folder, token) == ("pacs", {Role.READER})
    assert "never" in tokens("list").stdout
    assert "not yet" not in tokens("list").stdout  # it was used just now


def test_through_the_command_line_a_wrong_name_is_a_sentence(run, tmp_path):
    home = tmp_path / "home"
    assert run("tokens", "add", "ohif", "--home", home).returncode == 0
    again = run("tokens", "add", "ohif", "--home", home)
    assert again.returncode == 1
    assert "There is a token “ohif” already" in again.stderr
    unknown = run("tokens", "revoke", "nobody", "--home", home)
    assert unknown.returncode == 1
    assert "camlucida tokens list" in unknown.stderr
    nowhere = run("tokens", "list", "--home", tmp_path / "nowhere")
    assert nowhere.returncode == 1
    assert not (tmp_path / "nowhere").exists()
