from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from camlucida.web.dicomweb import multipart
from camlucida.web.dicomweb.multipart import LONGEST_HEADERS, LONGEST_PREAMBLE, Malformed, Piece, Reader


class Parts:
    """Keeps what a reader finds."""

    def __init__(self):
        self.headers, self.contents, self.whole = [], [], 0

    def begin(self, headers):
        self.headers.append(headers)
        self.contents.append(b"")

    def content(self, content):
        self.contents[-1] += content

    def end(self):
        self.whole += 1


def read(message, boundary="b", cuts=()):
    """The parts of a message that comes in pieces, cut at these places."""
    parts = Parts()
    reader = Reader(boundary, parts)
    for begin, end in pairwise([0, *sorted(cuts), len(message)]):
        reader.feed(message[begin:end])
    reader.finish()
    return parts


def message(*contents, boundary=b"b", head=b"Content-Type: application/dicom\r\n"):
    parts = b"".join(b"--" + boundary + b"\r\n" + head + b"\r\n" + one + b"\r\n" for one in contents)
    return parts + b"--" + boundary + b"--\r\n"


@given(
    st.lists(st.binary(max_size=200), min_size=1, max_size=4),
    st.lists(st.integers(0, 1000), max_size=8),
    st.sampled_from(["b", "--", "a b", "0" * 70, "'()+_,-./:=?"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_parts_are_found_however_the_message_is_cut(contents, cuts, boundary):
    delimiter = f"\r\n--{boundary}".encode()
    contents = [one for one in contents if delimiter not in b"\r\n" + one + b"\r\n-"] or [b"x"]
    sent = message(*contents, boundary=boundary.encode())
    found = read(sent, boundary, [cut for cut in cuts if cut < len(sent)])
    assert found.contents == contents
    assert found.whole == len(contents)


@given(st.lists(st.binary(max_size=300), max_size=4), st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_read_and_as_long_as_it_says(contents, data):
    pieces = [Piece("application/dicom", "/x", len(one), lambda one=one: (one,)) for one in contents]
    written = multipart.write(pieces, "application/dicom")
    sent = b"".join(written.content)
    assert len(sent) == written.length
    boundary = written.content_type.partition("boundary=")[2]
    cut = data.draw(st.integers(0, len(sent)))
    assert read(sent, boundary, [cut]).contents == contents


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_are_parts_or_a_sentence(content, cuts):
    sent = content.replace(b"\x00", b"\r\n--b").replace(b"\x01", b"--").replace(b"\x02", b"\r\n")
    try:
        found = read(sent, "b", [cut for cut in cuts if cut < len(sent)])
    except Malformed:
        return
    assert found.whole == len(found.contents)


@given(st.lists(st.integers(0, 60), max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_cuts_never_change_what_is_found(cuts):
    sent = b"preamble\r\n--b  \r\n\r\n\r\n--b\r\nA: 1\r\n\r\nx\r\n--\r\n--b--epilogue\r\n--b\r\n"
    found = read(sent, "b", cuts)
    assert found.contents == [b"", b"x\r\n--"]
    assert found.headers == [{}, {"a": "1"}]


@pytest.mark.parametrize("boundary", ["", "x" * 71, "é", "b\r\n", 'b"', "b "])
def test_a_boundary_that_is_none_is_refused(boundary):
    with pytest.raises(Malformed, match="boundary"):
        Reader(boundary, Parts())


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (b"", "closing boundary"),
        (b"--b\r\n\r\nx", "closing boundary"),
        (b"--b\r\nA: 1\r\n", "closing boundary"),
        (b"--b and more\r\n\r\nx\r\n--b--", "behind a boundary"),
        (b"--b" + b" " * 1000, "behind a boundary"),
        (b"--b\r\nno colon\r\n\r\nx\r\n--b--", "no colon"),
        (b"--b\r\n" + b"A: 1\r\n" * (LONGEST_HEADERS // 6 + 1), "longer than"),
        (b"--b\r\nA: " + b"x" * LONGEST_HEADERS, "longer than"),
        (b"x" * (LONGEST_PREAMBLE + 100), "No part begins"),
    ],
)
def test_a_message_that_breaks_the_rules_is_a_sentence(sent, why):
    with pytest.raises(Malformed, match=why):
        read(sent)


def test_a_long_part_is_handed_on_as_it_comes():
    parts = Parts()
    reader = Reader("b", parts)
    reader.feed(b"--b\r\n\r\n")
    for _ in range(100):
        reader.feed(bytes(10_000))
        assert len(reader._buffer) < 100
    assert len(parts.contents[0]) > 990_000
