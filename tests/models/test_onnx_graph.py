"""Networks read from .onnx: the same maps as the network that was exported, and nothing of a file is run."""

import warnings

import numpy as np
import onnx
import pytest
import torch

import camlucida
from camlucida.errors import InvalidModelCard, InvalidWeights, MissingExtra
from camlucida.models.architectures import SmallResNet
from camlucida.models.load import load_model
from camlucida.models.onnx_graph import load_onnx
from camlucida.settings import settings
from example_models import small_network, write_model
from example_networks import Dense, images, make
from other_networks import let_torchvision_import

let_torchvision_import()  # onnx2torch imports it

# onnx2torch 1.5 indexes by lists of slices.
pytestmark = pytest.mark.filterwarnings("ignore:Using a non-tuple sequence for multidimensional indexing")


def export(network, example, path, opset=17):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecation
        torch.onnx.export(network, (example,), str(path), dynamo=False, opset_version=opset)
    return path


def _volume():
    torch.manual_seed(0)
    return SmallResNet(space=3, findings=2, width=4, stages=2, blocks=1).eval()


@pytest.mark.parametrize(
    ("network", "example", "opset"),
    [
        (small_network(), torch.rand(1, 1, 32, 24), 17),
        (small_network(), torch.rand(1, 1, 32, 24), 20),
        (make(Dense), images(Dense), 13),
        (_volume(), torch.rand(1, 1, 8, 16, 12), 18),
    ],
    ids=["SmallResNet", "newest operators", "functional ReLU", "3D"],
)
def test_its_maps_are_those_of_the_network_that_was_exported(network, example, opset, tmp_path):
    converted = load_onnx(export(network, example, tmp_path / "network.onnx", opset))
    own, other = camlucida.explain(network, example), camlucida.explain(converted, example)
    assert other.values.shape == own.values.shape
    np.testing.assert_allclose(other.values, own.values, atol=1e-5)
    np.testing.assert_allclose(other.bias, own.bias, atol=1e-5)


def test_a_card_names_an_onnx_file_and_the_model_is_proven(tmp_path):
    folder = write_model(tmp_path / "model", architecture=None, architecture_arguments=None, weights="a.onnx")
    export(small_network(), torch.rand(1, 1, 32, 24), folder / "a.onnx")
    model = load_model(folder)
    assert model.head.kind == "linear"
    assert len(model.head.bias) == 2


def test_a_card_with_an_architecture_beside_the_graph_is_refused(tmp_path):
    folder = write_model(tmp_path / "model", weights="a.onnx")
    with pytest.raises(InvalidModelCard, match="leave it out"):
        load_model(folder)


def rewritten(path, change):
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.fixture
def exported(tmp_path):
    return export(small_network(), torch.rand(1, 1, 32, 24), tmp_path / "network.onnx")


@pytest.mark.parametrize("part", ["nodes", "values", "inputs"])
def test_a_name_that_is_code_is_never_run(exported, tmp_path, part):
    proof = tmp_path / "ran"
    code = f'x")+str(open({str(proof)!r}, "w"))+getattr(self, "'

    def change(model):
        graph = model.graph
        if part == "nodes":
            for node in graph.node:
                node.name = code + node.name
        elif part == "values":
            for node in graph.node:
                node.input[:] = [code + name if name.startswith("/") else name for name in node.input]
                node.output[:] = [code + name if name.startswith("/") else name for name in node.output]
        else:
            old = graph.input[0].name
            graph.input[0].name = "x=open('ran', 'w')"
            for node in graph.node:
                node.input[:] = ["x=open('ran', 'w')" if name == old else name for name in node.input]

    network = load_onnx(rewritten(exported, change))
    assert network(torch.rand(1, 1, 32, 24)).shape == (1, 2)
    assert not proof.exists()
    assert all(
        path.replace(".", "").replace("_", "").isalnum() for path, _ in network.named_modules() if path
    )


def external(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")


def foreign(model):
    model.opset_import.add(domain="com.example", version=1)
    model.graph.node[0].domain = "com.example"


def nested(model):
    graph = onnx.helper.make_graph([], "inner", [], [])
    model.graph.node.append(onnx.helper.make_node("If", ["c"], ["d"], then_branch=graph, else_branch=graph))


def unknown(model):
    last = model.graph.node[-1].output[0]
    model.graph.node.append(onnx.helper.make_node("Det", [last], ["d"]))


def shapeless(model):
    model.graph.node[0].input[0] = "nowhere"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (external, "keeps its weights in another file"),
        (foreign, "operators of com.example"),
        (nested, "control flow (If)"),
        (unknown, "uses Det of opset 17"),
        (shapeless, "cannot be converted"),
    ],
)
def test_what_cannot_be_converted_is_said(exported, change, sentence):
    with pytest.raises(InvalidWeights) as refusal:
        load_onnx(rewritten(exported, change))
    assert sentence in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"no protobuf at all", b"\x08\x07" * 40])
def test_a_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "damaged.onnx"
    path.write_bytes(content)
    with pytest.raises(InvalidWeights, match="no ONNX file"):
        load_onnx(path)


def test_a_file_that_is_too_large_is_refused_before_it_is_read(exported, monkeypatch):
    small = settings().model_copy(update={"max_file_bytes": 100})
    monkeypatch.setattr("camlucida.models.onnx_graph.settings", lambda: small)
    with pytest.raises(InvalidWeights, match="more than the 100"):
        load_onnx(exported)


def test_without_the_extra_the_cure_is_said(exported, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx2torch", None)
    with pytest.raises(MissingExtra, match=r"pip install 'camlucida\[onnx\]'"):
        load_onnx(exported)
