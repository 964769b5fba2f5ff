from contextlib import closing
from datetime import timedelta
from functools import partialmethod

import pytest
from procrastinate import App
from sqlalchemy import select, text

from camlucida import pipeline
from camlucida.errors import NotAnswering
from camlucida.jobs import scaled
from camlucida.jobs.queue import Embedded, queue_of
from camlucida.jobs.scaled import Scaled
from camlucida.models.registry import Registry
from camlucida.store import claims, explanations, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, ImageRow, Lane, now
from camlucida.store.turn import Turn, is_taken
from example_models import write_model
from waiting import until

MODEL = "a" * 64
JOBS = text("SELECT queue_name, status::text FROM procrastinate.procrastinate_jobs ORDER BY id")


@pytest.fixture
def home(on_postgresql, tmp_path, make_image):  # noqa: ARG001 - it is set while the test runs
    """A station in PostgreSQL with one image and a current model."""
    original = tmp_path / "original.dcm"
    original.write_bytes(b"as it came")
    opened = Home.open(tmp_path / "home")
    lose_jobs(opened)
    explanations.set_current_models(opened, [CurrentModel(MODEL, "made-up", "1")])
    studies.keep(opened, [make_image()], [original])
    yield opened
    opened.close()


@pytest.fixture
def want(home):
    def ask(method="grad-cam"):
        with home.database.write() as session:
            image = session.scalars(select(ImageRow.id)).one()
            explanations.want(session, image, MODEL, method)
            return explanations.find(session, image, MODEL, method).id

    return ask


def lose_jobs(home):
    with home.database.write() as session:
        session.execute(scaled.PATH)
        session.execute(text("DELETE FROM procrastinate_jobs"))


def jobs(home):
    with home.database.read() as session:
        return [tuple(row) for row in session.execute(JOBS)]


def handed(queue, digests=(MODEL,)):
    """What comes next, waited for."""
    got = []
    until(lambda: queue.wait(0.1) or got.extend(filter(None, [queue.take(digests)])) or got)
    return got[0]


def test_each_row_that_is_wanted_and_free_has_one_job_in_the_same_transaction(home, want):
    one = want()
    assert jobs(home) == [("precompute", "todo")]
    want("lime")
    with home.database.write() as session:
        image = session.scalars(select(ImageRow.id)).one()
        explanations.want(session, image, MODEL, "grad-cam", asked=True)
    assert jobs(home) == [("interactive", "todo"), ("interactive", "todo")]
    claims.take_one(home, "one", one)
    assert len(jobs(home)) == 1
    explanations.fail_for_now(home, one, "No memory.", by="one")
    assert len(jobs(home)) == 2
    with home.database.write() as session:
        for row in session.scalars(select(ExplanationRow)):
            explanations.cancel(row, "anna")
    assert jobs(home) == []
    with pytest.raises(ZeroDivisionError):
        want_and_break(home)
    assert jobs(home) == []


def want_and_break(home):
    with home.database.write() as session:
        explanations.want(session, session.scalars(select(ImageRow.id)).one(), MODEL, "cam")
        session.flush()
        raise ZeroDivisionError


def test_workers_are_handed_one_at_a_time_what_is_in_their_lanes_and_never_the_same(home, want):
    with closing(Scaled(home)) as first, closing(Scaled(home, [Lane.INTERACTIVE])) as second:
        want()
        claim = handed(first)
        assert claim.method == "grad-cam"
        want("lime")
        assert handed(second).method == "lime"
        assert first.take([MODEL]) is None
        explanations.refuse(home, claim.id, "no", by=first.by)
        first.done(claim)
        until(lambda: len(jobs(home)) == 1)


def test_a_model_that_a_machine_does_not_know_yet_makes_its_job_come_later(home, want, monkeypatch):
    monkeypatch.setattr(claims, "FIRST_WAIT", timedelta(hours=1))
    one = want()

    def is_put_off():
        queue.wait(0.1)
        assert queue.take([]) is None
        with home.database.read() as session:
            return session.get_one(ExplanationRow, one).due is not None

    with closing(Scaled(home)) as queue:
        until(is_put_off)
        assert claims.hurry(home) == 1
        assert handed(queue).id == one


def test_who_works_once_sees_at_once_what_there_is(home, want):
    one = want()
    with closing(queue_of(home, once=True)) as queue:
        assert queue.take([MODEL]).id == one
    assert jobs(home) == []


def test_what_a_machine_that_is_gone_had_is_wanted_again_by_the_sweep(home, want, monkeypatch):
    silent = partialmethod(App.run_worker_async, update_heartbeat_interval=3600)
    monkeypatch.setattr(App, "run_worker_async", silent)
    with closing(Scaled(home)) as gone:
        want()
        claim = handed(gone)
        with home.database.write() as session:
            session.get_one(ExplanationRow, claim.id).claimed_until = now() - claims.LEASE
            session.execute(scaled.PATH)
            session.execute(text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1h'"))
        assert scaled.sweep(home) == 1
        with closing(Scaled(home)) as other:
            assert handed(other).id == claim.id
            assert not claims.renew(home, claim)


def test_what_has_lost_its_job_gets_another_by_the_sweep(home, want):
    want()
    lose_jobs(home)
    scaled.sweep(home)
    scaled.sweep(home)
    assert jobs(home) == [("precompute", "todo")]
    explanations.set_current_models(home, [])
    lose_jobs(home)
    scaled.sweep(home)
    assert jobs(home) == []  # nobody computes it any longer


def test_who_does_not_take_what_he_was_handed_leaves_it_to_others(home, want, monkeypatch):
    monkeypatch.setattr(scaled, "TAKEN", 0.2)
    one = want()
    with closing(Scaled(home)) as busy:
        until(lambda: not busy._handed.empty())
        until(lambda: jobs(home) == [])
    scaled.sweep(home)
    with closing(Scaled(home)) as other:
        assert handed(other).id == one


def test_a_database_that_does_not_answer_while_a_job_is_taken_stops_no_later_one(home, want, monkeypatch):
    take_one, tried = claims.take_one, []

    def breaks_once(*given):
        tried.append(given)
        if len(tried) == 1:
            raise NotAnswering
        return take_one(*given)

    monkeypatch.setattr(claims, "take_one", breaks_once)
    with closing(Scaled(home)) as queue:
        want()
        with pytest.raises(NotAnswering):
            handed(queue)
        other = want("lime")
        assert handed(queue).id == other


def test_a_restart_of_the_database_in_the_middle_of_computing_is_outlasted(
    home, want, postgresql, monkeypatch
):
    monkeypatch.setattr(scaled, "AFTER_TROUBLE", 0.2)
    with closing(Scaled(home)) as queue:
        one = want()
        claim = handed(queue)
        postgresql.restart()
        try:
            held = claims.renew(home, claim)
        except NotAnswering:  # by a connection that was lost, as one tries again later
            held = claims.renew(home, claim)
        assert held  # it is this worker's still
        explanations.refuse(home, one, "no", by=queue.by)
        queue.done(claim)
        other = want("lime")
        assert handed(queue).id == other


def test_one_of_all_machines_has_the_turn_and_workers_are_known_by_being_seen(home):
    one, other = Turn(home), Turn(home)
    assert one.take()
    assert one.take()
    assert not other.take()
    one.release()
    until(other.take)  # the server sees a moment later that a connection has ended
    other.release()
    assert not is_taken(home)
    claims.seen(home, "one", claims.ALL_LANES)
    assert is_taken(home)


def test_a_home_without_postgresql_has_its_own_queue(tmp_path):
    with closing(Home.open(tmp_path / "alone")) as home, closing(queue_of(home)) as queue:
        assert isinstance(queue, Embedded)


def test_a_model_that_one_machine_has_is_fetched_by_the_others_and_retired_on_all(home, tmp_path):
    registered = Registry(home.folder).add(write_model(tmp_path / "model"))
    pipeline.current_models(home)
    with closing(Home.open(tmp_path / "elsewhere")) as other:
        object.__setattr__(other, "blobs", home.blobs)  # one bucket for both, as a station of many has
        (there,) = pipeline.current_models(other)
        assert there.digest == registered.digest
        assert there.folder.is_relative_to(other.folder)
        there.verify()
        Registry(other.folder).retire(there.key)
        assert pipeline.current_models(other) == []
    assert pipeline.current_models(home) == []
    assert Registry(home.folder).list()[0].retired is not None
