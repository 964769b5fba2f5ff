import shutil
from zipfile import ZipFile

import PIL.Image
import pytest

from camlucida.errors import InputError, UnreadableFile
from camlucida.evaluation.data.dataset import Columns, read_dataset
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.images.read import read_image

FINDINGS = ["Pneumonia", "Mass"]


@pytest.fixture
def folder(tmp_path):
    """Images of one pixel at a.png, b.png and deep/c.png, and a text beside their folder."""
    for name in ("images/a.png", "images/b.png", "images/deep/c.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("L", (1, 1)).save(path)
    (tmp_path / "secret.png").write_text("not for you")
    return tmp_path


def table(folder, text):
    path = folder / "images" / "table.csv"
    path.write_text(text)
    return path


def test_rows_become_cases_with_labels_patient_and_columns(folder):
    path = table(
        folder,
        "Image Index,pneumonia,Mass,Patient ID,Patient Age,Patient Gender,site\n"
        "a.png,1,0,p1,058Y,F,north\n"
        "c.png,,-1,p2,7,M,\n"
        "b,0,maybe,p1,006M,M,south\n",
    )
    read = read_dataset(path, FINDINGS)
    one, two, three = read.cases
    assert (one.name, one.files, one.patient) == ("a.png", (folder / "images" / "a.png",), "p1")
    assert [case.labels for case in read.cases] == [
        {"Pneumonia": True, "Mass": False},
        {},
        {"Pneumonia": False},
    ]
    assert dict(one.columns) == {"age": "58", "sex": "F", "site": "north"}
    assert dict(two.columns) == {"age": "7", "sex": "M"}
    assert three.columns["age"] == "0.5"
    assert two.files == (folder / "images" / "deep" / "c.png",)
    assert three.files == (folder / "images" / "b.png",)
    assert read.patients == 2
    assert read.notes == ("Neither 1, 0, −1 nor empty in the column of Mass, taken as unknown: line 4.",)


def test_no_error_and_no_case_shows_the_patient(folder):
    case = read_dataset(table(folder, "image,patient\na.png,Doe^Jane\n"), FINDINGS).cases[0]
    assert "Doe" not in repr(case)


def test_a_list_of_labels_says_what_is_absent_too(folder):
    path = table(folder, "image,Finding Labels\na.png,Mass|Pneumonia\nb.png,No Finding\nc.png,Hernia|Mass\n")
    read = read_dataset(path, FINDINGS)
    assert [dict(case.labels) for case in read.cases] == [
        {"Pneumonia": True, "Mass": True},
        {"Pneumonia": False, "Mass": False},
        {"Pneumonia": False, "Mass": True},
    ]
    assert any("Hernia (1)" in note and "--label-name" in note for note in read.notes)
    assert any("a patient of its own" in note for note in read.notes)


def test_a_findings_own_column_goes_before_the_list(folder):
    path = table(folder, "image,label,Mass\na.png,Mass,0\nb.png,none,1\nc.png,Mass,\n")
    labels = [dict(case.labels) for case in read_dataset(path, FINDINGS).cases]
    assert labels == [{"Mass": False}, {"Mass": True}, {}]


def test_names_are_translated_and_a_wrong_translation_is_refused(folder):
    path = table(folder, "image,label\na.png,PNEU\nb.png,scar\n")
    read = read_dataset(path, FINDINGS, label_names={"pneu": "Pneumonia", "scar": "none"})
    assert [dict(case.labels) for case in read.cases] == [{"Pneumonia": True}, {"Pneumonia": False}]
    with pytest.raises(InputError, match=r"“pneu” is translated to “Lung”.*it has: Pneumonia, Mass"):
        read_dataset(path, FINDINGS, label_names={"pneu": "Lung"})


@pytest.mark.parametrize("name", ["../secret.png", "deep/../../secret.png", "link.png", "linked/secret.png"])
def test_no_name_leads_out_of_the_folder(folder, name):
    (folder / "images" / "link.png").symlink_to(folder / "secret.png")
    (folder / "images" / "linked").symlink_to(folder)
    read = read_dataset(table(folder, f"image\na.png\n{name}\n"), FINDINGS)
    assert [case.name for case in read.cases] == ["a.png"]
    assert any("leads out of the folder images" in note and "line 3" in note for note in read.notes)


def test_an_absolute_path_of_another_disc_means_the_file_of_that_name(folder):
    read = read_dataset(table(folder, "image\n/data/nih/images_001/a.png\nC:\\films\\c.png\n"), FINDINGS)
    assert [case.files[0].name for case in read.cases] == ["a.png", "c.png"]


@pytest.mark.parametrize("name", ["nothing.png", "x" * 5000, "a\0b", ""])
def test_what_is_not_there_is_told_and_not_fatal(folder, name):
    read = read_dataset(table(folder, f"image,age\na.png,1\n{name},2\n"), FINDINGS)
    assert len(read.cases) == 1
    assert any("Not in the folder images" in note for note in read.notes)


def test_a_name_that_several_files_have_is_not_guessed_and_an_image_counts_once(folder):
    (folder / "images" / "other").mkdir()
    shutil.copy(folder / "images" / "deep" / "c.png", folder / "images" / "other" / "c.png")
    read = read_dataset(table(folder, "image\nc.png\nother/c.png\na.png\n./a.png\n"), FINDINGS)
    assert [case.name for case in read.cases] == ["other/c.png", "a.png"]
    assert any("more than once: line 2" in note for note in read.notes)
    assert any("in a line before: line 5" in note for note in read.notes)


def test_a_table_without_any_of_its_images_is_refused(folder):
    with pytest.raises(InputError, match=r"None of the table's 2 images.*--images"):
        read_dataset(table(folder, "image\nx.png\ny.png\n"), FINDINGS)
    with pytest.raises(InputError, match="no column “image”; it has: who"):
        read_dataset(table(folder, "who\nx\n"), FINDINGS)
    with pytest.raises(UnreadableFile, match="There is no folder"):
        read_dataset(table(folder, "image\nx\n"), FINDINGS, images=folder / "none")
    with pytest.raises(UnreadableFile, match="There is no table or folder"):
        read_dataset(folder / "none", FINDINGS)


def test_folders_are_labels_the_nearest_that_is_known(tmp_path):
    for place in (
        "train/NORMAL/a",
        "train/PNEUMONIA/one/person7_1",
        "test/pneumonia/person7_2",
        "odd/b",
        "c",
    ):
        path = tmp_path / f"{place}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        PIL.Image.new("L", (1, 1)).save(path)
    read = read_dataset(tmp_path, FINDINGS, columns=Columns(patient_pattern=r"person(\d+)"))
    labels = {case.name: dict(case.labels) for case in read.cases}
    assert labels == {
        "c.png": {},
        "odd/b.png": {},
        "test/pneumonia/person7_2.png": {"Pneumonia": True},
        "train/NORMAL/a.png": {"Pneumonia": False},
        "train/PNEUMONIA/one/person7_1.png": {"Pneumonia": True},
    }
    assert [case.patient for case in read.cases] == ["c.png", "odd/b.png", "7", "train/NORMAL/a.png", "7"]
    assert any(f"{tmp_path.name} (1)" in note and "odd (1)" in note for note in read.notes)
    assert any("say nothing of: Mass" in note for note in read.notes)
    with pytest.raises(InputError, match="no regular expression"):
        read_dataset(tmp_path, FINDINGS, columns=Columns(patient_pattern="("))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no DICOM"):
        read_dataset(tmp_path / "empty", FINDINGS)


def test_dicom_headers_know_patient_age_sex_and_scanner_where_the_table_does_not(tmp_path):
    films = [radiograph(seed, rows=64) for seed in (1, 1, 2)]
    for number, film in enumerate(films):
        write_radiograph(film, tmp_path / f"{number}.dcm")
    path = tmp_path / "table.csv"
    path.write_text("image,age\n0,33\n1.dcm,\n2.dcm,\n")
    one, again, other = read_dataset(path, FINDINGS).cases
    assert one.patient == again.patient != other.patient
    assert one.columns["age"] == "33"
    assert again.columns["age"].isdigit()
    assert again.columns["sex"] in {"M", "F", "O"}
    assert "phantom" in again.columns["scanner"].casefold()
    assert one.patient not in repr(one)


def test_a_row_may_name_the_folder_of_a_series(tmp_path):
    write_ct(ct_volume(1, slices=4, rows=32), tmp_path / "scan")
    (tmp_path / "empty").mkdir()
    path = tmp_path / "table.csv"
    path.write_text("image,Mass\nscan,1\nempty,0\n")
    read = read_dataset(path, FINDINGS)
    assert [(case.name, len(case.files)) for case in read.cases] == [("scan", 4)]
    assert any("line 3" in note for note in read.notes)


def test_a_sample_is_drawn_without_looking_at_labels_and_keeps_the_order(folder):
    read = read_dataset(table(folder, "image,Mass\na.png,1\nb.png,0\nc.png,0\n"), FINDINGS)
    drawn = read.sample(2, seed=3)
    places = [read.cases.index(case) for case in drawn.cases]
    assert len(places) == 2
    assert places == sorted(places)
    assert "2 of 3 cases" in drawn.notes[-1]
    assert read.sample(3) is read
    assert read.sample(None) is read


@pytest.mark.real_data
def test_nihs_own_table_and_boxes_are_read_as_they_are(real_data):
    nih = real_data / "nih"
    findings = ["Pneumonia", "Edema", "Hernia", "Cardiomegaly"]
    read = read_dataset(
        nih / "labels.csv", findings, images=nih / "full_1024", annotations=[nih / "boxes_1024px.csv"]
    )
    assert len(read.cases) == 8
    assert all(case.labels["Pneumonia"] for case in read.cases)
    assert sum(case.labels["Edema"] for case in read.cases) == 2
    assert not any("Cardiomegaly" in case.labels for case in read.cases)
    assert all(case.columns["view"] in {"AP", "PA"} for case in read.cases)
    assert all(case.columns["age"].isdigit() and case.columns["sex"] in "FM" for case in read.cases)
    assert [len(case.marks) for case in read.cases] == [1] * 8
    first = read.cases[0]
    inside = first.marks[0].on(read_image(first.files[0])).inside
    rows, columns = inside.any(axis=1).nonzero()[0], inside.any(axis=0).nonzero()[0]
    assert (columns[0], columns[-1] + 1) == (704, 922)  # 703.7 … 922.2
    assert (rows[0], rows[-1] + 1) == (617, 866)  # 617.0 … 866.2


@pytest.mark.real_data
def test_kermanys_folders_are_read_with_their_patients(real_data, tmp_path):
    with ZipFile(real_data / "kermany224" / "test.zip") as archive:
        names = sorted(archive.namelist())
        archive.extractall(tmp_path, names[:20] + names[-20:])
    read = read_dataset(
        tmp_path, ["Pneumonia"], columns=Columns(patient_pattern=r"(person\d+|(NORMAL2-)?IM-\d+)")
    )
    assert sum(case.labels["Pneumonia"] for case in read.cases) == 20
    assert len(read.cases) == 40
    assert 20 < read.patients < 40
    assert read.notes == ()
