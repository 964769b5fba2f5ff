"""What both sides of an association have in common: a peer is bounded in bytes and time (PS3.8, PS3.7 6.3).

pynetdicom trusts its peers: it reads whatever length a PDU claims, waits for ever for the rest of it, keeps
commands and data sets of any size in memory, and lets an unexpected event end a thread with a traceback.
"""

import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import structlog
from pydicom.filebase import DicomFileLike
from pydicom.filewriter import write_file_meta_info
from pynetdicom.association import Association
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import C_STORE_RQ, DIMSEMessage
from pynetdicom.dsutils import create_file_meta
from pynetdicom.dul import DULServiceProvider
from pynetdicom.fsm import StateMachine
from pynetdicom.pdu_primitives import A_P_ABORT, P_DATA
from pynetdicom.transport import AssociationSocket

from camlucida.errors import StoreError
from camlucida.store.blobs import Part

PDU_BYTES = 131_072  # the largest P-DATA-TF that peers may send, as in dcmtk
MOST_PDU_BYTES = 1 << 20  # of any PDU: a request with 128 contexts of all transfer syntaxes has 0.5 MB
DATA_AFTER_ABORT = ("Sta13", "Evt10")  # PS3.8 9.2.3: P-DATA while we wait for the peer to close
MOST_LATE_PDUS = 64  # that were on their way when we aborted
MOST_COMMAND_BYTES = 16_384  # PS3.7 9.3: a few UIDs and numbers

_log = structlog.get_logger()


class Refused(Exception):  # noqa: N818 - what a peer does wrong ends its association, and nothing else
    """A peer goes beyond what was agreed upon."""


class BoundedSocket(AssociationSocket):
    """Reads a PDU's bytes in bounded size and time."""

    seconds = 30.0  # from the first to the last byte

    def recv(self, nr_bytes: int) -> bytearray:
        """So many bytes, or fewer where the connection has ended."""
        if nr_bytes > MOST_PDU_BYTES:
            raise Refused("a PDU is too long")  # no OSError, so that pynetdicom answers with an A-ABORT
        connection: Any = self.socket
        deadline = time.monotonic() + self.seconds
        buffer, count = bytearray(nr_bytes), 0
        view = memoryview(buffer)
        while count < nr_bytes:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            got = connection.recv_into(view[count:])
            if not got:
                break
            count += got
        connection.settimeout(self.seconds)
        view.release()
        del buffer[count:]
        return buffer


class QuietStateMachine(StateMachine):
    """An event that has no place in the protocol ends the association, without a traceback."""

    _late = 0

    def do_action(self, event: str) -> None:
        """Act on an event."""
        if (self.current_state, event) == DATA_AFTER_ABORT:
            self._late += 1
            if self._late > MOST_LATE_PDUS:  # the ARTIM timer alone would let a fast peer send gigabytes
                self.dul.kill_dul()
                return
        try:
            super().do_action(event)
        except Exception as error:  # noqa: BLE001 - see above
            _log.warning(
                "association ended", reason=f"{event} in {self.current_state}: {type(error).__name__}"
            )
            self.dul.kill_dul()


class Reading(DULServiceProvider):
    """The thread that reads from a connection and writes to it, in either role."""

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self.daemon = True
        self.state_machine = QuietStateMachine(self)

    def run_reactor(self) -> None:
        """Until the connection has ended; then nobody waits for what will not come any more."""
        try:
            super().run_reactor()
        finally:
            self.to_user_queue.put(A_P_ABORT())


class Arriving:
    """An instance on its way to the disk; pynetdicom writes into it as into a temporary file."""

    def __init__(self, begin: Callable[[], Part], most_bytes: int, seconds: float) -> None:
        self.part: Part | None = None
        self.failure: StoreError | None = None
        self.file = self  # pynetdicom flushes `file` after each write
        self.name = ""  # and removes this in the end
        self._left = most_bytes
        self._deadline = time.monotonic() + seconds
        try:
            self.part = begin()
        except StoreError as error:
            self.failure = error

    def write(self, content: bytes) -> None:
        """Keep it; after a failure, let the rest pass by: the peer will be told when it has sent all."""
        self._left -= len(content)
        if self._left < 0:
            raise Refused("an instance is larger than max_file_bytes")
        if time.monotonic() > self._deadline:
            raise Refused("an instance takes too long")
        if self.part is None or self.failure is not None:
            return
        try:
            self.part.write(content)
        except StoreError as error:
            self.failure = error
            self.part.discard()

    def flush(self) -> None:
        """Not after each fragment: whoever reads it finishes it first."""

    def close(self) -> None:
        """Remove it, unless it was kept."""
        if self.part is not None:
            self.part.discard()


class Messages(DIMSEServiceProvider):
    """Puts fragments together (PS3.7 6.3, PS3.8 E.2), within bounds; each role says what it takes."""

    def __init__(self, association: Association) -> None:
        super().__init__(association)
        self._arriving: list[Arriving] = []

    def receive_primitive(self, primitive: Any) -> None:
        """Runs in the thread that reads."""
        try:
            for context_id, value in primitive.presentation_data_value_list:
                self._receive(context_id, value)
        except Exception as error:  # noqa: BLE001 - a command that cannot be decoded fails in many ways
            reason = str(error) if isinstance(error, Refused) else type(error).__name__
            self._refused(reason)
            self.message = None
            self.dul.event_queue.put("Evt19")  # invalid PDU: A-ABORT, PS3.8 table 9-10

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
            self._more_of_an_answer(len(value))
        complete = message.decode_msg(_one_fragment(context_id, value), self.assoc)
        if is_command and message.context_id is not None:
            context = self.assoc._accepted_cx.get(message.context_id)  # noqa: SLF001 - `accepted_contexts` is a list
            if context is None:
                raise Refused("a presentation context that was not accepted")
            self._command_is_whole(message, context, complete=complete)
        if complete:
            self._hand_over(message)

    def _arrives(
        self, message: Any, context: Any, begin: Callable[[], Part], most_bytes: int, seconds: float
    ) -> None:
        """The data set of a C-STORE request goes to a file."""
        arriving = Arriving(begin, most_bytes, seconds)
        self._arriving.append(arriving)
        arriving.write(_file_begins(message.command_set, context.transfer_syntax[0]))
        message._data_set_file = arriving  # noqa: SLF001 - pynetdicom's own way of writing to a file

    def _forget_kept(self) -> None:
        self._arriving = [one for one in self._arriving if one.part is not None and one.part.path.exists()]

    def _refused(self, reason: str) -> None:
        """Tell that the association is aborted."""
        raise NotImplementedError

    def _more_of_an_answer(self, size: int) -> None:
        """So many bytes more of a data set that is no instance."""
        raise NotImplementedError

    def _command_is_whole(self, message: Any, context: Any, *, complete: bool) -> None:
        """Refuse the command, or prepare for its data set unless the message is `complete` without one."""
        raise NotImplementedError

    def _hand_over(self, message: Any) -> None:
        """A message is complete: to whom waits for it."""
        raise NotImplementedError


def _one_fragment(context_id: int, value: bytes) -> P_DATA:
    """A fragment by itself, to be decoded."""
    fragment = P_DATA()
    fragment.presentation_data_value_list.append((context_id, value))
    return fragment


def _file_begins(command: Any, transfer_syntax: Any) -> bytes:
    """Preamble and file meta group (PS3.10 7.1) of an instance, as its command and its context say."""
    meta = create_file_meta(
        sop_class_uid=command.AffectedSOPClassUID,
        sop_instance_uid=command.AffectedSOPInstanceUID,
        transfer_syntax=transfer_syntax,
    )
    buffer = BytesIO()
    buffer.write(bytes(128) + b"DICM")
    write_file_meta_info(DicomFileLike(buffer), meta)
    return buffer.getvalue()
