from contextlib import ExitStack

import pydicom
import pytest
from sqlalchemy import text

from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.store.home import Home
from camlucida.store.instances import take
from camlucida.store.tables import Origin
from camlucida.web.dicomweb import search
from camlucida.web.dicomweb.search import Level
from postgresql import homes_on
from web.dicomweb.conftest import Served, serving

FILMS = [  # name, id, date, time, description, modality of the second series
    ("Müller^Jürgen", "ID-1", "20240105", "101500", "Chest [PA]", "SR"),
    ("Doe^Jane", "ID-2", "20240220", "235959.5", "Chest lateral", "SEG"),
    ("DOE^JOHN^^", "id-2", "20250301", "07", "Abdomen", "KO"),
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request, tmp_path_factory):
    """A station on each of the two databases, which search in JSON each in its own way."""
    with ExitStack() as place:
        if request.param == "postgresql":
            place.enter_context(homes_on(request.getfixturevalue("postgresql").database()))
        home = Home.open(tmp_path_factory.mktemp("served") / "home")
    with serving(home) as url:
        yield Served(home, url)
    home.close()


@pytest.fixture(scope="module")
def films(served, tmp_path_factory):
    """Three studies of two series; the study UIDs. What came last is a conflicting copy."""
    folder = tmp_path_factory.mktemp("films")
    for number, (name, patient, date, time, description, modality) in enumerate(FILMS):
        path = folder / f"{number}.dcm"
        write_radiograph(radiograph(number, rows=64), path)
        dataset = pydicom.dcmread(path)
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.PatientName, dataset.PatientID = name, patient
        dataset.StudyDate, dataset.StudyTime, dataset.StudyDescription = date, time, description
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"1.2.{number}", f"1.2.{number}.1"
        for series, kind, instance in ((1, "DX", 1), (1, "DX", 2), (2, modality, 1)):
            dataset.SeriesInstanceUID, dataset.Modality = f"1.2.{number}.{series}", kind
            dataset.SOPInstanceUID, dataset.InstanceNumber = f"1.2.{number}.{series}.{instance}", instance
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            dataset.save_as(path)
            take(served.home, path, Origin.STORE)
    dataset.PatientComments = "another content"
    dataset.PatientID = "conflicting"
    dataset.save_as(path)
    take(served.home, path, Origin.STORE)
    return ["1.2.0", "1.2.1", "1.2.2"]


@pytest.fixture
def find(served, films):  # noqa: ARG001 - they must be there
    """Searches; the answer."""

    def ask(path="/studies", **parameters):
        with served.http() as http:
            return http.get(f"/dicom-web{path}", params=parameters)

    return ask


def studies(answer):
    assert answer.status_code == 200, answer.text
    return {one["0020000D"]["Value"][0][-1] for one in answer.json()}


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, "012"),
        ({"PatientName": "doe^jane"}, "1"),
        ({"PatientName": "DOE^*"}, "12"),
        ({"PatientName": "*MÜLLER*"}, "0"),
        ({"PatientName": "m?ller^j*"}, "0"),
        ({"PatientName": "Doe^John"}, "2"),
        ({"PatientName": "Doe"}, ""),
        ({"00100010": "doe*"}, "12"),
        ({"PatientID": "ID-2"}, "1"),
        ({"PatientID": "conflicting"}, ""),
        ({"PatientID": "*-2"}, "12"),
        ({"StudyDate": "20240220"}, "1"),
        ({"StudyDate": "20240101-20241231"}, "01"),
        ({"StudyDate": "-20240105"}, "0"),
        ({"StudyDate": "20240220-"}, "12"),
        ({"StudyTime": "10-12"}, "0"),
        ({"StudyTime": "2359-"}, "1"),
        ({"StudyDescription": "Chest [[]PA]"}, ""),
        ({"StudyDescription": "Chest [PA]"}, "0"),
        ({"StudyDescription": "Chest*"}, "01"),
        ({"StudyDescription": "*"}, "012"),
        ({"StudyDescription": ""}, "012"),
        ({"ModalitiesInStudy": "SR"}, "0"),
        ({"ModalitiesInStudy": "SR,KO"}, "02"),
        ({"ModalitiesInStudy": "SR\\KO"}, "02"),
        ({"ModalitiesInStudy": "DX"}, "012"),
        ({"StudyInstanceUID": "1.2.0,1.2.2"}, "02"),
        ({"StudyInstanceUID": "1.2.0\\1.2.1"}, "01"),
        ({"StudyInstanceUID": "1.2.*"}, ""),
        ({"PatientName": "*doe*", "StudyDate": "2025-"}, None),
        ({"PatientName": "*doe*", "StudyDate": "20250101-"}, "2"),
        ({"PatientName": "'; DROP TABLE instances; --"}, ""),
        ({"PatientName": "*?" * 300}, ""),
    ],
)
def test_studies_are_found_by_what_they_hold(find, parameters, found):
    answer = find(**parameters)
    if found is None:
        assert answer.status_code == 400
    else:
        assert studies(answer) == set(found)


def test_a_study_says_what_it_holds_and_where(find, served):
    (study,) = find(StudyInstanceUID="1.2.1").json()
    assert sorted(study["00080061"]["Value"]) == ["DX", "SEG"]
    assert study["00201206"]["Value"] == [2]
    assert study["00201208"]["Value"] == [3]
    assert study["00081190"]["Value"] == [f"{served.url}/dicom-web/studies/1.2.1"]
    assert study["00080005"]["Value"] == ["ISO_IR 192"]
    assert study["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
    assert "00080060" not in study  # modality is of a series
    assert find().headers["content-type"] == "application/dicom+json"


def test_series_and_instances_are_found_within_and_over_studies(find):
    assert [one["0020000E"]["Value"][0] for one in find("/studies/1.2.0/series").json()] == [
        "1.2.0.1",
        "1.2.0.2",
    ]
    (series,) = find("/studies/1.2.0/series", Modality="SR").json()
    assert series["00201209"]["Value"] == [1]
    assert len(find("/series", Modality="DX").json()) == 3
    assert len(find("/series", Modality="DX", PatientName="*doe*").json()) == 2
    assert len(find("/instances", InstanceNumber="2").json()) == 3
    assert len(find("/studies/1.2.0/instances", InstanceNumber="02").json()) == 1
    (instance,) = find("/studies/1.2.0/series/1.2.0.2/instances").json()
    assert instance["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert instance["00081190"]["Value"][0].endswith("/studies/1.2.0/series/1.2.0.2/instances/1.2.0.2.1")
    assert find("/studies/1.2.9/series").json() == []
    assert len(find("/instances", SOPInstanceUID="1.2.2.2.1").json()) == 1  # another content of it is kept


def test_more_is_included_when_asked_for(find):
    (plain,) = find("/studies/1.2.0/series", Modality="SR").json()
    assert "00100010" not in plain
    (more,) = find("/studies/1.2.0/series", Modality="SR", includefield="PatientName,00080020").json()
    assert more["00080020"]["Value"] == ["20240105"]
    assert "00100010" in more
    (everything,) = find("/studies/1.2.0/series", Modality="SR", includefield="all").json()
    assert everything.keys() > more.keys()


def test_pages_follow_each_other_the_newest_study_first(find):
    pages = [find(limit=1, offset=offset) for offset in range(4)]
    assert [sorted(studies(page)) for page in pages] == [["2"], ["1"], ["0"], []]
    assert ["warning" in page.headers for page in pages] == [True, True, False, False]


def test_the_station_has_a_limit_of_its_own(find, monkeypatch):
    monkeypatch.setitem(search.MOST_RESULTS, Level.STUDY, 2)
    assert len(find().json()) == 2
    answer = find(limit=1000)
    assert len(answer.json()) == 2
    assert "Additional results" in answer.headers["warning"]


def test_fuzzy_matching_is_answered_by_what_was_done_instead(find):
    answer = find(PatientName="doe*", fuzzymatching="true")
    assert studies(answer) == set("12")
    assert answer.headers["warning"].startswith("299 ")
    assert "warning" not in find(PatientName="doe*", fuzzymatching="false").headers


@pytest.mark.parametrize(
    "parameters",
    [
        {"Nonsense": "x"},
        {"00090010": "x"},
        {"PixelData": "x"},
        {"Modality": "DX"},
        {"StudyDate": "yesterday"},
        {"StudyDate": "-"},
        {"StudyDate": "2024-01-05"},
        {"limit": "-1"},
        {"limit": "many"},
        {"limit": "٣"},
        {"offset": "9" * 30},
        {"PatientName": "x" * 2000},
        {"StudyInstanceUID": ",".join(["1.2"] * 2000)},
        {"includefield": "Nonsense"},
        {str(number): "" for number in range(200)},
    ],
)
def test_what_cannot_be_searched_is_a_sentence(find, parameters):
    answer = find(**parameters)
    assert answer.status_code == 400
    assert answer.json()["detail"].endswith((".", "read."))
    assert "yesterday" not in answer.text


def test_a_number_that_is_none_is_a_sentence(find):
    assert find("/instances", InstanceNumber="one").status_code == 400


def test_xml_is_not_written(served):
    with served.http() as http:
        answer = http.get("/dicom-web/studies", headers={"Accept": "application/dicom+xml"})
    assert answer.status_code == 406


@pytest.mark.parametrize("level", [Level.STUDY, Level.SERIES])
def test_what_came_first_of_each_is_found_by_the_index_alone(served, level):
    if served.home.database.path is None:
        pytest.skip("PostgreSQL reads so small a table whole")
    with served.home.database.read() as session:
        statement = str(search._first_of_each(level).compile(session.get_bind()))
        plan = session.execute(text("EXPLAIN QUERY PLAN " + statement)).all()
    assert "ix_instances_shown" in str(plan)
    assert "TEMP B-TREE" not in str(plan)
