import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from camlucida.jobs.supervisor import Supervisor
from waiting import until

UNTIL_STDIN_ENDS = "import sys; print('started', flush=True); sys.stdin.read()"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.fixture
def supervise():
    """Starts a supervisor of a piece of Python; ends it after the test."""
    running = []

    def start(code, **options):
        one = Supervisor([sys.executable, "-c", code], "test", shortest_wait=0.05, **options)
        running.append(one)
        one.start()
        return one

    yield start
    for one in running:
        one.stop()


def test_a_process_that_dies_is_started_again_and_the_end_is_told(supervise):
    with capture_logs() as logged:
        supervisor = supervise(UNTIL_STDIN_ENDS)
        until(lambda: supervisor.pid)
        first = supervisor.pid
        psutil.Process(first).kill()
        until(lambda: supervisor.pid not in {None, first})
    (line,) = logged
    assert (line["code"], line["name"], line["log_level"]) == (-9, "test", "warning")


def test_one_that_dies_at_once_is_started_again_ever_more_slowly(supervise):
    with capture_logs() as logged:
        supervise("raise SystemExit(3)")
        until(lambda: len(logged) >= 4)
    waits = [line["again_in_seconds"] for line in logged[:4]]
    assert waits == pytest.approx([0.05, 0.1, 0.2, 0.4])


def test_it_ends_with_its_supervisor(supervise):
    supervisor = supervise(UNTIL_STDIN_ENDS, grace=120)
    until(lambda: supervisor.pid)
    process = psutil.Process(supervisor.pid)
    with capture_logs() as logged:
        assert not supervisor.stop()
    assert not process.is_running()
    assert logged == []


def test_one_that_does_not_want_to_end_is_killed_and_that_is_said(supervise, tmp_path):
    ready = tmp_path / "ready"
    code = STUBBORN.replace("time.sleep", f"open({str(ready)!r}, 'w').close(); time.sleep")
    supervisor = supervise(code, grace=0.2)
    until(ready.exists)
    assert supervisor.stop()


def test_a_supervisor_that_is_stopped_at_once_leaves_nothing(supervise):
    supervisor = supervise(UNTIL_STDIN_ENDS)
    supervisor.stop()
    assert supervisor.pid is None


def test_it_ends_when_the_supervising_process_is_killed(tmp_path):
    """kill -9 of the parent closes its end of the pipe."""
    note = tmp_path / "pid"
    code = f"""
import sys, time
from camlucida.jobs.supervisor import Supervisor
supervisor = Supervisor([sys.executable, "-c", {UNTIL_STDIN_ENDS!r}], "test")
supervisor.start()
while not supervisor.pid:
    time.sleep(0.01)
open({str(note)!r} + ".new", "w").write(str(supervisor.pid))
import os; os.rename({str(note)!r} + ".new", {str(note)!r})
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code])  # noqa: S603 - our own code
    until(note.exists)
    child = psutil.Process(int(Path(note).read_text()))
    assert child.is_running()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: is_gone(child))


def is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
