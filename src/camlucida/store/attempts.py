"""Attempts are counted before they are made, as they may end the process: see the `attempts` columns."""

from sqlalchemy import update

from camlucida.store.home import Home
from camlucida.store.tables import InstanceRow, Intent, OrderRow, OrderState

MOST_ATTEMPTS = 3
"""At reading, explaining or writing one thing that ends its process each time; then it is set aside."""


def forgive(home: Home) -> None:
    """Take one attempt back of all that is not read or written: its process was ended on purpose.

    What it was explaining is given back by its name: see `claims`.
    """
    open_ones = (
        (InstanceRow, InstanceRow.intent == Intent.WAITING),
        (OrderRow, OrderRow.state == OrderState.WANTED),
    )
    with home.database.write() as session:
        for table, waits in open_ones:
            session.execute(
                update(table).where(waits, table.attempts > 0).values(attempts=table.attempts - 1)
            )
