"""Studies and priors come from a real PACS by every way, and nobody else's come along."""

import os

import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless
from pynetdicom import AE, evt
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelMove

from camlucida.errors import InputError, NotReached
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.pacs import fetch as fetching
from camlucida.pacs import search as searching
from camlucida.pacs.configuration import DicomWeb, Dimse, Listening
from camlucida.pacs.fetch import Way, fetch
from camlucida.pacs.receive import Receiver
from camlucida.pacs.search import Query, Study, find_priors, find_studies
from camlucida.store import instances
from camlucida.store.tables import Origin
from orthanc import HOST, Orthanc, free_port
from scp import serving

OURS = "CAMLUCIDA"
STRICT = {"UnknownSopClassAccepted": False}  # or it would take whatever is no query for an object
STUDIES = {  # UID: patient, accession number, date, modality, body part, instances
    "1.2.1": ("P1", "A1", "20240105", "DX", "CHEST", 2),
    "1.2.2": ("P1", "A2", "20230105", "DX", "CHEST", 1),
    "1.2.3": ("P1", "A3", "20220105", "DX", "HAND", 1),
    "1.2.4": ("P1", "A4", "20210105", "CT", "CHEST", 1),
    "1.2.5": ("P1", "A5", "20200105", "DX", "CHEST", 1),
    "1.2.6": ("P1", "A6", "20250105", "DX", "CHEST", 1),  # later
    "1.2.7": ("P2", "A7", "20200105", "DX", "CHEST", 1),  # somebody else
    "1.2.8": ("P1", "A8", "20190105", "DX", "", 1),  # nobody says of what
}


@pytest.fixture(scope="module")
def port():
    return free_port()


@pytest.fixture(scope="module")
def archive(tmp_path_factory, port):
    """An Orthanc with the studies."""
    folder = tmp_path_factory.mktemp("archive")
    write_radiograph(radiograph(1, rows=64), folder / "film.dcm")
    with Orthanc(folder / "orthanc", modalities={OURS: port}, options=STRICT) as running:
        for uid, (patient, accession, date, modality, part, number) in STUDIES.items():
            for n in range(number):
                data = dcmread(folder / "film.dcm")
                data.StudyInstanceUID, data.SeriesInstanceUID = uid, f"{uid}.1"
                data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"{uid}.1.{n + 1}"
                data.PatientID, data.AccessionNumber, data.StudyDate = patient, accession, date
                data.Modality, data.BodyPartExamined = modality, part
                if uid == "1.2.2":
                    data.compress(JPEG2000Lossless, generate_instance_uid=False)
                data.save_as(folder / "next.dcm")
                running.put(folder / "next.dcm")
        yield running


@pytest.fixture(params=["dicomweb", "dimse"])
def source(request, archive):
    if request.param == "dicomweb":
        return DicomWeb(kind="dicomweb", url=archive.dicomweb_url)
    return Dimse(kind="dimse", ae_title="ORTHANC", host=HOST, port=archive.dicom_port)


@pytest.fixture
def home(new_home, tmp_path):
    opened = new_home(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def listening(port):
    return Listening(ae_title=OURS, host=HOST, port=port)


def uids(studies):
    return [study.uid for study in studies]


def kept(home, study_uid):
    with home.database.read() as session:
        return [
            (row.sop_instance_uid, row.origin, row.sender) for row in instances.of_study(session, study_uid)
        ]


def test_a_study_is_found_by_each_of_its_names(source):
    (study,) = find_studies(source, Query(study_instance_uid="1.2.1"))
    assert study == ("1.2.1", "P1", "A1", "20240105", study.time, ("DX",), 2)
    assert uids(find_studies(source, Query(accession_number="A7"))) == ["1.2.7"]
    assert uids(find_studies(source, Query(patient_id="P2"))) == ["1.2.7"]
    assert len(find_studies(source, Query(patient_id="P1"))) == 7
    assert uids(find_studies(source, Query(patient_id="P1", modality="CT"))) == ["1.2.4"]
    assert find_studies(source, Query(accession_number="A1", patient_id="P2")) == []
    assert find_studies(source, Query(accession_number="NONE")) == []


def test_priors_are_earlier_alike_and_newest_first(source):
    (study,) = find_studies(source, Query(study_instance_uid="1.2.1"))
    assert uids(find_priors(source, study, 9)) == ["1.2.2", "1.2.5", "1.2.8"]
    assert uids(find_priors(source, study, 2)) == ["1.2.2", "1.2.5"]
    assert find_priors(source, study, 0) == []


@pytest.mark.parametrize(
    "query", [{"patient_id": "*"}, {"accession_number": "A?"}, {"patient_id": "P1\\P2"}, {}]
)
def test_what_would_mean_anybody_is_refused(query):
    with pytest.raises(InputError) as error:
        Query(**query)
    assert "P1" not in str(error.value)


def test_a_server_that_answers_with_everything_is_not_believed(monkeypatch):
    everything = [
        {"StudyInstanceUID": uid, "PatientID": one[0], "AccessionNumber": one[1]}
        for uid, one in STUDIES.items()
    ]
    everything += [{"StudyInstanceUID": "../../etc", "PatientID": "P2"}, {}]
    monkeypatch.setattr(searching, "_search", lambda *_: everything)
    assert uids(find_studies(None, Query(patient_id="P2"))) == ["1.2.7"]


def test_a_study_is_fetched_byte_for_byte_and_once(home, source, archive, listening):
    for study in (
        *find_studies(source, Query(accession_number="A1")),
        *find_studies(source, Query(accession_number="A2")),
    ):
        ways = []
        got = list(fetch(home, source, study, listening, name="archive", told=ways.append))
        assert [one.kept for one in got] == ["new"] * study.instances
        assert ways == [Way.WADO if isinstance(source, DicomWeb) else Way.GET]
        again = list(fetch(home, source, study, listening, name="archive"))
        assert [one.kept for one in again] == ["known"] * study.instances
    assert sorted(kept(home, "1.2.1")) == [(f"1.2.1.1.{n}", Origin.FETCHED, "archive") for n in (1, 2)]
    with home.database.read() as session:
        (row,) = instances.of_study(session, "1.2.2")
        assert row.transfer_syntax_uid == JPEG2000Lossless
        assert dcmread(home.blobs.path(row.digest)) == dcmread(dicom_file(archive, "1.2.2.1.1"))


def dicom_file(archive, uid):
    path = archive.folder / "fetched.dcm"
    path.write_bytes(archive.file(uid))
    return path


def test_only_series_of_a_modality_are_fetched(home, source, listening):
    (study,) = find_studies(source, Query(accession_number="A1"))
    assert list(fetch(home, source, study, listening, name="archive", modality="CT")) == []
    assert len(list(fetch(home, source, study, listening, name="archive", modality="DX"))) == 2


@pytest.fixture
def without_get(monkeypatch):
    """A PACS that offers no C-GET: Orthanc does, so it is asked for something that nobody has."""
    monkeypatch.setattr(fetching, "STUDY_ROOT_GET", "1.2.840.10008.5.1.4.1.2.2.99")


@pytest.fixture
def node(archive):
    return Dimse(kind="dimse", ae_title="ORTHANC", host=HOST, port=archive.dicom_port)


@pytest.mark.usefixtures("without_get")
def test_without_c_get_studies_come_by_c_move_to_a_receiver_of_our_own(home, node, listening):
    (study,) = find_studies(node, Query(accession_number="A1"))
    ways = []
    got = list(fetch(home, node, study, listening, name="archive", told=ways.append))
    assert ways == [Way.MOVE]
    assert len(got) == 2
    assert sorted(one[0] for one in kept(home, "1.2.1")) == ["1.2.1.1.1", "1.2.1.1.2"]


@pytest.mark.usefixtures("without_get")
def test_c_move_goes_to_the_running_station(home, node, listening):
    (study,) = find_studies(node, Query(accession_number="A2"))
    with Receiver(home, listening):
        assert len(list(fetch(home, node, study, listening, name="archive"))) == 1
        assert len(kept(home, "1.2.2")) == 1


@pytest.mark.usefixtures("without_get")
def test_a_pacs_that_does_not_know_where_we_are_says_so(home, node, port):
    (study,) = find_studies(node, Query(accession_number="A2"))
    elsewhere = Listening(ae_title="NOBODY", host=HOST, port=port)
    with pytest.raises(NotReached) as error:
        list(fetch(home, node, study, elsewhere, name="archive"))
    assert "1.2.2" not in str(error.value)
    assert "C-MOVE" in str(error.value)


def test_a_destination_of_a_move_that_is_unknown_is_told_with_the_cure(home):
    """Status A801 (PS3.4 table C.4-2), which Orthanc does not say."""
    entity = AE(ae_title="PACS")
    entity.add_supported_context(StudyRootQueryRetrieveInformationModelMove)
    with serving(entity, (evt.EVT_C_MOVE, lambda _: iter([(None, None)]))) as port:
        destination = Dimse(kind="dimse", ae_title="PACS", host=HOST, port=port)
        study = Study("1.2.1", "", "", "", "", (), None)
        with pytest.raises(NotReached, match="does not know where NOBODY is; have our AE title"):
            list(fetch(home, destination, study, Listening(ae_title="NOBODY", port=free_port()), name="a"))


def test_a_pacs_that_is_gone_is_a_sentence():
    for source in (
        DicomWeb(kind="dicomweb", url=f"http://{HOST}:{free_port()}/dicom-web"),
        Dimse(kind="dimse", ae_title="GONE", host=HOST, port=free_port()),
    ):
        with pytest.raises(NotReached, match="is not reached"):
            find_studies(source, Query(patient_id="SECRET"))


def test_nothing_is_left_in_the_home_folder(home, source, listening):
    (study,) = find_studies(source, Query(accession_number="A1"))
    list(fetch(home, source, study, listening, name="archive"))
    assert not list(home.folder.glob("fetching-*"))


def test_what_a_killed_fetch_has_left_is_swept_by_a_later_one(home, archive, listening):
    old, young = home.folder / "fetching-old", home.folder / "fetching-young"
    for folder in (old, young):
        folder.mkdir()
        (folder / "instance").write_bytes(b"DICM")
    os.utime(old, (0, 0))
    source = DicomWeb(kind="dicomweb", url=archive.dicomweb_url)
    (study,) = find_studies(source, Query(accession_number="A2"))
    list(fetch(home, source, study, listening, name="archive"))
    assert not old.exists()
    assert young.exists()


def test_our_own_results_are_asked_for_whatever_else_a_study_holds():
    study = searching.Study("1.2.3", "", "", "", "", tuple(fetching.CLASSES), None)
    contexts, roles = fetching._offered(study)
    assert len(contexts) <= 128
    assert set(map(str, fetching.RESULTS)) <= {one.abstract_syntax for one in contexts}
    assert set(map(str, fetching.RESULTS)) <= {one.sop_class_uid for one in roles}
