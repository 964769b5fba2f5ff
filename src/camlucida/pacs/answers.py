"""What a node that we called may send us: answers, and instances where we asked for them; all bounded."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage

from camlucida.pacs.wire import MOST_COMMAND_BYTES, Arriving, Refused, file_begins, one_fragment
from camlucida.store.blobs import Part

MOST_ANSWER_BYTES = 1 << 20  # of a data set that is no instance: one study or series of a search
MOST_WAITING_BYTES = 32_000_000  # of answers that nobody has read yet: a node need not wait for us
LEAST_BYTES = 4096  # what an answer takes in memory, however short
MOST_WAITING_INSTANCES = 4
INSTANCE_SECONDS = 3600.0
OF_AN_ANSWER = 0x8000  # the bit of the command field (PS3.7 E.1)

_log = structlog.get_logger()


class Answers(DIMSEServiceProvider):
    """Puts fragments together; `begin` makes the file of an instance, where instances were asked for."""

    def __init__(
        self, association: Association, node: str, begin: Callable[[], Part] | None, instance_bytes: int
    ) -> None:
        super().__init__(association)
        self._node, self._begin, self._instance_bytes = node, begin, instance_bytes
        self._size = 0  # of the data set that is arriving
        self._waiting: dict[int, int] = {}  # sizes of what is in the queue, by its identity
        self._held = 0  # their sum
        self._arriving: list[Arriving] = []
        self._lock = threading.Lock()

    def receive_primitive(self, primitive: Any) -> None:
        """Runs in the thread that reads."""
        try:
            for context_id, value in primitive.presentation_data_value_list:
                self._receive(context_id, value)
        except Exception as error:  # noqa: BLE001 - a command that cannot be decoded fails in many ways
            reason = str(error) if isinstance(error, Refused) else type(error).__name__
            _log.warning("association aborted", node=self._node, reason=reason)
            self.message = None
            self.dul.event_queue.put("Evt19")  # invalid PDU: A-ABORT, PS3.8 table 9-10

    def get_msg(self, block: bool = False) -> Any:
        """The next message."""
        context_id, message = super().get_msg(block)
        with self._lock:
            self._held -= self._waiting.pop(id(message), 0)
        return context_id, message

    def discard(self) -> None:
        """Remove what has not been kept."""
        for arriving in self._arriving:
            arriving.close()
        self._arriving.clear()

    def _receive(self, context_id: int, value: bytes) -> None:
        self.message = self.message or DIMSEMessage()
        message: Any = self.message  # of another class when its command has been decoded
        if not value:
            raise Refused("an empty fragment")
        is_command, command_is_whole = bool(value[0] & 1), message.context_id is not None
        if is_command == command_is_whole or (command_is_whole and context_id != message.context_id):
            raise Refused("a fragment of another message")
        if is_command and message.encoded_command_set.tell() + len(value) > MOST_COMMAND_BYTES:
            raise Refused("a command is too long")
        if not is_command and not isinstance(message, C_STORE_RQ):
            self._size += len(value)
            if self._size > MOST_ANSWER_BYTES:
                raise Refused("an answer is too long")
        complete = message.decode_msg(one_fragment(context_id, value), self.assoc)
        if is_command and message.context_id is not None:
            self._command_is_whole(message, complete=complete)
        if complete:
            self._hand_over(message)

    def _command_is_whole(self, message: Any, *, complete: bool) -> None:
        """`message`: a DIMSEMessage."""
        context = self.assoc._accepted_cx.get(message.context_id)  # noqa: SLF001 - `accepted_contexts` is a list
        if context is None:
            raise Refused("a presentation context that was not accepted")
        stores = isinstance(message, C_STORE_RQ)
        if not stores:
            if not message.command_set.CommandField & OF_AN_ANSWER:
                raise Refused("a command that was not agreed upon")
            return
        if self._begin is None or complete:
            raise Refused("an instance that was not asked for")
        self._arriving = [one for one in self._arriving if one.part is not None and one.part.path.exists()]
        if len(self._arriving) >= MOST_WAITING_INSTANCES:
            raise Refused("more instances at once than agreed upon")
        arriving = Arriving(self._begin, self._instance_bytes, INSTANCE_SECONDS)
        self._arriving.append(arriving)
        arriving.write(file_begins(message.command_set, context.transfer_syntax[0]))
        message._data_set_file = arriving  # noqa: SLF001 - pynetdicom's own way of writing to a file

    def _hand_over(self, message: Any) -> None:
        primitive = message.message_to_primitive()
        with self._lock:
            self._waiting[id(primitive)] = LEAST_BYTES + self._size
            self._held += LEAST_BYTES + self._size
        if self._held > MOST_WAITING_BYTES:
            raise Refused("more answers at once than can be read")
        self.msg_queue.put((message.context_id, primitive))
        self.message, self._size = None, 0
