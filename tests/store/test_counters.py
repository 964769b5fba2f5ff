import math

import pytest

from camlucida.errors import UnsuitableImage
from camlucida.store import claims, counters, explanations, studies
from camlucida.store.counters import BUCKETS, Counter, Stage, Stopwatch
from camlucida.store.explanations import CurrentModel


def told(home):
    with home.database.read() as session:
        return counters.values(session)


def test_what_is_counted_adds_up(home):
    for number in (1, 2.5):
        with home.database.write() as session:
            counters.count(session, Counter.RESTARTS, "worker", number)
    assert told(home)[Counter.RESTARTS] == {"worker": 3.5}


def test_nothing_is_counted_of_what_did_not_happen(home):
    def stopped_half_way():
        with home.database.write() as session:
            counters.count(session, Counter.RESTARTS, "worker")
            raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        stopped_half_way()
    assert told(home)[Counter.RESTARTS] == {}


@pytest.mark.parametrize(
    ("seconds", "bound"),
    [(-5, "0.01"), (0, "0.01"), (0.01, "0.01"), (0.011, "0.025"), (7200, "7200"), (1e9, "inf")],
)
def test_a_duration_is_counted_once_in_the_least_bucket_that_holds_it(home, seconds, bound):
    with home.database.write() as session:
        counters.observe(session, [(Stage.EXPLAIN, seconds)])
    assert told(home)[Counter.BUCKET] == {f"explain {bound}": 1}
    assert told(home)[Counter.SECONDS] == {"explain": max(0, seconds)}


def test_many_durations_are_counted_at_once(home):
    with home.database.write() as session:
        counters.observe(session, [(Stage.READ, 0.3), (Stage.READ, 0.4), (Stage.SEND, 20)])
    assert told(home)[Counter.BUCKET] == {"read 0.5": 2, "send 30": 1}
    assert told(home)[Counter.SECONDS] == {"read": pytest.approx(0.7), "send": 20}


def test_buckets_rise_and_hold_everything():
    assert list(BUCKETS) == sorted(set(BUCKETS))
    assert BUCKETS[-1] == math.inf


def test_a_stopwatch_tells_the_stages_that_came_to_their_end(monkeypatch):
    monkeypatch.setattr(counters, "perf_counter", iter((3.0, 3.5, 4.0)).__next__)
    stopwatch = Stopwatch()
    with stopwatch.time(Stage.LOAD):
        pass
    with pytest.raises(ValueError, match="no"), stopwatch.time(Stage.EXPLAIN):
        raise ValueError("no")
    assert stopwatch == {Stage.LOAD: 0.5}


def test_the_class_of_a_reason_is_one_of_ours_or_other():
    class FromElsewhere(Exception):  # noqa: N818
        pass

    assert counters.class_of(UnsuitableImage("Doe^Jane")) == "UnsuitableImage"
    assert counters.class_of(MemoryError()) == "MemoryError"
    assert counters.class_of(FromElsewhere()) == counters.OTHER


def test_what_came_of_explanations_is_counted_with_how_long_it_took(
    home, original, make_image, make_explanation
):
    studies.keep(home, [make_image(seed=seed) for seed in (1, 2, 3)], [original])
    explanations.set_current_models(home, [CurrentModel("a" * 64, "made-up", "1")])
    with home.database.write() as session:
        for row in explanations.unseen(session, "a" * 64, "grad-cam"):
            explanations.want(session, row.id, "a" * 64, "grad-cam")
    for identifier in (1, 2, 3):
        assert claims.take_one(home, "worker", identifier) is not None
    explanations.keep(home, 1, make_explanation(), {Stage.EXPLAIN: 0.2})
    explanations.refuse(home, 2, "Too small.", "UnsuitableImage")
    explanations.fail(home, 3, "Who knows.")
    counted = told(home)
    assert counted[Counter.EXPLANATIONS] == {"done": 1, "failed": 1, "refused": 1}
    assert counted[Counter.REFUSALS] == {"UnsuitableImage": 1, "other": 1}
    stages = {label.split()[0] for label in counted[Counter.BUCKET]}
    assert stages == {"wait", "explain", "keep"}
