"""Deliveries: wanted once, tried again with pauses, given up in the end, never lost."""

from datetime import UTC, datetime, timedelta

import pytest

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.store import deliveries, instances
from camlucida.store.tables import DeliveryRow, DeliveryState, Origin

LATER = datetime(2040, 1, 1, tzinfo=UTC)


@pytest.fixture
def kept(home, tmp_path):
    """Ids of three kept instances."""
    ids = []
    for seed in (1, 2, 3):
        path = tmp_path / f"{seed}.dcm"
        write_radiograph(radiograph(seed, rows=32), path)
        ids.append(instances.take(home, path, Origin.IMPORTED).id)
    return ids


@pytest.fixture
def wanted(home, kept):
    """Ids of three deliveries to PACS."""
    with home.database.write() as session:
        for one in kept:
            deliveries.want(session, one, "PACS")
    with home.database.read() as session:
        return [row.id for row in deliveries.of_instances(session, "PACS", kept)]


def state(home, delivery_id):
    with home.database.read() as session:
        row = session.get_one(DeliveryRow, delivery_id)
        return row.state, row.tries, row.reason


def due(home, moment, **options):
    with home.database.read() as session:
        return [row.id for row in deliveries.due(session, "PACS", moment, **options)]


def test_asking_again_changes_nothing(home, kept):
    with home.database.write() as session:
        assert [deliveries.want(session, kept[0], "PACS") for _ in range(3)] == [True, False, False]
        assert deliveries.want(session, kept[0], "RESEARCH")
    with home.database.write() as session:
        sent = deliveries.of_instances(session, "PACS", kept)[0].id
        deliveries.sent(session, sent)
    with home.database.write() as session:
        assert not deliveries.want(session, kept[0], "PACS")
    assert state(home, sent) == (DeliveryState.SENT, 1, "")


def test_what_is_due_is_of_one_destination_and_has_its_instance(home, wanted, kept):
    with home.database.write() as session:
        deliveries.want(session, kept[0], "RESEARCH")
    with home.database.read() as session:
        rows = deliveries.due(session, "PACS", LATER)
        assert [(row.id, row.instance.id) for row in rows] == list(zip(wanted, kept, strict=True))
    assert due(home, LATER, limit=2) == wanted[:2]
    assert due(home, LATER, instance_ids=[kept[1]]) == [wanted[1]]


def test_a_failed_try_waits_longer_each_time_and_is_given_up_after_three_days(home, wanted):
    moment, waits = LATER, []
    while state(home, wanted[0])[0] == DeliveryState.WAITING:
        with home.database.write() as session:
            deliveries.failed(session, wanted[0], "It is out of resources.", moment=moment)
            waits.append(session.get_one(DeliveryRow, wanted[0]).due - moment)
        moment += max(waits[-1], timedelta())
    assert [wait.total_seconds() for wait in waits[:6]] == [5, 15, 60, 300, 1800, 1800]
    assert timedelta(hours=71) < moment - LATER < timedelta(hours=73)
    assert state(home, wanted[0]) == (DeliveryState.GIVEN_UP, len(waits), "It is out of resources.")


def test_what_failed_is_not_due_until_its_moment(home, wanted):
    with home.database.write() as session:
        deliveries.failed(session, wanted[0], "Broken.", moment=LATER)
    assert due(home, LATER + timedelta(seconds=4)) == wanted[1:]
    assert set(due(home, LATER + timedelta(seconds=5))) == set(wanted)


def test_a_clock_that_was_set_back_holds_nothing_up_for_years(home, wanted):
    with home.database.write() as session:
        for one in wanted:
            deliveries.failed(session, one, "Broken.", moment=LATER)
    assert set(due(home, LATER - timedelta(days=365))) == set(wanted)


def test_a_destination_that_is_not_reached_puts_off_what_was_due_there_only(home, wanted, kept):
    with home.database.write() as session:
        deliveries.want(session, kept[0], "RESEARCH")
        deliveries.sent(session, wanted[2])
        assert deliveries.not_reached(session, "PACS", "It does not answer.", moment=LATER) == 2
    assert due(home, LATER) == []
    assert state(home, wanted[0]) == (DeliveryState.WAITING, 1, "It does not answer.")
    assert state(home, wanted[2])[0] == DeliveryState.SENT
    with home.database.read() as session:
        assert len(deliveries.due(session, "RESEARCH", LATER)) == 1


def test_what_another_process_has_sent_stays_sent(home, wanted):
    with home.database.write() as session:
        deliveries.sent(session, wanted[0])
        deliveries.failed(session, wanted[0], "Broken.")
        deliveries.refused(session, wanted[0], "Not accepted.")
    assert state(home, wanted[0]) == (DeliveryState.SENT, 1, "")


def test_what_was_given_up_is_tried_again_when_a_user_asks(home, wanted, kept):
    with home.database.write() as session:
        deliveries.refused(session, wanted[0], "Not accepted.")
        deliveries.sent(session, wanted[1])
        deliveries.failed(session, wanted[2], "Broken.", moment=LATER)
    with home.database.write() as session:
        assert deliveries.again(session, "ANOTHER") == 0
        assert deliveries.again(session, "PACS") == 2
    assert state(home, wanted[0]) == (DeliveryState.WAITING, 0, "")
    assert state(home, wanted[1])[0] == DeliveryState.SENT
    with home.database.write() as session:
        assert deliveries.again(session, "PACS", kept, even_sent=True) == 3
    assert state(home, wanted[1]) == (DeliveryState.WAITING, 0, "")


def test_the_status_counts_by_destination_state_and_reason(home, wanted, kept):
    with home.database.write() as session:
        deliveries.refused(session, wanted[0], "Not accepted.")
        deliveries.refused(session, wanted[1], "Not accepted.")
        deliveries.sent(session, wanted[2])
        deliveries.want(session, kept[0], "RESEARCH")
    with home.database.read() as session:
        assert list(deliveries.status(session)) == [
            ("PACS", DeliveryState.GIVEN_UP, "Not accepted.", 2),
            ("PACS", DeliveryState.SENT, "", 1),
            ("RESEARCH", DeliveryState.WAITING, "", 1),
        ]
