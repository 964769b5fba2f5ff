"""What the commands about a user's data have in common."""

import pytest

from camlucida.cli import data_options


def test_who_stops_a_run_is_told_that_it_goes_on(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt), data_options.going_on(tmp_path) as kept:
        raise KeyboardInterrupt
    said = " ".join(capsys.readouterr().err.split())
    assert "goes on from there" in said
    assert kept.name in said


def test_a_run_that_ends_says_nothing_of_it(tmp_path, capsys):
    with data_options.going_on(tmp_path):
        pass
    assert capsys.readouterr().err == ""
