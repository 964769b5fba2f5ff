"""What a node that we called may send us: answers, and instances where we asked for them; all bounded."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_STORE_RQ

from camlucida.pacs.wire import Messages, Refused
from camlucida.store.blobs import Part

MOST_ANSWER_BYTES = 1 << 20  # of a data set that is no instance: one study or series of a search
MOST_WAITING_BYTES = 32_000_000  # of answers that nobody has read yet: a node need not wait for us
LEAST_BYTES = 4096  # what an answer takes in memory, however short
MOST_WAITING_INSTANCES = 4
INSTANCE_SECONDS = 3600.0
OF_AN_ANSWER = 0x8000  # the bit of the command field (PS3.7 E.1)

_log = structlog.get_logger()


class Answers(Messages):
    """Answers, and instances where they were asked for: `begin` makes the file of one."""

    def __init__(
        self, association: Association, node: str, begin: Callable[[], Part] | None, instance_bytes: int
    ) -> None:
        super().__init__(association)
        self._node, self._begin, self._instance_bytes = node, begin, instance_bytes
        self._size = 0  # of the data set that is arriving
        self._waiting: dict[int, int] = {}  # sizes of what is in the queue, by its identity
        self._held = 0  # their sum
        self._lock = threading.Lock()

    def get_msg(self, block: bool = False) -> Any:
        """The next message."""
        context_id, message = super().get_msg(block)
        with self._lock:
            self._held -= self._waiting.pop(id(message), 0)
        return context_id, message

    def _refused(self, reason: str) -> None:
        _log.warning("association aborted", node=self._node, reason=reason)

    def _more_of_an_answer(self, size: int) -> None:
        self._size += size
        if self._size > MOST_ANSWER_BYTES:
            raise Refused("an answer is too long")

    def _command_is_whole(self, message: Any, context: Any, *, complete: bool) -> None:
        if not isinstance(message, C_STORE_RQ):
            if not message.command_set.CommandField & OF_AN_ANSWER:
                raise Refused("a command that was not agreed upon")
            return
        if self._begin is None or complete:
            raise Refused("an instance that was not asked for")
        self._forget_kept()
        if len(self._arriving) >= MOST_WAITING_INSTANCES:
            raise Refused("more instances at once than agreed upon")
        self._arrives(message, context, self._begin, self._instance_bytes, INSTANCE_SECONDS)

    def _hand_over(self, message: Any) -> None:
        primitive = message.message_to_primitive()
        with self._lock:
            self._waiting[id(primitive)] = LEAST_BYTES + self._size
            self._held += LEAST_BYTES + self._size
        if self._held > MOST_WAITING_BYTES:
            raise Refused("more answers at once than can be read")
        self.msg_queue.put((message.context_id, primitive))
        self.message, self._size = None, 0
