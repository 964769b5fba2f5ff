import pytest

from camlucida.errors import FileTooLarge, InputError, UnreadableFile
from camlucida.evaluation.data import table
from camlucida.evaluation.data.table import read_table


def written(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_cells_by_column_with_the_line_they_end_on(tmp_path, delimiter):
    lines = ["image,age,", "a.png, 4 ,x", "", '"b\nb",5', "c.png,6,7,8,9"]
    path = written(tmp_path, "\ufeff" + "\r\n".join(lines).replace(",", delimiter))
    read = read_table(path)
    assert read.columns == ("image", "age")
    assert read.rows == (
        (2, {"image": "a.png", "age": "4"}),
        (5, {"image": "b\nb", "age": "5"}),
        (6, {"image": "c.png", "age": "6"}),
    )


def test_columns_are_found_whatever_joins_their_words(tmp_path):
    read = read_table(written(tmp_path, "Image Index,Patient_ID\na,b"))
    assert read.column("", "image", "image index") == "Image Index"
    assert read.column("patient-id") == "Patient_ID"
    assert read.column("", "view") is None
    with pytest.raises(InputError, match="no column “who”; it has: Image Index, Patient_ID"):
        read.column("who", "image index")


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ("", InputError, "empty"),
        (",,\n1,2,3", InputError, "empty"),
        ("image,age\n\n , \n", InputError, "no row"),
        ("image,Effusion,Effusion\na.png,0,1", InputError, "more than one column “Effusion”"),
        (b"image\n\xff\xfe\xfa", UnreadableFile, "UTF-8"),
        ("image,a\n" + "x" * 200_000, UnreadableFile, "rules of CSV"),
        ("a," * 5000 + "\n1", FileTooLarge, "5001 columns"),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(tmp_path, content, error, says):
    with pytest.raises(error, match=says):
        read_table(written(tmp_path, content))


def test_a_table_that_is_not_there_or_too_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(UnreadableFile, match="No such file"):
        read_table(tmp_path / "none.csv")
    monkeypatch.setattr(table, "MOST_CELLS", 5)
    with pytest.raises(FileTooLarge, match="more than 5 cells"):
        read_table(written(tmp_path, "image,a\n" + "x\n" * 3))
    monkeypatch.setattr(table, "MOST_BYTES", 10)
    with pytest.raises(FileTooLarge, match="more than 10"):
        read_table(written(tmp_path, "image\n0123456789"))
