import json


def test_a_folder_becomes_tables_and_goes_on_where_it_was(run, films, tmp_path):
    (tmp_path / "films").mkdir()
    for path in films.glob("*.dcm"):
        (tmp_path / "films" / path.name).write_bytes(path.read_bytes())
    (tmp_path / "films" / "broken.dcm").write_bytes((films / "film-1.dcm").read_bytes()[:3000])
    words = ("explain-cohort", tmp_path / "films", "--model", "phantom-radiograph", "--to", tmp_path / "to")
    first = run(*words, "--shard-size", 3, "--workers", 1)
    assert first.returncode == 1
    assert "broken.dcm: " in first.stderr
    assert "3 inputs explained, 1 refused" in first.stdout
    assert json.loads((tmp_path / "to" / "cohort.json").read_text())["state"] == "complete"
    again = run(*words, "--shard-size", 3)
    assert again.returncode == 1
    assert "Going on: 4 of 4 inputs were done before." in again.stderr
    other = run(*words, "--shard-size", 4)
    assert other.returncode == 1
    assert "shard size “3”, not “4”" in other.stderr


def test_what_is_neither_there_nor_a_search_is_told(run, tmp_path):
    done = run("explain-cohort", "flims", "--model", "phantom-radiograph", "--to", tmp_path / "to")
    assert done.returncode == 1
    assert "“flims” is no file, no folder and no search" in done.stderr
    assert not (tmp_path / "to").exists()
