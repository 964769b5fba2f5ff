import os
import signal

import pytest

from camlucida.cli.interruption import stopping_between_steps


def press(times=1):
    """Ctrl-C, as the terminal sends it."""
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)


def work(pressed_in, steps):
    with stopping_between_steps() as check:
        for step in range(3):
            press(pressed_in.count(step))
            steps.append(step)
            check()


def test_a_ctrl_c_waits_for_the_end_of_the_step():
    steps = []
    with pytest.raises(KeyboardInterrupt):
        work([1], steps)
    assert steps == [0, 1]


def test_a_second_one_acts_at_once():
    steps = []
    with pytest.raises(KeyboardInterrupt):
        work([1, 1], steps)
    assert steps == [0]


def test_one_after_the_last_look_is_not_lost():
    with pytest.raises(KeyboardInterrupt), stopping_between_steps():
        press()


def test_the_old_handler_comes_back():
    before = signal.getsignal(signal.SIGINT)
    work([], [])
    assert signal.getsignal(signal.SIGINT) is before
