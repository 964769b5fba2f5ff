import pytest
from sqlalchemy import select

from camlucida.store import explanations, orders, studies
from camlucida.store.explanations import CurrentModel
from camlucida.store.tables import ExplanationRow, ImageRow, OrderRow, OrderState


@pytest.fixture
def wanted(home, make_image, original):
    """Two explanations that are wanted; their ids."""
    explanations.set_current_models(home, [CurrentModel("a" * 64, "model", "1")])
    for seed in (1, 2):
        studies.keep(home, [make_image(seed=seed)], [original])
    with home.database.write() as session:
        for image in session.scalars(select(ImageRow)):
            explanations.want(session, image.id, "a" * 64, "grad-cam")
        return session.scalars(select(ExplanationRow.id).order_by(ExplanationRow.id)).all()


def rows(home):
    with home.database.read() as session:
        return session.scalars(select(OrderRow).order_by(OrderRow.id)).all()


def refuse_unexplained(home):
    with home.database.write() as session:
        for order, reason in orders.unexplained(session):
            orders.refuse(session, [order], reason)


def ready(home):
    with home.database.read() as session:
        return orders.ready(session)


def test_an_order_waits_for_its_explanation(home, wanted, make_explanation):
    with home.database.write() as session:
        orders.want(session, wanted[0], "clinical", "pacs", "chest")
    assert ready(home) == []
    explanations.keep(home, wanted[0], make_explanation())
    (found,) = ready(home)
    assert found == (wanted[0], "clinical", (rows(home)[0].id,), 0)
    assert rows(home)[0].rule == "chest"


def test_asking_again_changes_nothing(home, wanted):
    with home.database.write() as session:
        for _ in range(2):
            orders.want(session, wanted[0], "clinical", "pacs", "chest")
        orders.done(session, [1])
        orders.want(session, wanted[0], "clinical", "pacs", "other")
    assert [(row.state, row.rule) for row in rows(home)] == [(OrderState.DONE, "chest")]


def test_the_same_objects_for_two_destinations_are_ready_together(home, wanted, make_explanation):
    with home.database.write() as session:
        for profile, destination in (("clinical", "pacs"), ("research", "archive"), ("clinical", "")):
            orders.want(session, wanted[0], profile, destination)
        orders.want(session, wanted[1], "clinical", "pacs")
    for identifier in wanted:
        explanations.keep(home, identifier, make_explanation())
    found = ready(home)
    assert [(one.explanation_id, one.profile, len(one.orders)) for one in found] == [
        (wanted[0], "clinical", 2),
        (wanted[0], "research", 1),
        (wanted[1], "clinical", 1),
    ]
    with home.database.write() as session:
        assert orders.destinations(session, found[0].orders) == ["pacs"]
        orders.attempt(session, found[0].orders)
    assert ready(home)[0].attempts == 1
    with home.database.write() as session:
        orders.done(session, found[0].orders)
    assert len(ready(home)) == 2


def test_an_order_whose_explanation_was_refused_says_its_reason(home, wanted):
    with home.database.write() as session:
        for identifier in wanted:
            orders.want(session, identifier, "clinical", "pacs")
    explanations.refuse(home, wanted[0], "Too small for it.")
    refuse_unexplained(home)
    assert [(row.state, row.reason) for row in rows(home)] == [
        (OrderState.REFUSED, "Too small for it."),
        (OrderState.WANTED, ""),
    ]


def test_an_explanation_that_is_tried_again_wants_its_orders_again(home, wanted):
    with home.database.write() as session:
        orders.want(session, wanted[0], "clinical", "pacs")
    explanations.fail(home, wanted[0], "No memory.")
    refuse_unexplained(home)
    explanations.mend(home)
    assert [(row.state, row.reason) for row in rows(home)] == [(OrderState.WANTED, "")]
