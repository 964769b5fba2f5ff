"""Real senders (dcmtk, pynetdicom) store into the station, and what they sent is there."""

import re
import resource
import socket
import subprocess
import time
import tomllib
from pathlib import Path

import data_store
import pydicom
import pytest
import structlog
from pydicom.data import get_testdata_file
from pynetdicom import AE, build_context

from camlucida.dicom.header import file_meta
from camlucida.errors import InvalidConfiguration
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.pacs import receive
from camlucida.pacs.acceptor import Bounds
from camlucida.pacs.configuration import Configuration, Listening, Peer, Tls
from camlucida.pacs.receive import Receiver
from camlucida.pacs.tls import server_side
from camlucida.store import instances
from camlucida.store.tables import InstanceRow
from orthanc import free_port
from storescu import associated, send, storescu
from waiting import until

DATA = Path(data_store.__file__).parent / "data"
RG1 = [DATA / f"RG1_{syntax}.dcm" for syntax in ("UNCI", "UNCR", "J2KR", "J2KI")]


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def receiver(home):
    with Receiver(home, Listening(port=0)) as running:
        yield running


@pytest.fixture
def logged():
    with structlog.testing.capture_logs() as lines:
        yield lines


@pytest.fixture
def ct(tmp_path):
    """A function that writes a small CT slice, changed as asked."""

    def write(name="ct.dcm", **changes):
        data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
        for keyword, value in changes.items():
            setattr(data, keyword, value)
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        data.save_as(tmp_path / name)
        return tmp_path / name

    return write


def kept(home):
    with home.database.read() as session:
        return session.query(InstanceRow).order_by(InstanceRow.id).all()


def content(path):
    """The bytes of a file's data set."""
    return path.read_bytes()[file_meta(path)[1] :]


def parts(home):
    return list((home.folder / "blobs" / "parts").iterdir())


def test_echo(receiver):
    said = subprocess.run(  # noqa: S603
        ["echoscu", "-v", "-aec", "CAMLUCIDA", "127.0.0.1", str(receiver.port)],  # noqa: S607
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert said.returncode == 0
    assert "Received Echo Response (Success)" in said.stderr


def test_a_phantom_study_arrives_whole(receiver, home, tmp_path):
    film = tmp_path / "film.dcm"
    write_radiograph(radiograph(7, (), rows=150), film)
    files = [film, *write_ct(ct_volume(8, (), slices=3, rows=32), tmp_path / "ct")]
    said = storescu(receiver.port, files)
    assert said.returncode == 0, said.stderr
    assert said.stderr.count("Received Store Response (Success)") == len(files)
    rows = kept(home)
    assert [row.sender for row in rows] == ["MODALITY"] * 4
    for row, path in zip(rows, files, strict=True):
        here = pydicom.dcmread(home.blobs.path(row.digest))
        assert here == pydicom.dcmread(path)
        assert here.file_meta.TransferSyntaxUID == row.transfer_syntax_uid
    with home.database.read() as session:
        assert len(instances.of_study(session, rows[1].study_instance_uid)) == 3
    assert not parts(home)


@pytest.mark.parametrize("path", RG1, ids=lambda path: path.stem)
def test_a_real_radiograph_in_each_transfer_syntax_keeps_its_bytes(receiver, home, path):
    assert send(receiver.port, path) == [0x0000]
    (row,) = kept(home)
    assert content(home.blobs.path(row.digest)) == content(path)
    assert row.transfer_syntax_uid == file_meta(path)[0].TransferSyntaxUID


def test_storescu_sends_the_transfer_syntaxes_that_it_offers(receiver, home):
    for path, option in zip(RG1, ("-xe", "-xe", "-xv", "-xw"), strict=True):
        said = storescu(receiver.port, [path], option)
        assert "Received Store Response (Success)" in said.stderr
    uids = [file_meta(path)[0].TransferSyntaxUID for path in RG1]
    assert [row.transfer_syntax_uid for row in kept(home)] == uids


@pytest.mark.parametrize("name", ["eCT_Supplemental.dcm", "emri_small_jpeg_ls_lossless.dcm", "color-pl.dcm"])
def test_multi_frame_and_palette(receiver, home, name):
    assert send(receiver.port, DATA / name) == [0x0000]
    (row,) = kept(home)
    assert content(home.blobs.path(row.digest)) == content(DATA / name)


@pytest.mark.parametrize("name", ["reportsi.dcm", "test-SR.dcm", "ECG"])
def test_what_is_no_image_is_taken_too(receiver, home, ct, name):
    if name == "ECG":
        path = ct(SOPClassUID="1.2.840.10008.5.1.4.1.1.9.1.1")
    else:
        path = Path(str(get_testdata_file(name, download=False)))
    assert send(receiver.port, path) == [0x0000]
    assert content(home.blobs.path(kept(home)[0].digest)) == content(path)


@pytest.mark.parametrize(
    "sop_class", ["1.3.12.2.1107.5.9.1", "1.2.840.10008.5.1.4.1.1.999.1"], ids=["private", "newer than we"]
)
def test_unknown_storage_classes_are_taken_too(receiver, home, ct, sop_class):
    assert send(receiver.port, ct(SOPClassUID=sop_class)) == [0x0000]
    assert kept(home)[0].sop_class_uid == sop_class


def test_services_that_are_not_ours_are_not_accepted(receiver):
    find, inventory = "1.2.840.10008.5.1.4.1.2.2.1", "1.2.840.10008.5.1.4.1.1.201.2"
    association = AE().associate(
        "127.0.0.1", receiver.port, [build_context(find), build_context(inventory)], "CAMLUCIDA"
    )
    assert not association.is_established


def test_explicit_vr_is_preferred_to_implicit_whatever_the_order(receiver):
    context = build_context("1.2.840.10008.5.1.4.1.1.2", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"])
    association = AE().associate("127.0.0.1", receiver.port, [context], "CAMLUCIDA")
    (accepted,) = association.accepted_contexts
    association.release()
    assert accepted.transfer_syntax == ["1.2.840.10008.1.2.1"]


def test_sent_twice_it_is_answered_success_and_kept_once(receiver, home, ct):
    path = ct()
    assert send(receiver.port, path, path) == [0, 0]
    assert len(kept(home)) == 1
    assert not parts(home)


def test_the_same_uid_with_other_content_is_answered_success_kept_apart_and_logged(
    receiver, home, ct, logged
):
    assert send(receiver.port, ct("a.dcm"), ct("b.dcm", PatientName="Doe^Jane")) == [0, 0]
    assert [row.conflicting for row in kept(home)] == [False, True]
    (line,) = [line for line in logged if "same SOP Instance UID" in line["event"]]
    assert (line["sender"], line["row"], line["log_level"]) == ("MODALITY", kept(home)[1].id, "warning")


def test_a_called_ae_title_that_is_not_ours_is_rejected(receiver, ct, logged):
    said = storescu(receiver.port, [ct()], called="OTHER")
    assert said.returncode != 0
    assert "Called AE Title Not Recognized" in said.stderr
    assert logged[0]["reason"] == "called AE title not recognized"


@pytest.mark.parametrize(
    ("peers", "calling", "welcome"),
    [
        ((Peer(ae_title="MODALITY"),), "MODALITY", True),
        ((Peer(ae_title="MODALITY"),), "STRANGER", False),
        ((Peer(ae_title="OTHER"), Peer(ae_title="MODALITY", address="127.0.0.1")), "MODALITY", True),
        ((Peer(ae_title="MODALITY", address="127.0.0.0/8"),), "MODALITY", True),
        ((Peer(ae_title="MODALITY", address="10.1.2.3"),), "MODALITY", False),
    ],
)
def test_peers_are_known_by_ae_title_and_address(home, ct, peers, calling, welcome):
    with Receiver(home, Listening(port=0, peers=peers)) as receiver:
        said = storescu(receiver.port, [ct()], calling=calling)
    assert ("Received Store Response (Success)" in said.stderr) is welcome
    assert ("Calling AE Title Not Recognized" in said.stderr) is not welcome
    assert len(kept(home)) == welcome


def test_one_association_too_many_is_rejected_for_the_moment(home, ct):
    with Receiver(home, Listening(port=0, associations=2)) as receiver:
        with associated(receiver.port), associated(receiver.port):
            said = storescu(receiver.port, [ct()])
            assert "Local Limit Exceeded" in said.stderr
            assert "Rejected Transient" in said.stderr
        until(lambda: not receiver._server._seats)
        assert send(receiver.port, ct()) == [0]


def test_a_data_set_with_other_uids_than_its_command_is_refused(receiver, home, ct, logged):
    path = ct()
    data = pydicom.dcmread(path)
    data.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"  # what goes into the command
    data.save_as(path)
    assert send(receiver.port, path) == [0xA900]
    assert (kept(home), parts(home)) == ([], [])
    assert logged[-1]["status"] == "A900"


@pytest.mark.parametrize("garbage", [b"", b"Dear colleague, " * 100, b"\xff" * 3000, bytes(100)])
def test_what_is_no_data_set_is_refused(receiver, home, ct, garbage, logged):
    path = ct()
    whole = path.read_bytes()
    path.write_bytes(whole[: file_meta(path)[1]] + garbage)
    assert send(receiver.port, path) == [0xC000]
    assert (kept(home), parts(home)) == ([], [])
    assert logged[-1]["status"] == "C000"


def test_a_full_disk_is_told_and_afterwards_the_station_goes_on(receiver, home, ct, logged):
    path = ct(PixelData=b"\0\1" * (1 << 20), Rows=1024, Columns=1024)
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, unlimited[1]))
    try:
        assert send(receiver.port, path) == [0xA700]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert (kept(home), parts(home)) == ([], [])
    assert logged[-1]["status"] == "A700"
    assert send(receiver.port, path) == [0]


def test_a_database_that_cannot_be_written_is_told(receiver, home, ct, logged):
    with home.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE deliveries")
        connection.exec_driver_sql("DROP TABLE instances")
    assert send(receiver.port, ct()) == [0x0110]
    assert not parts(home)
    assert logged[-1]["status"] == "0110"


def test_an_instance_beyond_the_bound_ends_the_association_and_leaves_nothing(home, ct, logged):
    path = ct(PixelData=b"\0\1" * (1 << 20), Rows=1024, Columns=1024)
    with Receiver(home, Listening(port=0), Bounds(2, instance_bytes=1 << 20)) as receiver:
        assert send(receiver.port, path) == [None]
        assert (kept(home), parts(home)) == ([], [])
        assert send(receiver.port, ct()) == [0]
    assert logged[0]["reason"] == "an instance is larger than max_file_bytes"


def test_what_we_have_asked_for_is_told_from_what_was_sent(receiver, home, ct):
    path = ct()
    with associated(receiver.port, path) as association:
        assert association.send_c_store(path, originator_aet="CAMLUCIDA", originator_id=1).Status == 0
    assert kept(home)[0].origin == "fetched"


def test_the_log_holds_no_patient(receiver, ct, logged):
    path = ct(PatientName="Doe^Jane", PatientID="ID-4711", StudyInstanceUID="1.2.3.4.5")
    broken = ct("broken.dcm", PatientName="Doe^Jane", SOPInstanceUID="1.2.3.4.6")
    broken.write_bytes(broken.read_bytes()[:700])
    send(receiver.port, path, path, broken)
    said = repr(logged)
    assert len(logged) == 3
    assert not [word for word in ("Doe", "4711", "1.2.3.4", "CompressedSamples") if word in said]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "station.example"])  # noqa: S104 - is refused
def test_other_machines_are_let_in_only_when_they_are_known(home, host):
    with pytest.raises(InvalidConfiguration, match="anyone could send; list who may in `peers`"):
        Receiver(home, Listening(host=host, port=0))
    Receiver(home, Listening(host=host, port=0, peers=(Peer(ae_title="MODALITY"),)))


def test_an_address_that_is_none_is_told(home):
    with pytest.raises(InvalidConfiguration, match="the address “ct-room-3”; give an IP address"):
        Receiver(home, Listening(peers=(Peer(ae_title="CT", address="ct-room-3"),)))


def test_a_port_that_is_taken_is_told(home, receiver):
    with pytest.raises(InvalidConfiguration, match=rf"port {receiver.port} cannot be listened on"):
        Receiver(home, Listening(port=receiver.port)).start()


def test_it_ends_at_once_while_peers_are_connected(home, ct, monkeypatch):
    monkeypatch.setattr(receive, "ENDING_SECONDS", 600.0)
    patient = Bounds(16, 1 << 28, opening_seconds=600, pdu_seconds=600, idle_seconds=600)
    port = free_port()
    receiver = Receiver(home, Listening(port=port), patient)
    receiver.start()
    with associated(port), socket.create_connection(("127.0.0.1", port)):
        begin = time.monotonic()
        receiver.stop()
        assert time.monotonic() - begin < 120
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with Receiver(home, Listening(port=port)) as again:  # the same port, and it works
        assert send(again.port, ct()) == [0]


def test_the_examples_of_the_page_are_configurations():
    page = Path(__file__).parents[2] / "docs" / "how-to" / "receive-studies.md"
    blocks = re.findall(r"^```toml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    found = [Configuration.model_validate(tomllib.loads(block)).listen for block in blocks]
    assert [len(listening.peers) for listening in found] == [3, 0, 0]
    assert found[1].tls
    assert len(found[2].folders) == 2


# --- TLS ---


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority with a certificate of ours and one of a modality, and a stranger's."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=folder)  # noqa: S603, S607

    for name in ("authority", "stranger"):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.pem")  # fmt: skip
    for name in ("station", "modality"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-days", "2", "-in", f"{name}.csr", "-CA", "authority.pem", "-CAkey",
                "authority.key", "-CAcreateserial", "-out", f"{name}.pem")  # fmt: skip
    openssl("rsa", "-aes128", "-passout", "pass:secret", "-in", "station.key", "-out", "locked.key")
    return folder


def tls_of(folder, **changes):
    names = {"certificate": "station.pem", "key": "station.key", "authority": "authority.pem"} | changes
    return Tls(**{word: folder / name for word, name in names.items() if name})


def with_certificate(folder, name):
    return [
        "+tls",
        str(folder / f"{name}.key"),
        str(folder / f"{name}.pem"),
        "+cf",
        str(folder / "authority.pem"),
    ]


def test_a_modality_with_a_certificate_sends_through_tls(home, ct, certificates):
    with Receiver(home, Listening(port=0, tls=tls_of(certificates))) as receiver:
        said = storescu(receiver.port, [ct(), *RG1[:1]], "-R", *with_certificate(certificates, "modality"))
    assert said.stderr.count("Received Store Response (Success)") == 2, said.stderr
    assert len(kept(home)) == 2


def test_strangers_and_plain_text_do_not_get_through(home, ct, certificates, logged):
    with Receiver(home, Listening(port=0, tls=tls_of(certificates))) as receiver:
        for options in (with_certificate(certificates, "stranger"), ["+tla", "-ic"], []):
            said = storescu(receiver.port, [ct()], *options)
            assert "Received Store Response" not in said.stderr
        until(lambda: [line["event"] for line in logged] == ["connection ended"] * 3)
        assert storescu(receiver.port, [ct()], *with_certificate(certificates, "modality")).returncode == 0
    assert len(kept(home)) == 1


def test_a_handshake_that_hangs_keeps_nobody_else_waiting(home, ct, certificates):
    with (
        Receiver(home, Listening(port=0, tls=tls_of(certificates))) as receiver,
        socket.create_connection(("127.0.0.1", receiver.port)),
    ):
        said = storescu(receiver.port, [ct()], *with_certificate(certificates, "modality"))
    assert "Received Store Response (Success)" in said.stderr


def test_tls_is_at_least_1_2_and_has_forward_secrecy(certificates):
    context = server_side(tls_of(certificates))
    assert context.minimum_version.name == "TLSv1_2"
    names = [cipher["name"] for cipher in context.get_ciphers()]
    assert names
    assert all(name.startswith(("TLS_", "ECDHE-")) and ("GCM" in name or "CHACHA" in name) for name in names)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "modality.key"},
        {"certificate": "missing.pem"},
        {"key": "locked.key"},
        {"authority": "station.key"},
    ],
    ids=["another's key", "missing", "password", "no authority"],
)
def test_certificates_that_cannot_be_used_are_told(home, certificates, changes):
    with pytest.raises(InvalidConfiguration, match=r"cannot be used .* give PEM files"):
        Receiver(home, Listening(tls=tls_of(certificates, **changes)))


def test_tls_that_asks_for_no_certificate_does_not_open_the_door(home, certificates):
    open_to_all = Listening(host="0.0.0.0", port=0, tls=tls_of(certificates, authority=None))  # noqa: S104
    with pytest.raises(InvalidConfiguration, match="anyone could send"):
        Receiver(home, open_to_all)


def test_nobody_waits_for_a_search_for_all_garbage(receiver, monkeypatch):
    """pynetdicom's server makes one each sixtieth time that it looks around: for 0.2 s nobody is answered."""
    searches = []
    monkeypatch.setattr("pynetdicom.transport.gc.collect", lambda: searches.append(1))
    for _ in range(100):
        receiver._server.service_actions()
    assert not searches
