import json
import os
import signal
import sys

import pytest

from camlucida.jobs import hand
from camlucida.jobs.hand import Doing, Hand, how_it_ended, memory_of, over
from camlucida.store import claims, explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ExplanationRow, ImageRow, State
from waiting import until

MODEL = "a" * 64
SAYING = """
import json, sys, time
def say(**words): print(json.dumps(words), flush=True)
say(name="worker")
say(begun={id}, seconds={seconds}, bytes={bytes})
held = bytearray({held})
for n in range(0, len(held), 4096): held[n] = 1
{then}
"""


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def claimed(home, make_image, tmp_path):
    """An explanation that the process called "worker" has claimed."""
    original = tmp_path / "original.dcm"
    original.write_bytes(b"as it came")
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    studies.keep(home, [make_image()], [original])
    with home.database.write() as session:
        explanations.want(session, session.query(ImageRow.id).scalar(), MODEL, "grad-cam")
    return claims.take(home, "worker", [MODEL])


@pytest.fixture
def watch(home, claimed):
    """Runs a process that says that it computes what is claimed, until the claim is gone; the row then."""
    running = []

    def run(then="time.sleep(60)", *, seconds=60, size=0, held=0):
        code = SAYING.format(id=claimed.id, seconds=seconds, bytes=size, held=held, then=then)
        one = Hand(home, [sys.executable, "-c", code])
        running.append(one)
        one.start()

        def row():
            with home.database.read() as session:
                return session.get_one(ExplanationRow, claimed.id)

        until(lambda: row().claimed_by == "")
        return row()

    yield run
    for one in running:
        one.stop()


def test_what_takes_too_long_is_ended_and_says_so(watch):
    row = watch(seconds=0.2)
    assert row.state == State.WANTED
    assert row.due is not None
    assert row.reason.startswith("It took longer than the 0.2 s that it may")


def test_what_takes_too_much_memory_is_ended_and_says_so(watch):
    row = watch(size=100e6, held=150_000_000)
    assert row.reason.startswith("It took more than the 0.10 GB of memory that it may")


def test_what_crashes_its_process_says_so(watch):
    row = watch("import os; os.abort()")
    assert row.reason == "Its process has crashed (SIGABRT)."
    assert row.attempts == 1


def test_within_its_limits_nothing_is_ended():
    doing = Doing(1, 10, 1000, begun=100.0)
    assert over(doing, 109.9, 999) == ""
    assert over(doing, 110.1, 999) != ""
    assert over(doing, 109.9, 1001) != ""
    assert over(Doing(1, 0, 0, begun=0.0), 1e9, 1e12) == ""


def test_ends_are_told_in_words():
    assert "no memory left" in how_it_ended(-signal.SIGKILL)
    assert how_it_ended(3) == "Its process has ended (exit code 3)."


def test_the_memory_of_a_process_is_measured():
    assert memory_of(os.getpid()) > 10e6
    assert memory_of(2**22 + 1) == 0
    assert hand.most_memory() > 0


def test_one_that_has_done_what_it_had_to_once_is_not_started_again(home):
    told = []
    code = f"print({json.dumps(json.dumps({'step': 'read', 'number': 2}))})"
    one = Hand(home, [sys.executable, "-c", code], once=True, told=told.append)
    one.start()
    until(lambda: one.has_ended)
    one.stop()
    assert (told, one.code) == ([{"step": "read", "number": 2}], 0)
