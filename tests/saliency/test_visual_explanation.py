import json

import numpy as np
import PIL.Image
import pytest
from safetensors.numpy import load_file

import camlucida
from camlucida.errors import UnknownFinding
from camlucida.records.encoding import from_safetensors, to_json
from camlucida.saliency.saving import save
from example_networks import Residual, Volume, images, make


@pytest.fixture(scope="module")
def result():
    return camlucida.explain(make(Residual), images(Residual))


def test_saves_maps_provenance_and_a_picture_per_finding(result, tmp_path):
    folder = result.save(tmp_path / "out")
    assert sorted(file.name for file in folder.iterdir()) == [
        "explanation.json",
        "map.safetensors",
        *(f"output-{number}.png" for number in range(5)),
    ]
    assert np.array_equal(load_file(folder / "map.safetensors")["values"], result.values)
    assert json.loads((folder / "explanation.json").read_text()) == json.loads(
        json.dumps(to_json(result.explanation))
    )
    again = from_safetensors((folder / "map.safetensors").read_bytes())
    assert again.provenance == result.explanation.provenance
    with PIL.Image.open(folder / "output-0.png") as picture:
        assert picture.size == result.overlay(0).size


def test_saving_again_replaces_and_leaves_nothing_half(result, tmp_path):
    first = result.save(tmp_path)
    (first / "stale.png").write_text("old")
    assert result.save(tmp_path) == first
    assert not (first / "stale.png").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["image"]


def test_a_save_that_fails_leaves_what_was_there(result, tmp_path, monkeypatch):
    kept = result.save(tmp_path)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PIL.Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        result.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [kept.name]
    assert (kept / "map.safetensors").is_file()


@pytest.mark.parametrize("content", ["thesis.odt", "holiday.png"])
def test_a_folder_of_somebody_elses_is_never_replaced(result, tmp_path, content):
    theirs = tmp_path / "image" / content
    theirs.parent.mkdir()
    theirs.write_text("years of work")
    with pytest.raises(FileExistsError, match="no kept explanation; choose another"):
        result.save(tmp_path)
    assert theirs.read_text() == "years of work"
    assert [file.name for file in tmp_path.iterdir()] == ["image"]


def test_findings_whose_names_come_out_the_same_keep_their_own_picture(result, tmp_path):
    pictures = {name: result.overlay(0) for name in ("肺炎", "气胸", "Mass", "mass?")}
    folder = save(result.explanation, pictures, tmp_path, "image")
    assert sorted(file.stem for file in folder.glob("*.png")) == ["Mass", "mass-2", "unnamed", "unnamed-2"]


def test_names_stay_inside_the_folder(result, tmp_path):
    assert result.save(tmp_path / "out", name="../../etc/passwd").parent == tmp_path / "out"


def test_a_notebook_shows_the_strongest_finding_and_all_numbers(result):
    html = result._repr_html_()
    assert html.count("<tr>") == 6
    assert "data:image/png;base64," in html
    assert "not a medical device" in html
    strongest = int(np.argmax(result.logits))
    assert html.index(f"output {strongest}") < min(
        html.index(f"output {other}") for other in range(5) if other != strongest
    )


def test_the_plain_repr_names_method_layer_and_logits(result):
    assert repr(result).startswith("<VisualExplanation grad-cam at relu, 9×12 cells: output 0 ")


def test_an_overlay_is_found_by_name_and_number(result):
    assert result.overlay("Output 2").tobytes() == result.overlay(2).tobytes()
    with pytest.raises(UnknownFinding, match="no map of “output 7”; there are: output 0"):
        result.overlay("output 7")


def test_a_volume_has_an_overlay_too():
    assert camlucida.explain(make(Volume), images(Volume)).overlay(0).size[1] > 100
