"""Who has retrieved what by DICOMweb, for the audit trail.

A client asks for one study in hundreds of requests, a frame each: what it asks for within ten minutes is one
event.
"""

import threading
from collections import OrderedDict
from time import monotonic

from fastapi import Request
from sqlalchemy import select

from camlucida.records import EventKind
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.tables import StudyRow
from camlucida.web.access import who_asks

SECONDS = 600.0
MOST_KNOWN = 10_000


class Retrievals:
    """Those that one application has noted lately."""

    def __init__(self) -> None:
        self._noted: OrderedDict[tuple[str, str], float] = OrderedDict()  # who and study: when
        self._lock = threading.Lock()

    def note(self, home: Home, who: str, study: str) -> None:
        """Add to the trail that somebody retrieves of a study, if it does not say so already.

        Raises
        ------
        SQLAlchemyError
            The trail cannot be written; then nothing is to be given out.
        """
        if self._is_noted(who, study):
            return
        with self._lock:
            if self._is_noted(who, study):  # by another of its requests
                return
            with home.database.write() as session:
                key = session.scalar(select(StudyRow.key).where(StudyRow.study_instance_uid == study))
                # A study without an image, a report alone, has no key: that somebody retrieved is told.
                events.note(session, EventKind.RETRIEVED, who, {"by": "dicomweb"}, study=key or "")
            self._noted[who, study] = monotonic()
            self._noted.move_to_end((who, study))
            if len(self._noted) > MOST_KNOWN:
                self._noted.popitem(last=False)

    def _is_noted(self, who: str, study: str) -> bool:
        last = self._noted.get((who, study))
        return last is not None and monotonic() - last < SECONDS


def note(request: Request, study: str) -> None:
    """Note the retrieval that a request is."""
    state = request.app.state
    state.retrievals.note(state.home, who_asks(request).name, study)
