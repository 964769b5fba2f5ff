import contextlib
import io
import json
import logging
import os
import warnings
import zipfile

import pytest
import torch
from torch import nn

from camlucida.errors import InvalidWeights
from camlucida.models.exported import load_exported
from camlucida.models.head import prove
from camlucida.models.target_layer import find_cut
from camlucida.settings import settings


class Net(nn.Module):
    """Convolution, ReLU in a named block, pooling and a linear layer."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU())
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


def export(path, network, example):
    """torch's own warnings while exporting are not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        batch = torch.export.Dim("batch", min=1, max=64)
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=({0: batch},)), path)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture(scope="module")
def honest(tmp_path_factory, network):
    path = tmp_path_factory.mktemp("exported") / "honest.pt2"
    export(path, network, torch.randn(2, 1, 16, 12))
    return path


@pytest.fixture
def forge(tmp_path, honest):
    """Makes an archive from the honest one with some entries changed by functions of their content."""

    def make(changes=None, more=None, compression=zipfile.ZIP_STORED):
        path = tmp_path / "forged.pt2"
        with zipfile.ZipFile(honest) as source, zipfile.ZipFile(path, "w", compression) as target:
            for entry in source.infolist():
                root, _, name = entry.filename.partition("/")
                change = (changes or {}).get(name, lambda content: content)
                content = change(source.read(entry))
                if content is not None:
                    target.writestr(f"{root}/{name}", content)
            for name, content in (more or {}).items():
                target.writestr(f"{root}/{name}", content)
        return path

    return make


def in_json(change):
    """A change of an entry's JSON, made in place."""

    def apply(content):
        parsed = json.loads(content)
        change(parsed)
        return json.dumps(parsed).encode()

    return apply


class Payload:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def pickled(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def test_an_exported_network_gives_the_same_logits_and_keeps_its_modules_names(honest, network):
    loaded = load_exported(honest)
    image = torch.randn(3, 1, 16, 12, generator=torch.Generator().manual_seed(1))
    assert torch.equal(loaded(image), network(image))
    assert {"body.0", "body.2", "fc"} <= {name for name, _ in loaded.named_modules()}


def test_an_exported_network_is_split_where_the_original_is(honest, network):
    image = torch.randn(1, 1, 16, 12, generator=torch.Generator().manual_seed(1))
    loaded = load_exported(honest)
    cut, original = find_cut(loaded, image), find_cut(network, image)
    assert (cut.grid, cut.channels) == (original.grid, original.channels)
    proof = prove(loaded, cut, [image])
    assert str(proof.kind) == "linear"
    assert proof.bias == pytest.approx(network.fc.bias.tolist(), abs=1e-6)


def test_sample_inputs_are_never_unpickled(forge, tmp_path, network):
    path = forge({"data/sample_inputs/model.pt": lambda _: pickled(Payload(tmp_path / "mark"))})
    assert torch.equal(load_exported(path)(torch.ones(1, 1, 16, 12)), network(torch.ones(1, 1, 16, 12)))
    assert not (tmp_path / "mark").exists()


def test_the_forged_sample_inputs_would_harm_if_torch_read_them(forge, tmp_path):
    path = forge({"data/sample_inputs/model.pt": lambda _: pickled(Payload(tmp_path / "mark"))})
    logging.disable()  # torch writes a traceback of its own
    try:
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            torch.export.load(path)
    finally:
        logging.disable(logging.NOTSET)
    assert (tmp_path / "mark").exists()  # so the test above tests something


def test_guards_are_left_out(forge, tmp_path, network):
    def change(program):
        program["guards_code"] = [f"__import__('os').mkdir({str(tmp_path / 'mark')!r}) or True"]

    loaded = load_exported(forge({"models/model.json": in_json(change)}))
    assert torch.equal(loaded(torch.ones(1, 1, 16, 12)), network(torch.ones(1, 1, 16, 12)))
    assert not (tmp_path / "mark").exists()


def set_expression(text):
    def change(program):
        values = program["graph_module"]["graph"]["tensor_values"]
        sizes = next(v["sizes"] for v in values.values() if any("as_expr" in size for size in v["sizes"]))
        next(size for size in sizes if "as_expr" in size)["as_expr"]["expr_str"] = text

    return change


def set_name(text):
    def change(program):
        text_of_all = json.dumps(program).replace('"name": "x"', f'"name": {json.dumps(text)}')
        program.clear()
        program.update(json.loads(text_of_all))

    return change


def node(**changes):
    def change(program):
        program["graph_module"]["graph"]["nodes"][0].update(changes)

    return change


def training(program):
    for one in program["graph_module"]["graph"]["nodes"]:
        for argument in one["inputs"]:
            if argument["name"] == "training":
                argument["arg"] = {"as_bool": True}


def tree(program):
    signature = program["graph_module"]["module_call_graph"][0]["signature"]
    version, spec = json.loads(signature["in_spec"])
    spec["type"] = "collections.defaultdict"
    spec["context"] = json.dumps({"default_factory_module": "os", "default_factory_name": "system"})
    signature["in_spec"] = json.dumps([version, spec])


def on_cuda(program):
    values = program["graph_module"]["graph"]["tensor_values"]
    next(iter(values.values()))["device"] = {"type": "cuda", "index": 0}


def module_path(program):
    program["graph_module"]["graph"]["nodes"][0]["metadata"]["nn_module_stack"] = "L,,a\nimport os;"


def verifier(program):
    program["verifiers"] = ["os; system"]


EVIL = "__import__('os').mkdir('mark')"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (set_expression(EVIL), "not a name or size"),
        (set_expression("9**9**9**9"), "not a name or size"),
        (set_expression("Pow(9, 9)"), "not a name or size"),
        (set_expression("s1.__class__"), "not a name or size"),
        (set_expression("Symbol('s1')" * 50), "not a name or size"),
        (set_name(f"x={EVIL}"), "not a name or size"),
        (set_name("x\n  import os"), "not a name or size"),
        (node(target="torch.os.system"), "calls “torch.os.system”, which is no tensor operation"),
        (node(target="torch.load"), "no tensor operation"),
        (node(target="torch.ops.aten.from_file.default"), "no tensor operation"),
        (node(target="torch.ops.aten.relu.default.__class__"), "no tensor operation"),
        (node(target="torch.ops.higher_order.cond"), "no tensor operation"),
        (node(target="#extension:os"), "no tensor operation"),
        (node(target="_operator.attrgetter"), "no tensor operation"),
        (node(inputs=[{"name": "x", "arg": {"as_string": "/etc/passwd"}, "kind": 1}]), "not a name or size"),
        (node(name=EVIL), "not a name or size"),
        (training, "exported in training mode; call eval()"),
        (tree, "“collections.defaultdict”; export a network of plain tensors"),
        (on_cuda, "exported on “cuda”; move the network to the CPU"),
        (module_path, "path of a module"),
        (verifier, "not a name or size"),
    ],
)
def test_a_graph_with_anything_but_tensor_operations_is_refused(
    forge, tmp_path, monkeypatch, change, sentence
):
    monkeypatch.chdir(tmp_path)
    path = forge({"models/model.json": in_json(change)})
    with pytest.raises(InvalidWeights, match=sentence.replace("(", r"\(").replace(")", r"\)")):
        load_exported(path)
    assert not (tmp_path / "mark").exists()


def weight(**changes):
    return {
        "data/weights/model_weights_config.json": in_json(
            lambda config: config["config"]["fc.bias"].update(changes)
        )
    }


def larger(config):
    config["config"]["fc.bias"]["tensor_meta"]["sizes"] = [{"as_int": 10**12}]


@pytest.mark.parametrize(
    ("changes", "more", "sentence"),
    [
        (weight(use_pickle=True), {}, "reading it would run code"),
        (weight(tensor_meta=None), {}, "reading it would run code"),
        (weight(path_name="../../etc/passwd"), {}, "not a name or size|reading it would run code"),
        (weight(path_name="custom_obj_0"), {"data/weights/custom_obj_0": b"x"}, "reading it would run code"),
        (
            {"data/weights/model_weights_config.json": in_json(larger)},
            {},
            "“fc.bias” claims 4000000000000 bytes and has 8",
        ),
        ({}, {"data/aotinductor/model/library.so": b"\x7fELF"}, "neither graph nor tensor"),
        ({}, {"extra/notes.txt": b"x"}, "neither graph nor tensor"),
        ({}, {"data/weights/../../x": b"x"}, "neither graph nor tensor"),
        ({"models/model.json": lambda _: None}, {}, "has no models/model.json"),
        (
            {"data/weights/model_weights_config.json": lambda _: None},
            {"data/weights/model.pt": b"x"},
            "has no data",
        ),
        ({"models/model.json": lambda _: b"[]"}, {}, "is no JSON object"),
        ({"models/model.json": lambda _: b"{}"}, {}, "damaged"),
        ({"models/model.json": lambda _: b'{"a":' * 100_000}, {}, "nested|damaged"),
    ],
)
def test_an_archive_with_more_than_raw_tensors_is_refused(forge, changes, more, sentence):
    with pytest.raises(InvalidWeights, match=sentence):
        load_exported(forge(changes, more))


def test_an_entry_twice_is_refused(forge):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # zipfile says that the name is there already
        path = forge(more={"models/model.json": b"{}"})
    with pytest.raises(InvalidWeights, match=r"holds “models/model.json” twice"):
        load_exported(path)


def test_an_archive_that_would_fill_the_memory_is_refused(forge, monkeypatch):
    path = forge(more={"data/weights/weight_99": b"\0" * 10_000_000}, compression=zipfile.ZIP_DEFLATED)
    monkeypatch.setenv("CAMLUCIDA_MAX_FILE_BYTES", "1000000")
    settings.cache_clear()
    try:
        with pytest.raises(InvalidWeights, match="grows beyond"):
            load_exported(path)
    finally:
        settings.cache_clear()


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "weights.pt2").write_bytes(b"PK\x03\x04 not really")
    with pytest.raises(InvalidWeights, match=r"is no .pt2 of torch.export.save"):
        load_exported(tmp_path / "weights.pt2")


def test_truncated_archives_end_in_a_sentence(tmp_path, honest):
    content = honest.read_bytes()
    for parts in range(1, 20):
        (tmp_path / "weights.pt2").write_bytes(content[: len(content) * parts // 20])
        with pytest.raises(InvalidWeights):
            load_exported(tmp_path / "weights.pt2")


class Unchecked(nn.Module):
    """Writes far outside of a tensor's memory: the index is not looked at."""

    def __init__(self):
        super().__init__()
        self.register_buffer("places", torch.tensor([[2**30], [5]]))
        self.register_buffer("values", torch.ones(1))

    def forward(self, x):
        sparse = torch.ops.aten._sparse_coo_tensor_unsafe(self.places, self.values, [2, 2])
        return x.mean((2, 3)) + sparse.to_dense()


class Resized(nn.Module):
    """Shows what was in the memory before."""

    def forward(self, x):
        return x.mean((2, 3)) + torch.ops.aten.resize.default(x.new_ones(1), [1, 2])


@pytest.mark.parametrize("kind", [Unchecked, Resized])
def test_operators_that_do_not_check_their_memory_are_refused(tmp_path, kind):
    path = tmp_path / "unchecked.pt2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(kind().eval(), (torch.zeros(1, 2, 8, 8),)), path)
    with pytest.raises(InvalidWeights, match="does not check what it is given"):
        load_exported(path)
