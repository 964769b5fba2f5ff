"""A real S3-compatible store for tests: moto's server, in this process."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import obstore
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from obstore.store import S3Store

BUCKET = "kept-files"


class S3:
    """A running store with one empty bucket; `environment` is what AWS's own variables say of it."""

    def __init__(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.port = int(port)
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
            "AWS_REGION": "us-east-1",
        }
        self.make_bucket(BUCKET)

    def make_bucket(self, name: str) -> None:
        answer = httpx2.put(f"{self.environment['AWS_ENDPOINT_URL']}/{name}", timeout=300)
        answer.raise_for_status()

    def raw(self, prefix: str) -> S3Store:
        """The bucket as others write to it."""
        return S3Store(BUCKET, prefix=prefix, client_options={"allow_http": True})

    def overwrite(self, prefix: str, place: str, content: bytes) -> None:
        obstore.put(self.raw(prefix), place, content)

    def stop(self) -> None:
        self._server.stop()


@contextmanager
def running_s3() -> Iterator[S3]:
    server = S3()
    try:
        yield server
    finally:
        server.stop()
