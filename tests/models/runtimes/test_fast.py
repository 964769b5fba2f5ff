import json
import logging
from dataclasses import replace

import pytest
import torch

from camlucida.errors import MissingExtra, UnsuitableRuntime
from camlucida.models.cut import run
from camlucida.models.runtimes import fast, kept, onnx_runtime, open_vino
from camlucida.models.runtimes.fast import Eager, load
from camlucida.models.runtimes.parity import NONE, Deviation, compare
from camlucida.models.runtimes.runtime import parse
from camlucida.models.target_layer import find_cut
from example_networks import Dense, Residual, Skip, Volume, images, make


@pytest.fixture(autouse=True)
def one_export(monkeypatch):
    """An export takes seconds: of the same weights it is made once for all tests."""
    written = fast.onnx_file

    def remembered(split):
        key = (split.trunk.code, *(float(tensor.sum()) for tensor in split.trunk.state_dict().values()))
        if key not in EXPORTED:
            EXPORTED[key] = written(split)
        return EXPORTED[key]

    monkeypatch.setattr(fast, "onnx_file", remembered)


EXPORTED = {}


def subject(kind):
    network, inputs = make(kind), images(kind)
    return network, inputs, find_cut(network, inputs), None


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home folder, and where exported networks are kept in it."""
    settings = fast.kept.settings().model_copy(update={"home": tmp_path})
    monkeypatch.setattr(kept, "settings", lambda: settings)
    return tmp_path / "exported"


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("kind", [Residual, Volume])
def test_images_of_a_batch_go_through_one_after_the_other(name, kind):
    network, inputs, cut, _ = subject(kind)
    quick = load(network, inputs, cut, None, name)
    three = images(kind, 3, seed=5)
    seen = []
    output = quick.run(network, three, lambda tensor: seen.append(tensor) or tensor)
    expected = run(network, three, cut, lambda tensor: seen.append(tensor.clone()) or tensor)
    torch.testing.assert_close(seen[0], seen[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(output.logits, expected.logits.detach(), rtol=1e-5, atol=1e-5)
    assert not output.logits.requires_grad


def test_a_runtime_that_computes_something_else_is_refused_with_the_numbers(monkeypatch):
    def off(exported, precision):
        trunk = open_vino.RUNTIME.make(exported, precision)
        return lambda images: trunk(images) * 1.001

    monkeypatch.setitem(fast.RUNTIMES, "openvino", replace(open_vino.RUNTIME, make=off))
    with pytest.raises(UnsuitableRuntime, match=r"activations differ by 1\.0e-03.*1e-05 is allowed.*eager"):
        load(*subject(Dense), "openvino")


def test_a_runtime_that_fails_is_refused_with_its_reason(monkeypatch):
    def broken(_exported, _precision):
        raise ValueError("no such operator: Relu\nand more")

    monkeypatch.setitem(fast.RUNTIMES, "openvino", replace(open_vino.RUNTIME, make=broken))
    with pytest.raises(UnsuitableRuntime, match=r"openvino .* does not take .*no such operator: Relu\);"):
        load(*subject(Dense), "openvino")


def test_a_missing_package_is_named_with_the_extra(monkeypatch):
    monkeypatch.setitem(
        fast.RUNTIMES, "openvino", replace(open_vino.RUNTIME, modules=("openvino", "not_there"))
    )
    with pytest.raises(MissingExtra, match=r"“not_there”.*camlucida\[runtimes\]"):
        load(*subject(Dense), "openvino")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ("tensorrt", "no runtime “tensorrt”; there are: eager, onnxruntime, openvino, inductor, auto"),
        ("onnxruntime:bfloat16", "no precision “bfloat16”; it has: float32"),
    ],
)
def test_what_is_not_there_is_said_with_the_choice(asked, sentence):
    with pytest.raises(UnsuitableRuntime, match=sentence):
        parse(asked, fast.RUNTIMES)


@pytest.mark.usefixtures("bfloat16")
def test_lower_precision_is_computed_when_asked_for_and_told():
    quick = load(*subject(Dense), "OpenVINO:bfloat16")
    assert quick.precision == "bfloat16"
    assert 1e-5 < quick.deviation.activations < 0.05
    assert "against float32, activations differ by" in quick.caution


def test_lower_precision_that_the_processor_has_not_is_refused(monkeypatch):
    monkeypatch.setattr(open_vino, "has_bfloat16", lambda: False)
    with pytest.raises(UnsuitableRuntime, match="This processor does not compute in bfloat16"):
        load(*subject(Dense), "openvino:bfloat16")


def test_networks_in_half_precision_stay_in_torch():
    network, inputs, _, _ = subject(Dense)
    network, inputs = network.bfloat16(), inputs.bfloat16()
    with pytest.raises(UnsuitableRuntime, match=r"float32 on the CPU.*torch\.bfloat16"):
        load(network, inputs, find_cut(network, inputs), None, "openvino")


def test_auto_takes_the_quickest_and_tells_all_times(monkeypatch):
    monkeypatch.setattr(fast, "_seconds", lambda _image, trunk: 0.1 if trunk.__name__ == "eager" else 0.05)
    chosen = load(*subject(Dense), "auto")
    assert chosen.runtime.startswith("openvino ")
    assert chosen.reason.startswith("For one image: eager 100.0 ms, openvino ")
    assert "onnxruntime" in chosen.reason


def test_auto_stays_in_torch_where_that_is_quickest(monkeypatch, caplog):
    monkeypatch.setattr(fast, "_seconds", lambda _image, trunk: 0.1 if trunk.__name__ == "eager" else 0.5)
    chosen = load(*subject(Dense), "auto")
    assert isinstance(chosen, Eager)
    assert "eager 100.0 ms" in chosen.reason
    assert "runtime=auto takes eager: For one image" in caplog.text


def test_auto_stays_in_torch_where_nothing_else_will_do():
    chosen = load(*subject(Skip), "auto")
    assert isinstance(chosen, Eager)
    assert chosen.reason.count("as a U-Net does") == 1


def test_auto_passes_over_what_is_not_installed(monkeypatch):
    absent = replace(open_vino.RUNTIME, modules=("not_there",))
    monkeypatch.setattr(fast, "_TRIED_BY_AUTO", (absent, onnx_runtime.RUNTIME))
    monkeypatch.setattr(fast, "_seconds", lambda _image, trunk: 0.1 if trunk.__name__ == "eager" else 0.05)
    chosen = load(*subject(Dense), "auto")
    assert chosen.runtime.startswith("onnxruntime ")
    assert "needs “not_there”" in chosen.reason


class TestKept:
    """What is exported of a registered model is kept, and looked at before it is used again."""

    def test_is_exported_once(self, home, monkeypatch):
        first = load(*subject(Residual), "onnxruntime", "a" * 64)
        (folder,) = home.iterdir()
        assert {file.name for file in folder.iterdir()} == {"entry.json", "head.pt2", "trunk.onnx"}
        monkeypatch.setattr(fast, "split", None)  # exporting again would fail
        again = load(*subject(Residual), "openvino", "a" * 64)
        rows = torch.randn(5, 8, 1, 1).requires_grad_()
        torch.testing.assert_close(again.head_logits(rows), first.head_logits(rows))
        assert torch.autograd.grad(again.head_logits(rows).sum(), rows)[0].abs().sum() > 0

    @pytest.mark.parametrize("name", ["trunk.onnx", "head.pt2", "entry.json"])
    def test_a_damaged_file_is_told_and_made_anew(self, home, caplog, name):
        load(*subject(Dense), "onnxruntime", "a" * 64)
        (file,) = home.glob(f"*/{name}")
        whole = file.read_bytes()
        file.write_bytes(whole[:-40] + bytes(40))
        assert load(*subject(Dense), "onnxruntime", "a" * 64).deviation != NONE
        assert "is damaged" in caplog.text
        assert file.read_bytes()[-40:] != bytes(40)

    @pytest.mark.parametrize("entry", [{"activation": {}}, {"activation": "<script>"}, {"files": []}])
    def test_an_entry_that_says_something_else_is_told_and_made_anew(self, home, caplog, entry):
        load(*subject(Dense), "onnxruntime", "a" * 64)
        (file,) = home.glob("*/entry.json")
        file.write_text(json.dumps({**json.loads(file.read_text()), **entry}))
        assert load(*subject(Dense), "onnxruntime", "a" * 64).activation is None
        assert "is damaged" in caplog.text

    def test_of_a_network_that_has_changed_under_the_same_digest_is_made_anew(self, home):
        load(*subject(Dense), "onnxruntime", "a" * 64)
        network, inputs, cut, _ = subject(Dense)
        with torch.no_grad():
            network.features[0].weight.mul_(2)
        assert load(network, inputs, cut, None, "onnxruntime", "a" * 64).deviation.within("float32")
        assert len(list(home.iterdir())) == 1

    def test_nothing_is_kept_of_a_bare_network(self, home):
        load(*subject(Dense), "onnxruntime")
        assert not home.exists()

    def test_a_home_that_cannot_be_written_to_is_no_obstacle(self, home, caplog):
        caplog.set_level(logging.INFO)
        home.write_text("a file where the folder should be")
        assert load(*subject(Dense), "onnxruntime", "a" * 64).deviation.within("float32")
        assert "was not kept" in caplog.text

    def test_those_not_used_for_the_longest_time_go(self, home, monkeypatch):
        monkeypatch.setattr(kept, "MOST", 1)
        load(*subject(Dense), "onnxruntime", "a" * 64)
        load(*subject(Dense), "onnxruntime", "b" * 64)
        (folder,) = home.iterdir()
        _, inputs, cut, _ = subject(Dense)
        assert folder.name == kept.key("b" * 64, cut, inputs)


def test_parity_sees_each_of_the_three():
    network, inputs, cut, _ = subject(Dense)

    def in_torch(image, at_cut):
        return run(network, image, cut, at_cut)

    def other_logits(image, at_cut):
        output = run(network, image, cut, at_cut)
        return replace(output, logits=output.logits + 1e-3)

    def other_activations(image, at_cut):
        return run(network, image, cut, lambda tensor: at_cut(tensor + 1e-3 * tensor.max()))

    def not_finite(image, at_cut):
        return run(network, image, cut, lambda tensor: at_cut(tensor * float("nan")))

    assert compare(inputs, in_torch, in_torch) == NONE
    off = compare(inputs, in_torch, other_logits)
    assert (off.activations, off.maps) == (0, 0)
    assert off.logits == pytest.approx(1e-3, rel=0.01)
    assert compare(inputs, in_torch, other_activations).activations == pytest.approx(1e-3, rel=0.01)
    assert not compare(inputs, in_torch, not_finite).within("float32")
    assert Deviation(9e-6, 9e-6, 9e-6).within("float32")
    assert not Deviation(0.0, 0.0, 2e-5).within("float32")
