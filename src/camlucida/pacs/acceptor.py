"""The called side of DIMSE associations (PS3.8), on pynetdicom, safe with peers that are broken or hostile.

pynetdicom trusts its peers: it reads whatever length a PDU claims, waits for ever for the rest of it, keeps
commands and data sets of any size in memory, does the TLS handshake before it accepts anyone else, and lets
an unexpected event end a thread with a traceback. Here connections, bytes and times are bounded, a data set
goes to the disk while it arrives, and whatever happens to an association, nothing of it is left and nothing
is said that may be a patient's.
"""

import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from socket import SHUT_RDWR
from typing import Any, NamedTuple

import structlog
from pydicom.uid import AllTransferSyntaxes, ImplicitVRLittleEndian
from pynetdicom import AE, build_context, evt
from pynetdicom._globals import MODE_ACCEPTOR
from pynetdicom.association import Association
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, SOPClassCommonExtendedNegotiation
from pynetdicom.service_class import ServiceClass, StorageServiceClass
from pynetdicom.sop_class import uid_to_service_class
from pynetdicom.transport import RequestHandler, ThreadedAssociationServer

from camlucida.errors import StoreError
from camlucida.pacs.wire import PDU_BYTES, BoundedSocket, Messages, Reading, Refused
from camlucida.store.blobs import Part

MOST_WAITING_MESSAGES = 4  # sent without waiting for our answers, which was not agreed upon
SPARE_CONNECTIONS = 16  # beyond the associations: to say that there are too many
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"  # PS3.7 A.2.1
VERIFICATION = "1.2.840.10008.1.1"
STORAGE_SERVICE = "1.2.840.10008.4.2"
STORAGE_CLASSES = "1.2.840.10008.5.1.4.1.1."
STANDARD_UIDS = "1.2.840.10008."

# All that are a file's: not those that refer to a server (JPIP) or are a live stream (SMPTE ST 2110).
TRANSFER_SYNTAXES = tuple(
    uid
    for uid in AllTransferSyntaxes
    if "JPIP" not in uid.name and not uid.startswith("1.2.840.10008.1.2.7.")
)

Reason = tuple[int, int, int]
"""Result, source and reason of an A-ASSOCIATE-RJ (PS3.8 table 9-21)."""

CONTEXT_UNKNOWN: Reason = (1, 1, 2)
CALLING_UNKNOWN: Reason = (1, 1, 3)
CALLED_UNKNOWN: Reason = (1, 1, 7)
TOO_MANY: Reason = (2, 3, 2)
REASONS = {
    CONTEXT_UNKNOWN: "application context not supported",
    CALLING_UNKNOWN: "calling AE title not recognized, or not from this address",
    CALLED_UNKNOWN: "called AE title not recognized",
    TOO_MANY: "too many associations",
}

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a peer may take of us."""

    associations: int
    instance_bytes: int
    opening_seconds: float = 15.0  # from the connection to the association's request, TLS included
    pdu_seconds: float = 30.0  # from the first to the last byte of a PDU
    idle_seconds: float = 60.0  # between two PDUs
    instance_seconds: float = 3600.0  # from the first to the last PDU of an instance


class Sent(NamedTuple):
    """An instance that has arrived whole, or why it could not be written; and what its command says."""

    part: Part | None
    failure: StoreError | None
    sop_class_uid: str
    sop_instance_uid: str
    sender: str
    originator: str  # who asked for it to be moved, if it comes of a C-MOVE


class Acceptor(NamedTuple):
    """Who we are, whom we know, and what becomes of an instance: the status to answer (PS3.4 B.2.3)."""

    ae_title: str
    known: Callable[[str, str], bool]  # AE title and address
    begin: Callable[[], Part]
    take: Callable[[Sent], int]


class Server(ThreadedAssociationServer):
    """Listens from when it is made; `serve_forever` accepts."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self, acceptor: Acceptor, address: tuple[str, int], bounds: Bounds, tls: ssl.SSLContext | None
    ) -> None:
        self.acceptor, self.bounds = acceptor, bounds
        self.stopping = False
        self._connections = threading.BoundedSemaphore(bounds.associations + SPARE_CONNECTIONS)
        self._seats: set[Association] = set()
        self._seating = threading.Lock()
        entity = AE(ae_title=acceptor.ae_title)
        entity.maximum_pdu_size = PDU_BYTES
        entity.acse_timeout = bounds.opening_seconds
        entity.dimse_timeout = entity.network_timeout = bounds.idle_seconds
        entity.maximum_associations = (
            bounds.associations + SPARE_CONNECTIONS
        )  # we count ourselves: see `admit`
        super().__init__(entity, address, acceptor.ae_title, [], tls, request_handler=_Handler)
        entity._servers.append(self)  # noqa: SLF001 - as AE.start_server does; shutdown() takes it out

    def service_actions(self) -> None:
        """Nothing. pynetdicom collects all garbage here every few seconds, and everybody waits for it."""

    def get_request(self) -> Any:
        """A connection, without waiting for its handshake: others must not wait for it, too."""
        listening: Any = self.socket
        request, address = listening.accept()
        request.settimeout(self.bounds.pdu_seconds)
        if self.ssl_context is not None:
            request = self.ssl_context.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        return request, address

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - socketserver's signature
        """Whether there is room for another connection."""
        room = not self.stopping and self._connections.acquire(blocking=False)
        if not room:
            _log.warning("connection refused", reason="too many connections")
        return room

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Shake hands, then start the association in a thread of its own, which `leave`s in the end."""
        try:
            if self.ssl_context is not None:
                request.settimeout(self.bounds.opening_seconds)
                request.do_handshake()
                request.settimeout(self.bounds.pdu_seconds)
            self.finish_request(request, client_address)
        except Exception as error:  # noqa: BLE001 - whatever a peer makes of its beginning is its own affair
            _log.warning("connection ended", reason=type(error).__name__)
            self.shutdown_request(request)
            self._connections.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """No traceback on stderr."""
        _log.error("connection failed")
        self._connections.release()

    def admit(self, association: Association) -> bool:
        """Whether there is a seat for one more association."""
        with self._seating:
            self._seats = {seated for seated in self._seats if seated.is_alive()}
            if len(self._seats) >= self.bounds.associations:
                return False
            self._seats.add(association)
            return True

    def leave(self, association: Association) -> None:
        """Give the association's seat and connection back."""
        with self._seating:
            self._seats.discard(association)
        self._connections.release()

    def stop(self, seconds: float) -> None:
        """Take nobody in, abort those who are here, and wait for them, at most so long.

        What is being kept at this moment is kept to its end.
        """
        self.stopping = True
        self.shutdown()
        here = [one for one in self.active_associations if isinstance(one, _Association)]
        for association in here:
            association.abort(block=False)
        if here:
            time.sleep(0.1)  # for the A-ABORT to go out
        deadline = time.monotonic() + seconds
        for association in here:
            association.let_go()
            association.join(max(0.0, deadline - time.monotonic()))


class _Handler(RequestHandler):
    """Makes the association of a connection."""

    server: Server

    def _create_association(self) -> Association:
        """As pynetdicom's, with our association, socket and messages."""
        association = _Association(self.ae, self.server)
        connection = BoundedSocket(association, client_socket=self.request)
        connection.seconds = self.server.bounds.pdu_seconds
        association.set_socket(connection)
        association.acceptor.maximum_length = self.ae.maximum_pdu_size
        association.acceptor.ae_title = self.server.ae_title
        association.acceptor.address_info = self.local
        association.acceptor.implementation_class_uid = self.ae.implementation_class_uid
        association.acceptor.implementation_version_name = self.ae.implementation_version_name
        association.requestor.address_info = self.remote
        association.bind(evt.EVT_REQUESTED, _answer_request)
        association.bind(evt.EVT_SOP_COMMON, _call_it_storage)
        association.bind(evt.EVT_C_STORE, _store)
        return association


class _Association(Association):
    """One peer; whatever it does, its threads, its connection and its parts end with it."""

    def __init__(self, ae: Any, server: Server) -> None:
        super().__init__(ae, MODE_ACCEPTOR)
        self.server = self._server = server
        self.name = f"AcceptorThread of {server.ae_title}"  # pynetdicom finds its associations by this word
        self.dul = Reading(self)
        self.acse_timeout, self.network_timeout = ae.acse_timeout, ae.network_timeout  # of its timers
        self.messages = self.dimse = _Messages(self, server.acceptor, server.bounds)

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        except Exception as error:  # noqa: BLE001 - pynetdicom met what it does not expect; no traceback
            _log.warning("association failed", reason=type(error).__name__)
        finally:
            self._end()

    def let_go(self) -> None:
        """End as soon as what is being kept is kept."""
        self._kill = True
        self.dul.kill_dul()

    def _end(self) -> None:
        """Close the connection, which wakes the reading thread, and end that before its parts are removed."""
        self._kill = True
        self.dul.kill_dul()
        connection: Any = self.dul.socket.socket if self.dul.socket else None
        if connection is not None:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)
            connection.close()
        self.dul.join()
        self.messages.discard()
        self.server.leave(self)


class _Messages(Messages):
    """C-ECHO and C-STORE requests."""

    def __init__(self, association: Association, acceptor: Acceptor, bounds: Bounds) -> None:
        super().__init__(association)
        self._acceptor, self._bounds = acceptor, bounds

    def _refused(self, reason: str) -> None:
        _log.warning("association aborted", sender=sender_of(self.assoc), reason=reason)
        self.discard()

    def _command_is_whole(self, message: Any, context: Any, *, complete: bool) -> None:
        stores = isinstance(message, C_STORE_RQ)
        if not stores and not (isinstance(message, C_ECHO_RQ) and complete):
            raise Refused("a command that was not agreed upon")
        if self.msg_queue.qsize() >= MOST_WAITING_MESSAGES:
            raise Refused("more messages at once than agreed upon")
        if stores and not complete:
            bounds = self._bounds
            self._arrives(
                message, context, self._acceptor.begin, bounds.instance_bytes, bounds.instance_seconds
            )

    def _hand_over(self, message: Any) -> None:
        self._forget_kept()
        self.msg_queue.put((message.context_id, message.message_to_primitive()))
        self.message = None


def _answer_request(event: Any) -> None:
    """Reject an association request, or say what of it is supported."""
    association = event.assoc
    request = association.requestor.primitive
    if not isinstance(request, A_ASSOCIATE):  # the connection ended before there was one
        association.is_aborted = True
        return
    refusal = _refusal(association, request)
    if refusal is None:
        association.acceptor.supported_contexts = _supported(request.presentation_context_definition_list)
        return
    _log.warning("association rejected", sender=sender_of(association), reason=REASONS[refusal])
    association.acse.send_reject(*refusal)
    association.kill()  # waits until it is sent and the peer has closed the connection


def _refusal(association: _Association, request: A_ASSOCIATE) -> Reason | None:
    server = association.server
    if request.application_context_name != APPLICATION_CONTEXT:
        return CONTEXT_UNKNOWN
    if request.called_ae_title != server.acceptor.ae_title:
        return CALLED_UNKNOWN
    if not server.acceptor.known(request.calling_ae_title, association.requestor.address):
        return CALLING_UNKNOWN
    return None if server.admit(association) else TOO_MANY


def _supported(proposed: Sequence[Any]) -> list[Any]:
    """Contexts for what is proposed and is ours: C-ECHO and all storage, in the peer's order of preference.

    Implicit VR comes last: it loses the type of private elements.
    """
    wanted: dict[str, dict[str, None]] = {}
    for context in proposed:
        if context.abstract_syntax == VERIFICATION or is_storage(context.abstract_syntax):
            known = [uid for uid in context.transfer_syntax if uid in TRANSFER_SYNTAXES]
            wanted.setdefault(context.abstract_syntax, {}).update(dict.fromkeys(known))
    return [
        build_context(uid, sorted(syntaxes, key=lambda syntax: syntax == ImplicitVRLittleEndian))
        for uid, syntaxes in wanted.items()
        if syntaxes
    ]


def is_storage(sop_class_uid: str) -> bool:
    """Whether instances of this class are stored: all that pynetdicom knows, newer ones, private ones."""
    service = uid_to_service_class(sop_class_uid)
    if service is not ServiceClass:
        return bool(service is StorageServiceClass)
    return sop_class_uid.startswith(STORAGE_CLASSES) or not sop_class_uid.startswith(STANDARD_UIDS)


def _call_it_storage(event: Any) -> dict[str, Any]:
    """Tell pynetdicom that classes which it does not know are of the storage service (PS3.7 D.3.3.6)."""
    items = {}
    for context in event.assoc.acceptor.supported_contexts:
        if uid_to_service_class(context.abstract_syntax) is ServiceClass:
            item = items[context.abstract_syntax] = SOPClassCommonExtendedNegotiation()
            item.sop_class_uid, item.service_class_uid = context.abstract_syntax, STORAGE_SERVICE
    return items


def _store(event: Any) -> int:
    """The status with which a C-STORE request is answered."""
    request = event.request
    arriving = request._dataset_file  # noqa: SLF001 - ours: see _Messages
    sent = Sent(
        part=arriving and arriving.part,
        failure=arriving and arriving.failure,
        sop_class_uid=request.AffectedSOPClassUID,
        sop_instance_uid=request.AffectedSOPInstanceUID,
        sender=sender_of(event.assoc),
        originator=str(request.MoveOriginatorApplicationEntityTitle or "").strip(),
    )
    return int(event.assoc.server.acceptor.take(sent))


def sender_of(association: Association) -> str:
    """The calling AE title, as it may be logged and kept: printable, at most 16 characters."""
    title = str(getattr(association.requestor.primitive, "calling_ae_title", "")).strip()[:16]
    return "".join(letter if letter.isprintable() else "?" for letter in title)
