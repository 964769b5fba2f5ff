"""The whole way with a client of the field: stored, found, retrieved, byte for byte."""

from io import BytesIO

import numpy as np
import pydicom
import pytest


@pytest.fixture(scope="module")
def stored(served, real_files):
    """All real files, sent by STOW-RS."""
    client = served.dicomweb()
    for path in real_files.values():
        with path.open("rb") as file:
            content = file.read()
        answer = served_post(served, content)
        assert answer.status_code == 200, (path.name, answer.text)
    return client


def served_post(served, *contents):
    parts = b"".join(b"\r\n--b\r\nContent-Type: application/dicom\r\n\r\n" + content for content in contents)
    with served.http() as http:
        return http.post(
            "/studies",
            content=parts + b"\r\n--b--\r\n",
            headers={"Content-Type": 'multipart/related; type="application/dicom"; boundary=b'},
        )


def test_what_was_stored_comes_back_byte_for_byte(served, stored, real_files):
    assert len(real_files) > 30
    with served.http() as http:
        for path in real_files.values():
            header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            address = (
                f"/studies/{header.StudyInstanceUID}/series/{header.SeriesInstanceUID}"
                f"/instances/{header.SOPInstanceUID}"
            )
            answer = http.get(address, headers={"Accept": "application/dicom; transfer-syntax=*"})
            assert answer.status_code == 200, (path.name, answer.text)
            assert answer.content == path.read_bytes(), path.name
