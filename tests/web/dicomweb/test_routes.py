"""The whole way with a client of the field: stored, found, retrieved, byte for byte."""

from io import BytesIO

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from camlucida.dicom.container import is_part_10

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom, of real files that break the rules

CANNOT_BE_DECODED = {"emri_small_jpeg_2k_lossless_too_short.dcm"}


@pytest.fixture(scope="module")
def client(served):
    return served.dicomweb()


@pytest.fixture(scope="module")
def stored(served, real_files, send):
    """All real files, sent by STOW-RS as they are; their headers."""
    for path in real_files.values():
        answer = send(served, path.read_bytes())
        assert answer.status_code == 200, (path.name, answer.text)
    return {path: pydicom.dcmread(path, stop_before_pixels=True, force=True) for path in real_files.values()}


def uids(header):
    return header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID


def small(stored):
    """Without large films, which take seconds to decode."""
    return [(path, header) for path, header in stored.items() if path.stat().st_size < 1_000_000]


def address(header):
    study, series, instance = uids(header)
    return f"/dicom-web/studies/{study}/series/{series}/instances/{instance}"


def tags(dataset):
    """What stands in a data set, without group lengths and what follows the pixels."""
    return {tag for tag in dataset.keys() if tag.element and tag <= 0x7FE00010}  # noqa: SIM118 - iterating gives elements


def test_what_was_stored_comes_back_byte_for_byte(served, stored):
    assert len(stored) > 30
    with served.http() as http:
        for path, header in stored.items():
            answer = http.get(address(header), headers={"Accept": "application/dicom; transfer-syntax=*"})
            assert answer.status_code == 200, (path.name, answer.text)
            if is_part_10(path):
                assert answer.content == path.read_bytes(), path.name
            else:  # clients read no file without its file meta group
                assert pydicom.dcmread(BytesIO(answer.content)).SOPInstanceUID == header.SOPInstanceUID


def test_the_same_instances_once_more_are_known_and_kept_once(served, stored, send):
    path = next(iter(stored))
    assert send(served, path.read_bytes(), path.read_bytes()).status_code == 200
    with served.http() as http:
        study = http.get(
            f"/dicom-web/studies/{stored[path].StudyInstanceUID}/instances",
            params={"SOPInstanceUID": stored[path].SOPInstanceUID},
        )
    assert len(study.json()) == 1


def test_a_client_finds_every_study_series_and_instance(client, stored):
    studies = client.search_for_studies()
    assert {study["0020000D"]["Value"][0] for study in studies} == {
        str(header.StudyInstanceUID) for header in stored.values()
    }
    for path, header in stored.items():
        (study,) = client.search_for_studies(search_filters={"StudyInstanceUID": header.StudyInstanceUID})
        assert header.get("Modality", "") in ["", *study["00080061"]["Value"]], path.name
        series = client.search_for_series(header.StudyInstanceUID)
        assert len(series) == study["00201206"]["Value"][0]
        instances = client.search_for_instances(header.StudyInstanceUID)
        assert len(instances) == study["00201208"]["Value"][0]
        assert str(header.SOPInstanceUID) in [one["00080018"]["Value"][0] for one in instances]


def test_a_client_retrieves_datasets_and_their_metadata(client, stored):
    for path, header in stored.items():
        instance = client.retrieve_instance(*uids(header))
        assert instance.SOPInstanceUID == header.SOPInstanceUID
        described = pydicom.Dataset.from_json(
            client.retrieve_instance_metadata(*uids(header)), lambda *_: b""
        )
        assert described.SOPInstanceUID == header.SOPInstanceUID
        assert described.get("Rows") == header.get("Rows"), path.name
        assert str(described.get("PatientName", "")) == str(header.get("PatientName", "")), path.name


def test_a_client_retrieves_a_study_as_a_stream(client, stored):
    header = next(iter(stored.values()))
    found = list(client.iter_study(header.StudyInstanceUID))
    assert header.SOPInstanceUID in [one.SOPInstanceUID for one in found]


def test_frames_are_the_pixels_that_pydicom_reads(client, stored):
    looked_at = 0
    for path, header in small(stored):
        dataset = pydicom.dcmread(path, force=True)
        if "PixelData" not in dataset or "TransferSyntaxUID" not in dataset.file_meta:
            continue
        compressed = dataset.file_meta.TransferSyntaxUID.is_compressed
        # Colour that is not compressed is given as it is; of compressed colour, decoding makes RGB.
        dataset.pixel_array_options(raw=not compressed, correct_unused_bits=compressed)
        expected = dataset.pixel_array
        count = int(dataset.get("NumberOfFrames", 1))
        frames = client.retrieve_instance_frames(
            *uids(header), list(range(1, count + 1)), media_types=("application/octet-stream",)
        )
        assert len(frames) == count
        for number, frame in enumerate(frames):
            one = expected[number] if count > 1 else expected
            if not compressed and dataset.get("PlanarConfiguration") == 1:
                one = one.transpose(2, 0, 1)
            if dataset.PhotometricInterpretation == "YBR_FULL_422" and not compressed:
                continue
            if dataset.BitsAllocated == 1:
                one = np.packbits(one, axis=None, bitorder="little")
            assert frame[: one.nbytes] == one.astype(one.dtype.newbyteorder("<")).tobytes(), path.name
            assert len(frame) - one.nbytes in (0, 1), path.name
            looked_at += 1
    assert looked_at > 40


def test_compressed_frames_come_as_their_codestream(served, stored):
    seen = set()
    with served.http() as http:
        for path, header in stored.items():
            dataset = pydicom.dcmread(path, force=True)
            syntax = dataset.file_meta.get("TransferSyntaxUID")
            if syntax is None or not syntax.is_compressed or "PixelData" not in dataset or syntax.is_deflated:
                continue
            answer = http.get(
                address(header) + "/frames/1",
                headers={"Accept": 'multipart/related; type="application/octet-stream"; transfer-syntax=*'},
            )
            assert answer.status_code == 200, answer.text
            assert f"transfer-syntax={syntax}" in answer.text[:400]
            first = next(
                pydicom.encaps.generate_frames(
                    dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames", 1))
                )
            )
            assert first in answer.content, path.name
            seen.add(str(syntax))
    assert len(seen) >= 4


def test_any_instance_can_be_had_as_explicit_little_endian(served, stored):
    changed = 0
    with served.http() as http:
        for path, header in small(stored):
            answer = http.get(
                address(header),
                headers={"Accept": f"application/dicom; transfer-syntax={ExplicitVRLittleEndian}"},
            )
            if answer.status_code == 406:
                assert path.name in CANNOT_BE_DECODED, (path.name, answer.text)
                continue
            decoded = pydicom.dcmread(BytesIO(answer.content))
            assert decoded.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
            original = pydicom.dcmread(path, force=True)
            if answer.content == path.read_bytes():
                continue
            changed += 1
            assert tags(decoded) == tags(original), path.name
            if "PixelData" in original and "TransferSyntaxUID" in original.file_meta:
                assert (decoded.pixel_array == original.pixel_array).all(), path.name
    assert changed > 10
