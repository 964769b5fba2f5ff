import subprocess
import sys

import pytest

from camlucida.store.turn import Turn, is_taken, turn

HOLD = """
import sys, time
from pathlib import Path
from camlucida.store.turn import turn
from camlucida.store.home import Home
with turn(Home.open(Path(sys.argv[1])), lambda seconds: True) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path)
    yield opened
    opened.close()


def give_up(_seconds):
    return True


def test_whoever_has_the_turn_keeps_it_and_it_goes_with_a_killed_process(home):
    other = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", HOLD, home.folder], stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "True\n"
        assert is_taken(home)
        with turn(home, give_up) as mine:
            assert not mine
        waited = []

        def wait(seconds):
            waited.append(seconds)
            other.kill()
            other.wait()
            return len(waited) > 50

        with turn(home, wait) as mine:
            assert mine
        assert waited
    with turn(home, give_up) as mine:
        assert mine
    assert not is_taken(home)


def test_a_turn_that_is_ours_stays_ours_until_it_is_released(home):
    one, other, else_where = Turn(home, "a"), Turn(home, "a"), Turn(home, "b")
    assert one.take()
    assert one.take()
    assert not other.take()
    assert else_where.take()
    one.release()
    assert other.take()
    for each in (other, else_where):
        each.release()
