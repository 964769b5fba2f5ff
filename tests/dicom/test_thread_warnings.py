"""Threads that are warned at once hear each their own, and the process is left as it was."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from camlucida.dicom.thread_warnings import warned


def test_what_is_warned_of_is_heard_and_not_shown():
    with warned() as heard:
        warnings.warn("Doe^Jane", UserWarning, stacklevel=1)
        warnings.warn("Doe^Jane", RuntimeWarning, stacklevel=1)
    assert heard == ["UserWarning", "RuntimeWarning"]


def test_afterwards_all_is_as_before():
    filters, show = list(warnings.filters), warnings.showwarning
    with warned(), warned():
        pass
    assert (warnings.filters, warnings.showwarning) == (filters, show)
    with pytest.raises(UserWarning):  # as in all our tests, a warning is an error
        warnings.warn("again", stacklevel=1)


def test_blocks_of_threads_that_overlap_in_any_order_do_not_disturb_each_other():
    filters, show = list(warnings.filters), warnings.showwarning
    gate = threading.Barrier(8)

    def listen(number):
        gate.wait()
        with warned() as heard:
            gate.wait()
            for _ in range(number):
                warnings.warn("mine", stacklevel=1)
            gate.wait()
        return len(heard)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(listen, range(8))) == list(range(8))
    assert (warnings.filters, warnings.showwarning) == (filters, show)


def test_an_inner_block_takes_only_its_own():
    with warned() as outer:
        warnings.warn("a", stacklevel=1)
        with warned() as inner:
            warnings.warn("b", stacklevel=1)
        warnings.warn("c", stacklevel=1)
    assert (len(outer), len(inner)) == (2, 1)
