import subprocess
import sys
from types import ModuleType

import pytest
import typer
from typer.testing import CliRunner

from camlucida.cli.commands import COMMANDS, app, load
from camlucida.errors import UnknownModel

runner = CliRunner()


def replace_command(monkeypatch, name, function):
    """Puts a function in the place of a command's module."""
    module = ModuleType(f"camlucida.cli.{COMMANDS[name].module}")
    module.app = typer.Typer(add_completion=False)
    module.app.command()(function)
    monkeypatch.setitem(sys.modules, module.__name__, module)


def one_line(text):
    return " ".join(text.split())


def test_help_lists_every_command_with_its_line_and_its_example():
    text = one_line(runner.invoke(app, ["--help"], env={"COLUMNS": "200"}).stdout)
    for name, entry in COMMANDS.items():
        assert f"{name} " in text
        assert entry.help in text
        assert entry.example in text
    assert "Research software, not a medical device." in text


def test_help_answers_fast_and_without_the_heavy_packages():
    script = (
        "import sys; sys.argv = ['camlucida', '--help']\n"
        "from camlucida.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'torch', 'pydicom', 'fastapi', 'numpy', 'sqlalchemy', 'pydantic', 'structlog'}\n"
        "import time\n"
        "print('LOADED', sorted(heavy & set(sys.modules)), code, time.process_time())\n"
    )
    result = subprocess.run(  # noqa: S603
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded, _, seconds = result.stdout.strip().splitlines()[-1].rpartition(" ")
    assert loaded == "LOADED [] 0"
    assert float(seconds) < 2  # 0.2 s; of the processor's time, as a busy machine lets it wait for any time


def test_an_error_of_camlucida_is_one_line_on_stderr_and_exit_code_1(monkeypatch):
    def fail():
        raise UnknownModel("No model is called “x”;\nadd it.")

    replace_command(monkeypatch, "explain", fail)
    result = runner.invoke(app, ["explain"])
    assert result.exit_code == 1
    assert result.stderr == "Error: No model is called “x”; add it.\n"
    assert result.stdout == ""


def test_a_missing_file_is_named(monkeypatch, tmp_path):
    def fail():
        (tmp_path / "gone").read_text()

    replace_command(monkeypatch, "explain", fail)
    result = runner.invoke(app, ["explain"])
    assert result.exit_code == 1
    assert result.stderr == f"Error: No such file or directory: {tmp_path / 'gone'}\n"


def test_a_fault_of_ours_names_its_place_and_not_its_text(monkeypatch):
    said = "PatientName Doe^Jane"

    def fail():
        raise ZeroDivisionError(said)

    replace_command(monkeypatch, "explain", fail)
    result = runner.invoke(app, ["explain"])
    assert result.exit_code == 1
    assert "ZeroDivisionError at test_commands.py:" in result.stderr
    assert "Doe" not in result.stderr
    assert "Traceback" not in result.stderr
    details = runner.invoke(app, ["--verbose", "explain"]).stderr
    assert 'test_commands.py", line' in details
    assert "Doe" not in details


def test_an_exit_code_chosen_by_a_command_is_kept(monkeypatch):
    def leave():
        raise typer.Exit(3)

    replace_command(monkeypatch, "explain", leave)
    assert runner.invoke(app, ["explain"]).exit_code == 3


def test_a_command_whose_extra_is_not_installed_says_what_to_install(monkeypatch):
    class Refuse:
        def find_spec(self, name, path=None, target=None):  # noqa: ARG002
            if name == "camlucida.cli.serve":
                raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")

    monkeypatch.delitem(sys.modules, "camlucida.cli.serve", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Refuse(), *sys.meta_path])
    result = runner.invoke(app, ["serve"])
    assert result.exit_code == 1
    assert "uvicorn" in result.stderr
    assert "pip install 'camlucida[station]'" in result.stderr


def test_a_mistyped_command_is_answered_with_the_nearest_one():
    result = runner.invoke(app, ["modles"])
    assert result.exit_code == 2
    assert "models" in one_line(result.stderr)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_and_an_example(name):
    result = runner.invoke(app, [name, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert COMMANDS[name].example in one_line(result.stdout)
    assert "--install-completion" not in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_a_group_has_an_example_of_its_own(name):
    for word, command in getattr(load(name), "commands", {}).items():
        assert command.help
        assert f"Example: camlucida {name} {word}" in (command.epilog or "")


def test_version_is_said():
    result = runner.invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("camlucida ")
