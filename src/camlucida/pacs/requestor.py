"""Associations with other DICOM nodes, asked for by us (PS3.8 7.1): open in a `with` block, or a sentence."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association

from camlucida.errors import NotReached
from camlucida.pacs import tls
from camlucida.pacs.answers import Answers
from camlucida.pacs.configuration import Dimse
from camlucida.pacs.wire import PDU_BYTES, BoundedSocket, Reading
from camlucida.settings import settings
from camlucida.store.blobs import Part

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
QUICK_ACKNOWLEDGEMENT = getattr(socket, "TCP_QUICKACK", socket.TCP_NODELAY)  # Linux only


class NothingAccepted(NotReached):
    """The other side takes our association, but none of the objects that we offer."""


class Rejection(StrEnum):
    """What to do when an association is rejected, by its diagnostic (PS3.8 table 9-21)."""

    CALLING = "it does not know our AE title; have it added there"
    CALLED = "its AE title is another; correct `ae_title`"
    BUSY = "it is busy"
    OTHER = "its log says why"


def address(node: Dimse) -> str:
    """How a node is named in sentences."""
    return f"{node.ae_title} at {node.host}:{node.port}"


@contextmanager
def associated(
    node: Dimse,
    contexts: Sequence[Any],
    *,
    negotiation: Sequence[Any] = (),
    handlers: Sequence[tuple[Any, ...]] = (),
    answer_seconds: float | None = None,
    begin: Callable[[], Part] | None = None,
) -> Iterator[Any]:
    """An open association with a node, released at the end of the block.

    `begin` makes the file of an instance that the node sends (C-GET); without it, none is let in.

    Raises
    ------
    NotReached
        The node does not answer, rejects us, or accepts none of the contexts (`NothingAccepted`).
    InvalidConfiguration
        The certificates cannot be used.
    """
    secured = tls.client_side(node.tls, address(node)) if node.tls else None
    entity = _Caller(address(node), begin, ae_title=node.calling_ae_title)
    entity.connection_timeout, entity.acse_timeout = CONNECT_SECONDS, ANSWER_SECONDS
    entity.dimse_timeout = entity.network_timeout = answer_seconds or ANSWER_SECONDS
    wire = _Wire(entity.network_timeout)
    try:
        try:
            association = entity.associate(
                node.host,
                node.port,
                contexts=list(contexts),
                ae_title=node.ae_title,
                ext_neg=list(negotiation),
                max_pdu=PDU_BYTES,
                tls_args=(secured, node.host) if secured else None,
                evt_handlers=[*wire.handlers, *handlers],
            )
        except socket.gaierror as error:
            raise NotReached(f"{address(node)} is not reached: no such host; check `host`.") from error
        if not association.is_established:
            if secured is not None and secured.refusal is not None:
                raise NotReached(f"{address(node)} is not reached: {tls.why_not_trusted(secured.refusal)}.")
            raise _not_established(node, association, connected=wire.connected)
        _let_go_when_ended(association)
        try:
            yield association
        except Exception:
            association.abort()  # a release would wait for a node that may never stop sending
            raise
        finally:
            if association.is_established:
                association.release()
            if association.is_alive():
                association.abort()
            entity.discard()
    finally:
        wire.close()


class _Caller(AE):
    """Makes associations in which the node that is called is bounded."""

    def __init__(self, node: str, begin: Callable[[], Part] | None, ae_title: str) -> None:
        super().__init__(ae_title=ae_title)
        self._node, self._begin = node, begin
        self._answers: list[Answers] = []

    def discard(self) -> None:
        """Remove what has arrived and was not kept."""
        for one in self._answers:
            one.discard()

    def _create_socket(self, assoc: Association, address: Any, tls_args: Any) -> BoundedSocket:
        """As pynetdicom's, with our messages, reading and socket."""
        assoc.dul = _Reading(assoc)
        assoc.dimse = answers = Answers(assoc, self._node, self._begin, settings().max_file_bytes)
        self._answers.append(answers)
        connection = BoundedSocket(assoc, address=address)
        connection.seconds = min(BoundedSocket.seconds, self.network_timeout or BoundedSocket.seconds)
        connection.tls_args = tls_args
        return connection


class _Reading(Reading):
    """As for the side that is called; here, who reads answers waits for a message, too."""

    def run_reactor(self) -> None:
        try:
            super().run_reactor()
        finally:
            self.assoc.dimse.msg_queue.put((None, None))


class _Wire:
    """The socket of an association, made quick and bounded: pynetdicom leaves it as the system gives it."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.connected = False
        self._sockets: list[socket.socket] = []
        self.handlers = (
            (evt.EVT_ACSE_SENT, self._hold),
            (evt.EVT_CONN_OPEN, self._prepare),
            (evt.EVT_DATA_SENT, self._hurry),
        )

    def close(self) -> None:
        """Close what was opened: pynetdicom forgets it where the other side refuses or has gone."""
        for one in self._sockets:
            one.close()

    def _hold(self, event: Any) -> None:
        if event.assoc.dul.socket and event.assoc.dul.socket.socket:
            self._sockets.append(event.assoc.dul.socket.socket)

    def _prepare(self, event: Any) -> None:
        self.connected = True
        self._hold(event)  # with TLS it is another one
        opened = event.assoc.dul.socket.socket
        opened.settimeout(self.seconds)  # or a peer that stops reading would hold us for ever
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _hurry(self, event: Any) -> None:
        # dcmtk, and Orthanc with it, writes an answer in two pieces and waits for our acknowledgement of one;
        # Linux takes 40 ms for that unless asked each time: 52 ms for a small C-STORE without, 12 ms with.
        with suppress(OSError, AttributeError):  # it may be closed by now
            event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, QUICK_ACKNOWLEDGEMENT, 1)


def _not_established(node: Dimse, association: Any, *, connected: bool) -> NotReached:
    if association.is_rejected:
        return NotReached(f"{address(node)} rejects us: {_rejection(association.acceptor.primitive)}.")
    if association.rejected_contexts:
        return NothingAccepted(f"{address(node)} accepts none of the objects that were offered.")
    if not connected:
        return NotReached(
            f"{address(node)} is not reached: nobody answers; check `host` and `port`, and that it runs."
        )
    check = (
        "its TLS, and that it trusts our certificate" if node.tls else "that it is a DICOM port, without TLS"
    )
    return NotReached(f"{address(node)} takes the connection but no association; check {check}.")


def _rejection(answer: Any) -> Rejection:
    known = {(1, 3): Rejection.CALLING, (1, 7): Rejection.CALLED}
    busy = {(3, 1): Rejection.BUSY, (3, 2): Rejection.BUSY}
    return (known | busy).get((answer.result_source, answer.diagnostic), Rejection.OTHER)


def _let_go_when_ended(association: Any) -> None:
    """When the association's thread has ended, let nobody wait for it.

    pynetdicom waits for that thread to pause before each message; where it ends just then, the other side
    having gone, that would be for ever.
    """

    def watch() -> None:
        association.join()
        association._is_paused = True  # noqa: SLF001 - there is no other way

    threading.Thread(target=watch, name="association-ended", daemon=True).start()
