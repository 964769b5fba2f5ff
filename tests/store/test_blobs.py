import hashlib
import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from camlucida.errors import DamagedBlob, StoreError
from camlucida.store.blobs import GRACE, Blobs


@pytest.fixture
def blobs(tmp_path):
    return Blobs(tmp_path / "blobs")


def file_of(tmp_path, digest):
    return tmp_path / "blobs" / "sha256" / digest[:2] / digest


def test_bytes_lie_under_their_sha256_and_come_back(tmp_path, blobs):
    digest = blobs.put(b"evidence")
    assert digest == hashlib.sha256(b"evidence").hexdigest()
    assert file_of(tmp_path, digest).read_bytes() == b"evidence"
    assert blobs.get(digest) == b"evidence"


def test_a_file_is_kept_as_its_bytes_are(tmp_path, blobs):
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 50_000)  # more than one part of an upload
    digest = blobs.put_file(path)
    assert blobs.get(digest) == path.read_bytes()


def test_writing_twice_keeps_one_file(blobs):
    assert blobs.put(b"x") == blobs.put(b"x")
    assert list(blobs.sizes()) == [(hashlib.sha256(b"x").hexdigest(), 1)]


@pytest.mark.parametrize("damage", [b"evidencE", b"evid", b""])
def test_a_damaged_file_is_told(tmp_path, blobs, damage):
    digest = blobs.put(b"evidence")
    file_of(tmp_path, digest).write_bytes(damage)
    assert not blobs.intact(digest)
    with pytest.raises(DamagedBlob, match=f"{digest[:12]}… is damaged; import the study again"):
        blobs.get(digest)


def test_a_missing_file_is_told_and_putting_it_again_mends(tmp_path, blobs):
    digest = blobs.put(b"evidence")
    file_of(tmp_path, digest).unlink()
    with pytest.raises(DamagedBlob, match="is missing"):
        blobs.get(digest)
    blobs.put(b"evidence")
    assert blobs.intact(digest)


def test_a_write_that_was_cut_off_is_not_counted(tmp_path, blobs):
    digest = blobs.put(b"evidence")
    (file_of(tmp_path, digest).parent / f"{digest}#1").write_bytes(b"evid")
    assert list(blobs.sizes()) == [(digest, 8)]


def test_what_cannot_be_written_is_a_sentence(tmp_path, blobs):
    (tmp_path / "blobs" / "sha256").write_text("a file where a folder should be")
    with pytest.raises(StoreError, match="cannot be written to"):
        blobs.put(b"evidence")


def test_what_is_removed_is_not_there_and_removing_it_again_is_harmless(blobs):
    digest = blobs.put(b"evidence")
    blobs.remove(digest)
    blobs.remove(digest)
    assert not blobs.intact(digest)
    assert list(blobs.entries()) == []


def test_a_file_that_is_put_again_is_young_again(tmp_path, blobs):
    digest = blobs.put(b"evidence")
    long_ago = time.time() - 2 * GRACE.total_seconds()
    os.utime(file_of(tmp_path, digest), (long_ago, long_ago))
    blobs.put(b"evidence")
    (entry,) = blobs.entries()
    assert datetime.now(UTC) - entry.put < timedelta(minutes=1)


def test_which_file_is_damaged_can_be_asked(tmp_path, blobs):
    digest = blobs.put(b"evidence")
    file_of(tmp_path, digest).write_bytes(b"evidencE")
    for read in (blobs.get, blobs.path):
        with pytest.raises(DamagedBlob) as caught:
            read(digest)
        assert caught.value.digest == digest
