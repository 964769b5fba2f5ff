def test_size_tells_evidence_apart_from_pixels(run, full_home):
    done = run("store", "size", "--home", full_home)
    assert done.returncode == 0, done.stderr
    for word in ("originals", "pixels", "evidence", "database", "unused", "By study"):
        assert word in done.stdout
    assert done.stdout.count("Phantom chest radiograph") == 3
    assert "Evidence of a study:" in done.stdout
    assert "PHANTOM^" not in done.stdout.upper()  # nobody's name


def test_a_folder_without_a_store_is_a_sentence_and_stays_empty(run, tmp_path):
    done = run("store", "size", "--home", tmp_path / "nothing")
    assert done.returncode == 1
    assert "There is no store in" in done.stderr
    assert not (tmp_path / "nothing").exists()
