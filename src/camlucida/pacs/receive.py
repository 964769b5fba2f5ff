"""Studies arrive by C-STORE (PS3.4 B): the station as Storage SCP and Verification SCP.

Acknowledge first, work later: an instance is answered with success when it is on the disk and its row is
committed. The store is the queue; what is done with instances begins there.
"""

import ipaddress
import threading
from collections.abc import Sequence
from enum import IntEnum
from types import TracebackType
from typing import Self

import structlog

from camlucida.dicom.header import read_header
from camlucida.errors import CamlucidaError, DiskFull, InputError, InvalidConfiguration, StoreError
from camlucida.pacs import tls
from camlucida.pacs.acceptor import Acceptor, Bounds, Sent, Server
from camlucida.pacs.configuration import Listening, Peer
from camlucida.settings import is_loopback, settings
from camlucida.store.home import Home
from camlucida.store.instances import Kept, take
from camlucida.store.tables import Origin

ENDING_SECONDS = 30.0

_log = structlog.get_logger()


class Status(IntEnum):
    """Answers to a C-STORE request (PS3.4 B.2.3, PS3.7 C.5)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    OUT_OF_RESOURCES = 0xA700
    DOES_NOT_MATCH = 0xA900  # the data set is of another class, or another instance, than the command says
    CANNOT_UNDERSTAND = 0xC000


class Receiver:
    """Listens for associations from `start` to `stop`, or for the length of a `with` block.

    Raises
    ------
    InvalidConfiguration
        Other machines could send without being known, a peer's address or a certificate cannot be used, or
        the address and port cannot be listened on.
    """

    def __init__(self, home: Home, listening: Listening, bounds: Bounds | None = None) -> None:
        _refuse_strangers(listening)
        self._home, self._listening = home, listening
        self._peers = _Peers(listening.peers)
        self._tls = tls.server_side(listening.tls) if listening.tls else None
        self._bounds = bounds or Bounds(listening.associations, settings().max_file_bytes)
        self._server: Server | None = None

    @property
    def port(self) -> int:
        """The port that is listened on: the chosen one, where the configuration says 0."""
        return int(self._server.server_address[1]) if self._server else self._listening.port

    def start(self) -> None:
        """Listen, in threads of its own."""
        listening = self._listening
        acceptor = Acceptor(listening.ae_title, self._peers.know, self._home.blobs.begin, self._take)
        try:
            self._server = Server(acceptor, (listening.host, listening.port), self._bounds, self._tls)
        except OSError as error:
            raise InvalidConfiguration(
                f"[listen]: {listening.host} port {listening.port} cannot be listened on ({error.strerror}); "
                "choose another `port`, or 0 for a free one."
            ) from error
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="receiver", daemon=True
        ).start()

    def stop(self) -> None:
        """Take nothing more; what is being kept at this moment is kept, other associations are aborted."""
        if self._server is not None:
            self._server.stop(ENDING_SECONDS)
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take(self, sent: Sent) -> Status:
        """Keep an instance; the answer."""
        try:
            return self._keep(sent)
        except DiskFull as error:
            return _refused(sent, Status.OUT_OF_RESOURCES, error)
        except StoreError as error:
            return _refused(sent, Status.PROCESSING_FAILURE, error)
        except InputError as error:
            return _refused(sent, Status.CANNOT_UNDERSTAND, error)
        except Exception as error:  # noqa: BLE001 - the sender must keep it; the error's text may quote a header
            return _refused(sent, Status.PROCESSING_FAILURE, error)

    def _keep(self, sent: Sent) -> Status:
        if sent.failure is not None:
            raise sent.failure
        if sent.part is None:
            raise InputError("The request has no data set.")
        sent.part.finish()
        header = read_header(sent.part.path)
        if (header.sop_class_uid, header.sop_instance_uid) != (sent.sop_class_uid, sent.sop_instance_uid):
            return _refused(sent, Status.DOES_NOT_MATCH, InputError("The data set has other UIDs."))
        origin = Origin.FETCHED if sent.originator == self._listening.ae_title else Origin.STORE
        arrival = take(self._home, sent.part, origin, sent.sender, header=header)
        if arrival.kept is Kept.CONFLICTING:
            _log.warning(
                "same SOP Instance UID, other content: both kept", sender=sent.sender, row=arrival.id
            )
        else:
            _log.info("instance received", sender=sent.sender, row=arrival.id, kept=arrival.kept.value)
        return Status.SUCCESS


class _Peers:
    """Who may call."""

    def __init__(self, peers: Sequence[Peer]) -> None:
        self._anyone = not peers
        self._networks = [(peer.ae_title.strip(), _network(peer)) for peer in peers]

    def know(self, ae_title: str, address: str) -> bool:
        """Whether this AE title may call from this address."""
        if self._anyone:
            return True
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address):
            found = found.ipv4_mapped or found
        return any(
            title == ae_title.strip() and (network is None or found in network)
            for title, network in self._networks
        )


def _network(peer: Peer) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    if not peer.address:
        return None
    try:
        return ipaddress.ip_network(peer.address)
    except ValueError as error:
        raise InvalidConfiguration(
            f"[listen]: the peer {peer.ae_title} has the address “{peer.address}”; give an IP address "
            "(10.1.2.3) or a network (10.1.0.0/16)."
        ) from error


def _refuse_strangers(listening: Listening) -> None:
    """Whoever can reach the port could otherwise fill the disk and put images under any name."""
    certified = listening.tls is not None and listening.tls.authority is not None
    if listening.peers or certified or is_loopback(listening.host):
        return
    raise InvalidConfiguration(
        f"[listen]: {listening.host} can be reached by other machines, and anyone could send; list who "
        "may in `peers`, ask for certificates with `tls` and its `authority`, or listen on 127.0.0.1."
    )


def _refused(sent: Sent, status: Status, error: Exception) -> Status:
    """Log it: an error of ours as it is, of any other only the kind."""
    reason = str(error) if isinstance(error, CamlucidaError) else type(error).__name__
    _log.warning("instance refused", sender=sent.sender, status=f"{status:04X}", reason=reason)
    return status
