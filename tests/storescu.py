"""dcmtk's storescu, as modalities send, and pynetdicom where a test needs what storescu would not do."""

import subprocess
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from pydicom.filereader import read_file_meta_info
from pynetdicom import AE, _config, build_context

_config.STORE_SEND_CHUNKED_DATASET = True  # the bytes of a file, as they are


def storescu(
    port: int, files: Sequence[Path], *options: str, called: str = "CAMLUCIDA", calling: str = "MODALITY"
):
    """Send files; what storescu said, its exit status included."""
    command = ["storescu", "-v", "-aec", called, "-aet", calling, *options, "127.0.0.1", str(port)]
    return subprocess.run(  # noqa: S603
        [*command, *map(str, files)], capture_output=True, text=True, timeout=300, check=False
    )


@contextmanager
def associated(port: int, *files: Path, called: str = "CAMLUCIDA", calling: str = "MODALITY"):
    """An association with one context for each file, that is asked for even if it is rejected."""
    entity = AE(ae_title=calling)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 120
    metas = [read_file_meta_info(path) for path in files]
    pairs = {(meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID) for meta in metas}
    contexts = [build_context(*pair) for pair in sorted(pairs)] or [build_context("1.2.840.10008.1.1")]
    association = entity.associate("127.0.0.1", port, contexts=contexts, ae_title=called)
    try:
        yield association
    finally:
        if association.is_established:
            association.release()


def send(port: int, *files: Path, **options) -> list[int | None]:
    """The status of each, None where no answer came."""
    with associated(port, *files, **options) as association:
        assert association.is_established
        return [association.send_c_store(path).get("Status") for path in files]
