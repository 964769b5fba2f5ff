import hashlib
import os
import secrets
from contextlib import closing

import pytest

from camlucida.errors import DamagedBlob, NotAnswering, StoreError
from camlucida.settings import Settings
from camlucida.store import bucket as module
from camlucida.store import home as home_module
from camlucida.store.bucket import Bucket
from camlucida.store.home import Home
from s3 import BUCKET

pytestmark = pytest.mark.usefixtures("s3")


@pytest.fixture
def prefix():
    return secrets.token_hex(8)


@pytest.fixture
def bucket(tmp_path, prefix):
    return Bucket(tmp_path / "blobs", f"s3://{BUCKET}/{prefix}", cache_bytes=1000)


def place(digest):
    return f"sha256/{digest[:2]}/{digest}"


def test_bytes_lie_under_their_sha256_and_come_back(bucket, s3, prefix):
    digest = bucket.put(b"evidence")
    assert digest == hashlib.sha256(b"evidence").hexdigest()
    assert bytes(s3.raw(prefix).get(place(digest)).bytes()) == b"evidence"
    assert bucket.get(digest) == b"evidence"
    assert list(bucket.sizes()) == [(digest, 8)]
    assert list(bucket._parts.iterdir()) == []


def test_a_large_file_goes_in_pieces_and_comes_back_in_ranges(tmp_path, bucket, monkeypatch):
    monkeypatch.setattr(module, "RANGE_BYTES", 5_000_000)
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 50_000)  # 12.8 MB: more than one part of an upload
    digest = bucket.put_file(path)
    assert bucket.intact(digest)
    assert bucket.path(digest).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("damage", [b"evidencE", b"evid", b""])
def test_a_damaged_file_is_told_and_putting_it_again_mends(bucket, s3, prefix, damage):
    digest = bucket.put(b"evidence")
    s3.overwrite(prefix, place(digest), damage)
    assert not bucket.intact(digest)
    for read in (bucket.get, bucket.path):
        with pytest.raises(DamagedBlob, match=f"{digest[:12]}… is damaged"):
            read(digest)
    bucket.put(b"evidence")
    assert bucket.get(digest) == b"evidence"


def test_a_missing_file_is_told(bucket):
    digest = bucket.put(b"evidence")
    bucket.remove(digest)
    bucket.remove(digest)
    for read in (bucket.get, bucket.path):
        with pytest.raises(DamagedBlob, match="is missing") as caught:
            read(digest)
        assert caught.value.digest == digest
    assert not bucket.intact(digest)


def test_copies_are_checked_and_bounded_the_oldest_going_first(bucket):
    digests = [bucket.put(bytes([n]) * 400) for n in range(3)]
    for age, digest in enumerate(digests[:2]):
        os.utime(bucket.path(digest), (1000 + age, 1000 + age))
    bucket.path(digests[0]).write_bytes(b"another content")  # asked for just now, and damaged
    assert bucket.path(digests[0]).read_bytes() == bytes([0]) * 400
    bucket.path(digests[2])
    assert {path.name for path in bucket._cache.iterdir()} == {digests[0], digests[2]}


def test_a_bucket_that_is_gone_is_not_taken_for_missing_files(tmp_path):
    gone = Bucket(tmp_path / "blobs", "s3://no-such-bucket/x")
    for ask in (lambda: gone.get("a" * 64), lambda: gone.put(b"x"), lambda: list(gone.sizes())):
        with pytest.raises(NotAnswering, match="s3://no-such-bucket/x"):
            ask()


def test_a_store_that_does_not_answer_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(module, "RETRIES", {"max_retries": 0})
    silent = Bucket(tmp_path / "blobs", "s3://bucket/x")
    for ask in (
        lambda: silent.get("a" * 64),
        lambda: silent.path("a" * 64),
        lambda: silent.intact("a" * 64),
        lambda: silent.put(b"x"),
        lambda: list(silent.sizes()),
    ):
        with pytest.raises(NotAnswering, match="does not answer") as caught:
            ask()
        assert "made-up" not in str(caught.value)


def test_images_do_not_travel_in_the_clear_unless_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://192.0.2.1")  # TEST-NET-1: nobody
    with pytest.raises(StoreError, match="AWS_ALLOW_HTTP=true"):
        Bucket(tmp_path / "blobs", "s3://bucket/x").get("a" * 64)


def test_a_home_keeps_its_files_where_the_setting_says(tmp_path, prefix, monkeypatch):
    url = f"s3://{BUCKET}/{prefix}"
    monkeypatch.setattr(home_module, "settings", lambda: Settings(blobs_url=url))
    with closing(Home.open(tmp_path / "home")) as opened:
        digest = opened.blobs.put(b"evidence")
    assert Bucket(tmp_path / "blobs", url).get(digest) == b"evidence"
