import subprocess
import sys

from camlucida.jobs.turn import turn

HOLD = """
import sys, time
from pathlib import Path
from camlucida.jobs.turn import turn
with turn(Path(sys.argv[1]), lambda seconds: True) as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def give_up(_seconds):
    return True


def test_whoever_has_the_turn_keeps_it_and_it_goes_with_a_killed_process(tmp_path):
    other = subprocess.Popen(  # noqa: S603 - our own code
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "True\n"
        with turn(tmp_path, give_up) as mine:
            assert not mine
        waited = []

        def wait(seconds):
            waited.append(seconds)
            other.kill()
            other.wait()
            return len(waited) > 50

        with turn(tmp_path, wait) as mine:
            assert mine
        assert waited
    with turn(tmp_path, give_up) as mine:
        assert mine
