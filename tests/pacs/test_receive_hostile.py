"""Peers that break the protocol, lie about lengths, stall or go on for ever: the station stays as it was."""

import socket
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom.dsutils import encode
from sqlalchemy import func, select

from camlucida.dicom.header import read_header
from camlucida.errors import InputError
from camlucida.store.home import Home
from camlucida.store.tables import InstanceRow
from dicom import corrupted
from receiving_station import Station
from waiting import until

CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
SECONDS = 10.0  # that the station waits for a peer: a machine may stand still in the middle of what is right
PATIENCE = 120.0  # that we wait for the station
MEMORY = 64 << 20  # that all of these may take of the station, beyond what it has after its first instance
ABORT = b"\x07"


def item(kind, content):
    return struct.pack(">BBH", kind, 0, len(content)) + content


def pdu(kind, content):
    return struct.pack(">BBL", kind, 0, len(content)) + content


def request(called=b"CAMLUCIDA", calling=b"STRANGER"):
    contexts = b"".join(
        item(0x20, bytes([number, 0, 0, 0]) + item(0x30, uid.encode()) + item(0x40, IMPLICIT.encode()))
        for number, uid in ((1, VERIFICATION), (3, CT))
    )
    user = item(0x50, item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3"))
    head = struct.pack(">HH", 1, 0) + called.ljust(16) + calling.ljust(16) + bytes(32)
    return pdu(0x01, head + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user)


def value(content, control, context=3):
    return pdu(0x04, struct.pack(">LBB", len(content) + 2, context, control) + content)


def command(**elements):
    data = Dataset()
    for keyword, element in elements.items():
        setattr(data, keyword, element)
    data.CommandGroupLength = len(encode(data, True, True))
    return encode(data, True, True)


def store(uid="1.2.3.4", number=1):
    return command(AffectedSOPClassUID=CT, CommandField=1, MessageID=number, Priority=0, CommandDataSetType=0,
                   AffectedSOPInstanceUID=uid)  # fmt: skip


def implicit(data):
    return encode(data, is_implicit_vr=True, is_little_endian=True)


def small_ct(uid="1.2.3.4"):
    data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    data.SOPInstanceUID = uid
    return encode(data, True, True)


ECHO = command(AffectedSOPClassUID=VERIFICATION, CommandField=0x30, MessageID=1, CommandDataSetType=0x0101)
RELEASE = pdu(0x05, bytes(4))
DATA_SET = small_ct()
CONVERSATION = [
    request(), value(ECHO, 3, 1), value(store(), 3),
    *[value(DATA_SET[n : n + 8000], 0) for n in range(0, len(DATA_SET), 8000)], value(b"", 2), RELEASE,
]  # fmt: skip


@pytest.fixture(scope="module")
def station(tmp_path_factory):
    """One station for all: it must outlive them."""
    with Station(tmp_path_factory.mktemp("station"), SECONDS, 8, 1 << 20) as running:
        talk(running, b"".join(CONVERSATION))
        running.beginning = running.memory
        yield running
    assert "Traceback" not in running.stderr
    assert "CompressedSamples" not in running.stderr


@pytest.fixture(autouse=True)
def _unharmed(station):
    """It answers, its memory is bounded, and soon no thread and no file of a peer is left."""
    yield
    assert echoes(station)
    assert station.memory < station.beginning + MEMORY
    until(lambda: not parts(station) and alone(station))


def parts(station):
    return list((station.home / "blobs" / "parts").iterdir())


def alone(station):
    """Whether no peer has a thread there any more."""
    return station.watched.num_threads() <= 12


def connect(station):
    connection = socket.create_connection(("127.0.0.1", station.port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def talk(station, sent, *, seconds=PATIENCE):
    """Send, the first PDU alone; what comes until the station aborts or closes, or for so many seconds."""
    first = 6 + struct.unpack(">L", sent[2:6])[0] if len(sent) >= 6 else len(sent)
    with connect(station) as connection:
        try:
            connection.sendall(sent[:first])
            connection.settimeout(seconds)
            answer = heard(connection, once=True)  # else we would speak before we are accepted
            connection.sendall(sent[first:])
            return answer if is_over(answer) else answer + heard(connection)
        except (ConnectionResetError, BrokenPipeError):
            return b""


def converse(station, uid=b"1.2.3.4"):
    """One thing after the other: who releases before an answer has come may not get it."""
    answer = b""
    with connect(station) as connection:
        for part in (CONVERSATION[:1], CONVERSATION[1:2], CONVERSATION[2:-1], CONVERSATION[-1:]):
            connection.sendall(b"".join(part).replace(b"1.2.3.4", uid))
            answer += heard(connection, once=True)
    return answer


def heard(connection, *, once=False):
    answer = b""
    try:
        while chunk := connection.recv(65536):
            answer += chunk
            if once or is_over(answer):
                break
    except TimeoutError:
        return answer
    return answer


def is_over(answer):
    """Whether the station has aborted: then it is for us to close."""
    return kinds(answer)[-1:] == [ABORT]


def kinds(answer):
    """The types of the PDUs in an answer."""
    found = []
    while len(answer) >= 6:
        found.append(answer[:1])
        answer = answer[6 + struct.unpack(">L", answer[2:6])[0] :]
    return found


def echoes(station):
    said = subprocess.run(  # noqa: S603
        ["echoscu", "-to", "60", "-aec", "CAMLUCIDA", "127.0.0.1", str(station.port)],  # noqa: S607
        capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    return said.returncode == 0


def count(station):
    home = Home.open(station.home)
    with home.database.read() as session:
        number = session.scalar(select(func.count()).select_from(InstanceRow))
    home.close()
    return number


def test_the_conversation_that_the_others_spoil_is_sound(station):
    assert kinds(converse(station)) == [b"\x02", b"\x04", b"\x04", b"\x06"]
    assert count(station) == 1


@pytest.mark.slow
@settings(max_examples=120, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_spoilt_conversations(station, data):
    """Bits flipped, PDUs dropped, doubled, out of order, cut, with wrong lengths, with noise between them."""
    pdus = list(CONVERSATION)
    if data.draw(st.booleans(), label="other order"):
        pdus = data.draw(st.lists(st.sampled_from(CONVERSATION), max_size=10))
    whole = bytearray(b"".join(pdus))
    places = st.integers(0, max(0, len(whole) - 1))
    for place in data.draw(st.lists(places | st.integers(0, 400), max_size=6), label="flipped"):
        if place < len(whole):
            whole[place] ^= data.draw(st.integers(1, 255))
    if data.draw(st.booleans(), label="wrong length"):
        begins = [sum(map(len, pdus[:n])) for n in range(len(pdus))] or [0]
        begin = data.draw(st.sampled_from(begins)) + data.draw(st.sampled_from([2, 6]))
        whole[begin : begin + 4] = struct.pack(">L", data.draw(st.sampled_from(
            [0, 1, 2, 5, 255, 16384, 1 << 20, (1 << 20) + 1, 1 << 31, (1 << 32) - 1]
        )))  # fmt: skip
    whole = whole[: data.draw(places | st.just(len(whole)), label="cut")]
    talk(station, bytes(whole), seconds=0.05)
    assert count(station) >= 1


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(noise=st.binary(max_size=300), control=st.integers(0, 255), context=st.integers(0, 255))
def test_noise_where_a_command_belongs(station, noise, control, context):
    talk(station, request() + value(noise, control, context), seconds=0.1)


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(noise=st.binary(max_size=200), kind=st.integers(0, 9))
def test_noise_where_an_association_request_belongs(station, noise, kind):
    talk(station, pdu(kind, noise), seconds=0.05)


@pytest.mark.parametrize("before", [b"", request()], ids=["at first", "within an association"])
def test_a_pdu_that_claims_four_gigabytes_is_not_waited_for(tmp_path, before):
    with Station(tmp_path, 10 * PATIENCE) as station:
        begin = time.monotonic()
        answer = talk(station, before + struct.pack(">BBL", 4, 0, 0xFFFFFFFF) + bytes(100_000))
        assert time.monotonic() - begin < PATIENCE
    assert kinds(answer)[-1:] in ([ABORT], [])  # a reset may overtake it, as there is unread data


def test_a_data_set_without_an_end_is_aborted_at_the_bound(station):
    before = count(station)
    with connect(station) as connection:
        connection.sendall(request())
        assert connection.recv(6)[:1] == b"\x02"
        connection.sendall(value(store("1.2.3.5"), 3))
        sent = 0
        with suppress(ConnectionResetError, BrokenPipeError):
            while sent < 1 << 30:
                connection.sendall(value(bytes(100_000), 0))
                sent += 100_000
    assert sent < 16 << 20  # the bound of 1 MiB and what lay in the buffers of both sides
    assert count(station) == before


def test_a_command_without_an_end_is_aborted(station):
    answer = talk(station, request() + value(bytes(1000), 1) * 20)
    assert kinds(answer) == [b"\x02", ABORT]


@pytest.mark.parametrize(
    "pdus",
    [
        [value(b"", 3)],
        [value(DATA_SET, 2)],
        [value(store(), 3), value(ECHO, 3, 1)],
        [value(store(), 3), value(DATA_SET[:100], 0, 1)],
        [value(ECHO, 3, 5)],
        [value(store(), 3, 7), value(DATA_SET, 2, 7)],
        [value(command(AffectedSOPClassUID=CT, CommandField=0x20, MessageID=1, CommandDataSetType=0), 3)],
        [value(command(CommandField=0x100, MessageID=1, CommandDataSetType=0x0101), 3)] * 50,
        [value(command(CommandField=0x7777, MessageID=1, CommandDataSetType=0x0101), 3)],
        [value(command(CommandField=1, MessageID=1, CommandDataSetType=0), 3), value(DATA_SET, 2)],
        [request()],
        [pdu(0x02, bytes(68))],
    ],
    ids=["no control byte", "data first", "command within data", "data of another context", "unknown context",
         "rejected context", "C-FIND", "N-EVENT-REPORTs", "unknown command", "no UIDs", "request again",
         "an acceptance"],
)  # fmt: skip
def test_what_was_not_agreed_upon_is_aborted(station, pdus):
    before = count(station)
    answer = talk(station, b"".join([request(), *pdus]))
    assert kinds(answer) == [b"\x02", ABORT]
    assert count(station) == before


def test_messages_without_waiting_for_answers_are_bounded(station):
    pdus = [value(store(f"1.2.9.{n}", n), 3) + value(small_ct(f"1.2.9.{n}"), 2) for n in range(60)]
    answer = talk(station, request() + b"".join(pdus))
    assert kinds(answer)[-1:] in ([ABORT], [])
    assert count(station) < 60


def test_peers_that_stall_are_let_go_and_others_are_served_meanwhile(station):
    begin = time.monotonic()
    stalled = [connect(station) for _ in range(12)]
    for number, connection in enumerate(stalled):
        connection.sendall(b"".join(CONVERSATION)[: 1 + 37 * number])
    assert echoes(station)
    for connection in stalled:
        with connection, suppress(ConnectionResetError):
            while connection.recv(65536):  # ends when the station closes it; a timeout is an error
                pass
    assert time.monotonic() - begin < PATIENCE


def test_one_byte_at_a_time_is_too_slow(station):
    begin = time.monotonic()
    with connect(station) as connection, suppress(ConnectionResetError, BrokenPipeError):
        for byte in request():
            connection.sendall(bytes([byte]))
            time.sleep(0.3)
        pytest.fail("it was waited for")
    assert time.monotonic() - begin < PATIENCE


def test_more_connections_than_there_is_room_for(station):
    many = [connect(station) for _ in range(80)]
    for connection in many:
        connection.close()
    until(lambda: echoes(station))


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_associations_that_are_cut_leave_nothing_half_and_the_whole_comes_once(station, reset):
    before, uid = count(station), b"1.2.7.%d" % reset
    whole = b"".join(CONVERSATION).replace(b"1.2.3.4", uid)
    end = len(whole) - len(RELEASE) - len(value(b"", 2))
    for place in range(1, end, end // 25):
        until(lambda: alone(station))  # those who were cut before may have every seat still
        with connect(station) as connection:
            connection.sendall(whole[: min(place, len(request()))])
            if place > len(request()):
                assert connection.recv(65536)[:1] == b"\x02"
                connection.sendall(whole[len(request()) : place])
            if place % 2:
                time.sleep(0.02)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.5)
    assert count(station) == before
    for _ in range(2):  # whole at last, and once more
        assert kinds(converse(station, uid)) == [b"\x02", b"\x04", b"\x04", b"\x06"]
        assert count(station) == before + 1


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "693_J2KI.dcm"])
def test_headers_of_corrupted_files(name, tmp_path, monkeypatch):
    monkeypatch.setattr(corrupted, "FOLDER", tmp_path, raising=False)
    path, read, said = tmp_path / "variant.dcm", 0, []
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    for title, content, _ in corrupted.variants(name):
        path.write_bytes(content)
        begin = time.thread_time()  # not what others take of the machine
        try:
            header = read_header(path)
        except InputError as error:
            said.append(str(error))
        else:
            read += 1
            assert all(len(uid) <= 64 for uid in (header.sop_instance_uid, header.study_instance_uid))
            assert len(repr(header.attributes)) < 100_000
        assert time.thread_time() - begin < 5, title
    assert read > 10
    assert said
    assert all(line.startswith("variant.dcm: ") and "\n" not in line for line in said)


def test_headers_of_noise(tmp_path):
    whole = Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes()[:6000]

    @settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(places=st.lists(st.tuples(st.integers(132, 5999), st.binary(max_size=6)), max_size=8))
    def try_one(places):
        damaged = bytearray(whole)
        for place, noise in places:
            damaged[place : place + len(noise)] = noise
        (tmp_path / "noise.dcm").write_bytes(damaged)
        with suppress(InputError):
            read_header(tmp_path / "noise.dcm")

    try_one()
