import subprocess
import sys
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from camlucida.store import claims, explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ExplanationRow, ImageRow, Lane, State, WorkerRow, now

MODEL, GPU_MODEL = "a" * 64, "b" * 64


@pytest.fixture
def queue(home, make_image, original):
    """Wants explanations of one image: `queue(method, model=..., asked=...)` gives the id."""
    explanations.set_current_models(
        home, [CurrentModel(MODEL, "made-up", "1"), CurrentModel(GPU_MODEL, "large", "1", gpu=True)]
    )
    studies.keep(home, [make_image()], [original])

    def want(method="grad-cam", model=MODEL, *, asked=None):
        with home.database.write() as session:
            image = session.scalars(select(ImageRow.id)).one()
            explanations.want(session, image, model, method, asked=asked)
            return explanations.find(session, image, model, method).id

    return want


@pytest.fixture
def still(monkeypatch):
    """A clock that stands still, as a machine may take seconds for what is a moment here: its moment."""
    moment = now()
    monkeypatch.setattr(claims, "now", lambda: moment)
    return moment


def row(home, identifier):
    with home.database.read() as session:
        return session.get_one(ExplanationRow, identifier)


def change(home, identifier, **values):
    with home.database.write() as session:
        session.execute(update(ExplanationRow).where(ExplanationRow.id == identifier).values(**values))


def taken(home, lanes=claims.ALL_LANES, by="one"):
    """Everything that is to be had, in its order: methods."""
    found = []
    while (claim := claims.take(home, by, [MODEL, GPU_MODEL], lanes)) is not None:
        found.append((claim.model_digest[0], claim.method))
    return found


def test_what_somebody_waits_for_is_first_and_a_gpu_model_has_its_own_lanes(home, queue):
    queue()
    queue("lime")
    queue(model=GPU_MODEL)
    queue("lime", model=GPU_MODEL)
    queue("score-cam")
    assert taken(home, [Lane.GPU, Lane.GPU_INTERACTIVE]) == [("b", "lime"), ("b", "grad-cam")]
    assert taken(home) == [("a", "lime"), ("a", "score-cam"), ("a", "grad-cam")]


def test_asking_for_what_the_station_wants_by_itself_brings_it_to_the_front(home, queue):
    queue()
    queue("lime")
    queue("grad-cam", asked=True)
    assert taken(home) == [("a", "grad-cam"), ("a", "lime")]


def test_two_workers_never_have_the_same(home, queue):
    queue()
    first = claims.take(home, "one", [MODEL])
    assert claims.take(home, "two", [MODEL]) is None
    assert claims.take_one(home, "two", first.id) is None
    assert claims.renew(home, first, 3, 10)
    assert (row(home, first.id).steps_done, row(home, first.id).steps) == (3, 10)


def test_an_expired_claim_is_taken_by_another_and_the_late_one_changes_nothing(home, queue, make_explanation):
    late = claims.take_one(home, "late", queue())
    change(home, late.id, claimed_until=now() - timedelta(seconds=1))
    claim = claims.take(home, "other", [MODEL])
    assert not claims.renew(home, late)
    assert not explanations.keep(home, late.id, make_explanation(), by="late")
    assert not explanations.refuse(home, late.id, "no", by="late")
    assert not explanations.fail(home, late.id, "no", by="late")
    assert not explanations.fail_for_now(home, late.id, "no", by="late")
    assert row(home, late.id).claimed_by == "other"
    assert explanations.keep(home, claim.id, make_explanation(), by="other")
    assert row(home, late.id).state == State.DONE
    assert not explanations.keep(home, late.id, make_explanation(seed=2), by="late")


def test_a_clock_that_was_set_back_makes_nothing_wait_for_ever(home, queue):
    one = queue()
    claims.take_one(home, "one", one)
    change(home, one, claimed_until=now() + timedelta(days=1), due=now() + timedelta(days=1))
    assert claims.take(home, "two", [MODEL]) is not None


def test_what_fails_is_due_again_ever_later_and_after_three_times_shown_and_blocks_nothing(
    home, queue, still
):
    bad = queue("lime")
    queue()
    waits = []
    for _ in range(2):
        claim = claims.take(home, "one", [MODEL])
        assert claim.id == bad
        explanations.fail_for_now(home, bad, "No memory.", by="one")
        waits.append((row(home, bad).due - still).total_seconds())
        change(home, bad, due=None)
    assert waits == [10, 60]
    explanations.fail_for_now(home, claims.take(home, "one", [MODEL]).id, "No memory.", by="one")
    assert (row(home, bad).state, row(home, bad).reason) == (State.FAILED, "No memory.")
    assert taken(home) == [("a", "grad-cam")]


def test_what_is_not_due_is_passed_over(home, queue, still):
    change(home, queue("lime"), due=still + timedelta(seconds=5))
    queue()
    assert taken(home) == [("a", "grad-cam")]


def test_one_that_ends_its_worker_each_time_fails_with_what_ended_it(home, queue):
    one = queue()
    for _ in range(3):
        assert claims.take_one(home, "one", one) is not None
        claims.lost(home, "one", "It took 9 GB.")
    assert (row(home, one).state, row(home, one).reason) == (State.FAILED, "It took 9 GB.")


def test_one_whose_worker_nobody_watched_fails_too(home, queue):
    one = queue()
    for _ in range(3):
        assert claims.take_one(home, "one", one) is not None
        change(home, one, claimed_until=None)
    assert claims.take(home, "one", [MODEL]) is None
    assert "has ended the process 3 times" in row(home, one).reason


def test_what_was_ended_on_purpose_does_not_count(home, queue):
    one = queue()
    for _ in range(5):
        assert claims.take_one(home, "one", one) is not None
        claims.give_back(home, "one")
    assert (row(home, one).attempts, row(home, one).claimed_by) == (0, "")


def test_what_is_cancelled_is_not_computed_and_asking_again_wants_it_again(home, queue, make_explanation):
    claim = claims.take_one(home, "one", queue("lime"))
    with home.database.write() as session:
        assert explanations.cancel(session.get_one(ExplanationRow, claim.id), "anna")
    assert not claims.renew(home, claim)
    assert not explanations.keep(home, claim.id, make_explanation(), by="one")
    assert (row(home, claim.id).state, row(home, claim.id).reason) == (State.CANCELLED, "Cancelled by anna.")
    assert taken(home) == []
    assert queue("lime") == claim.id
    assert row(home, claim.id).state == State.WANTED
    explanations.keep(home, claim.id, make_explanation())
    with home.database.write() as session:
        assert not explanations.cancel(session.get_one(ExplanationRow, claim.id), "anna")


def test_what_a_process_of_this_machine_held_that_is_gone_is_wanted_at_once(home, queue):
    code = "from camlucida.store import claims; print(claims.worker_name())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    claims.take_one(home, dead.stdout.strip(), queue())
    claims.take_one(home, claims.worker_name(), queue("lime"))
    claims.take_one(home, "elsewhere:1:17:abcdef", queue("score-cam"))
    claims.release_of_the_dead(home)
    assert taken(home) == [("a", "grad-cam")]


def test_clocks_of_machines_that_differ_a_little_take_nothing_from_each_other(
    home, queue, still, monkeypatch
):
    queue()
    claim = claims.take(home, "one", [MODEL])
    for seconds in (-40, 40):
        monkeypatch.setattr(claims, "now", lambda seconds=seconds: still + timedelta(seconds=seconds))
        assert taken(home, by="two") == []
        assert claims.expire(home) == 0
    monkeypatch.undo()
    assert claims.renew(home, claim)


def test_a_worker_is_seen_by_what_it_goes_on_with(home, queue):
    queue()
    claims.seen(home, "one", claims.ALL_LANES)
    claim = claims.take(home, "one", [MODEL])
    with home.database.write() as session:
        session.execute(update(WorkerRow).values(seen=now() - timedelta(hours=1)))
    claims.renew(home, claim)
    with home.database.read() as session:
        assert [claims.is_alive(one) for one in claims.workers(session)] == [True]


def test_workers_are_listed_while_they_are_seen_and_a_day_after(home):
    claims.seen(home, "one", [Lane.INTERACTIVE])
    claims.seen(home, "two", claims.ALL_LANES)
    claims.seen(home, "one", [Lane.INTERACTIVE])
    claims.lost(home, "two", "It was killed.")
    with home.database.read() as session:
        assert [(one.name, claims.is_alive(one), one.ended) for one in claims.workers(session)] == [
            ("one", True, ""),
            ("two", False, "It was killed."),
        ]
        later = now() + timedelta(hours=1)
        assert not claims.is_alive(claims.workers(session)[0], later)
    with home.database.write() as session:
        session.execute(update(WorkerRow).values(seen=now() - timedelta(days=2)))
    claims.seen(home, "three", [])
    claims.gone(home, "three")
    with home.database.read() as session:
        assert claims.workers(session) == []
