import os
import threading
import time
from contextlib import closing

from camlucida.jobs.queue import FOLDER, Embedded, wake
from camlucida.store.home import Home
from waiting import until


def test_who_waits_is_woken_at_once_and_what_nobody_reads_is_taken_away(tmp_path):
    with closing(Home.open(tmp_path)) as home, closing(Embedded(home)) as queue:
        stale = tmp_path / FOLDER / "1"
        os.mkfifo(stale)
        begun = time.monotonic()
        threading.Timer(0.05, wake, [home]).start()
        queue.wait(600)
        assert time.monotonic() - begun < 300
        until(lambda: not stale.exists())
        begun = time.monotonic()
        queue.wait(0.05)
        assert time.monotonic() - begun >= 0.05
    wake(home)
    assert list((tmp_path / FOLDER).iterdir()) == []
