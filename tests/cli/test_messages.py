import json

import pytest
import structlog

from camlucida.cli import messages
from camlucida.errors import UnknownModel
from camlucida.settings import settings


def test_an_error_is_one_line_on_stderr(capsys):
    messages.complain(UnknownModel("No [red]model[/red]\n  here."))
    captured = capsys.readouterr()
    assert captured.err == "Error: No [red]model[/red] here.\n"
    assert captured.out == ""


def test_an_error_without_text_says_its_kind(capsys):
    messages.complain(KeyboardInterrupt())
    assert capsys.readouterr().err == "Error: KeyboardInterrupt\n"


def test_results_go_to_stdout_and_are_not_wrapped(capsys):
    messages.say("word " * 60)
    assert capsys.readouterr().out == "word " * 60 + "\n"


def test_a_table_aligns_numbers_to_the_right(capsys):
    messages.table("", ("finding", "logit"), [("Mass [1]", "2.5"), ("Nodule", "-10.25")], right=1)
    shown = capsys.readouterr().out
    assert "\n Mass [1]    2.5 \n" in shown
    assert "\n Nodule   -10.25 \n" in shown


def test_the_progress_bar_is_on_stderr_and_gone_when_done(capsys):
    with messages.progress() as bar:
        for _ in bar.track(range(3), description="Explaining"):
            pass
    assert capsys.readouterr().out == ""


def test_logs_are_warnings_unless_more_is_asked_for(capsys):
    messages.log_to_stderr(verbose=False)
    structlog.get_logger().info("explained", image="a1")
    structlog.get_logger().warning("slow", seconds=3)
    captured = capsys.readouterr()
    assert "explained" not in captured.err
    assert "slow" in captured.err
    assert captured.out == ""
    messages.log_to_stderr(verbose=True)
    structlog.get_logger().info("explained", image="a1")
    assert "explained" in capsys.readouterr().err
    structlog.reset_defaults()


TRAP = "A\x1b]0;title\x07\x1b[2J\x9b31m\u202eB\rC"
HARMLESS = "A�]0;title��[2J�31m�B�C"


@pytest.mark.parametrize(
    "told",
    [
        messages.say,
        messages.note,
        messages.complain,
        lambda text: messages.table(text, (text,), [(text,)]),
        lambda text: messages.table("", ("heading",), [(f"{text}\nmore",)], lines=True),
        lambda text: messages.facts(text, [(text, text)]),
    ],
    ids=["say", "note", "complain", "table", "table with headings", "facts"],
)
def test_what_others_have_written_moves_no_cursor(told, capsys):
    told(TRAP)
    shown = "".join(capsys.readouterr())
    assert HARMLESS in shown
    assert not set("\x1b\x07\x9b\u202e\r") & set(shown)


def test_a_logged_value_is_one_line_and_moves_no_cursor(capsys):
    messages.log_to_stderr(verbose=False)
    structlog.get_logger().warning("refused", sender=f"EVIL\n2026 [error] {TRAP}")
    said = capsys.readouterr().err
    structlog.reset_defaults()
    assert HARMLESS in said
    assert said.count("\n") == 1
    assert not set("\x1b\x07\x9b\u202e\r") & set(said)


def test_logs_for_programs_are_one_object_a_line(capsys, monkeypatch):
    monkeypatch.setenv("CAMLUCIDA_LOG_FORMAT", "json")
    settings.cache_clear()
    messages.log_to_stderr(verbose=False)
    structlog.get_logger().warning("slow", seconds=3, place="a\nb")
    settings.cache_clear()
    structlog.reset_defaults()
    told = json.loads(capsys.readouterr().err)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"event": "slow", "level": "warning", "seconds": 3, "place": "a b"}
