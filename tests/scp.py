"""pynetdicom's called side, for what no real receiver does on request."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR

from pynetdicom import AE, evt

from orthanc import HOST


@contextmanager
def serving(entity: AE, *handlers: tuple[object, ...]) -> Iterator[int]:
    """The entity listens for the length of the block; its port."""
    accepted = []  # pynetdicom leaves those open that it did not expect to end

    def note(event: evt.Event) -> None:
        accepted.append(event.assoc.dul.socket.socket)

    server = entity.start_server((HOST, 0), block=False, evt_handlers=[(evt.EVT_CONN_OPEN, note), *handlers])
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        for connection in accepted:
            with suppress(OSError):
                connection.shutdown(SHUT_RDWR)  # its association ends when it reads that
        for association in server.active_associations:
            association.kill()
        for connection in accepted:
            connection.close()
