import subprocess
import sys

import pytest

from camlucida.jobs.heartbeat import NOT_WANTED, Dropped, beating
from camlucida.store import claims, explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ExplanationRow, ImageRow
from waiting import until

MODEL = "a" * 64
STUBBORN = """
import sys, time
from pathlib import Path
from camlucida.jobs import heartbeat
from camlucida.store.claims import Claim
from camlucida.store.home import Home
heartbeat.BEAT = heartbeat.GRACE = 0.1
home = Home.open(Path(sys.argv[1]))
beat = heartbeat.Heartbeat(home, Claim(int(sys.argv[2]), "", "", "nobody"), grace=0.1)
beat.run()
"""


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def claim(home, make_image, tmp_path):
    original = tmp_path / "original.dcm"
    original.write_bytes(b"as it came")
    explanations.set_current_models(home, [CurrentModel(MODEL, "made-up", "1")])
    studies.keep(home, [make_image()], [original])
    with home.database.write() as session:
        explanations.want(session, session.query(ImageRow.id).scalar(), MODEL, "lime")
    return claims.take(home, "worker", [MODEL])


def row(home, claim):
    with home.database.read() as session:
        return session.get_one(ExplanationRow, claim.id)


def test_progress_is_written_and_what_was_cancelled_ends_at_its_next_step(home, claim):
    with beating(home, claim, grace=None) as heartbeat:  # it would end this process
        heartbeat.progress(3, 10)
        until(lambda: row(home, claim).steps_done == 3)
        with home.database.write() as session:
            explanations.cancel(session.get_one(ExplanationRow, claim.id), "anna")

        def is_dropped():
            try:
                heartbeat.progress(4, 10)
            except Dropped:
                return True
            return False

        until(is_dropped)


def test_a_method_without_steps_is_ended_with_its_process(home, claim):
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", STUBBORN, home.folder, str(claim.id)], check=False, timeout=300
    )
    assert done.returncode == NOT_WANTED
