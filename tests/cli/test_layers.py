import PIL.Image


def test_prints_a_row_for_each_layer_and_keeps_the_picture(run, films, small_model, tmp_path):
    out = tmp_path / "sheet.png"
    done = run("layers", films / "film-1.dcm", "--model", small_model, "--finding", "Pneumothorax", "-o", out)
    assert done.returncode == 0, done.stderr
    assert "stages" in done.stdout
    assert sum(line.lstrip().startswith("*") for line in done.stdout.splitlines()) == 1
    assert "mm" in done.stdout
    assert "Early layers are fine and noisy" in done.stderr
    with PIL.Image.open(out) as picture:
        assert picture.mode == "RGB"


def test_several_images_are_refused_with_the_cure(run, films, small_model):
    done = run("layers", films, "--model", small_model)
    assert done.returncode == 1
    assert "holds 3 images and series" in done.stderr
    assert "name its file" in done.stderr


def test_an_unknown_finding_is_said(run, films, small_model, tmp_path):
    done = run(
        "layers", films / "film-1.dcm", "-m", small_model, "--finding", "Gout", "-o", tmp_path / "a.png"
    )
    assert done.returncode == 1
    assert "Gout" in done.stderr
    assert not (tmp_path / "a.png").exists()
