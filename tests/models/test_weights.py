import io
import os
import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from camlucida.errors import InvalidWeights
from camlucida.models.weights import load_weights, read_state
from camlucida.settings import settings
from example_models import small_network


def same(network, other):
    state, others = network.state_dict(), other.state_dict()
    return state.keys() == others.keys() and all(torch.equal(state[name], others[name]) for name in state)


@pytest.fixture
def trained():
    return small_network(seed=1)


@pytest.fixture
def blank():
    return small_network(seed=2)


class Payload:
    """Leaves a mark if it is ever unpickled by a reader that runs code."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {"model": {"state_dict": state}},
        lambda state: {f"module.{name}": tensor for name, tensor in state.items()},
        lambda state: {"state_dict": {f"model.{name}": tensor for name, tensor in state.items()}},
        lambda state: {f"_orig_mod.module.{name}": tensor for name, tensor in state.items()},
        lambda state: {n: tensor for n, tensor in state.items() if not n.endswith("num_batches_tracked")},
    ],
)
@pytest.mark.parametrize("suffix", [".pth", ".pt"])
def test_a_state_dict_is_found_however_it_is_wrapped(tmp_path, trained, blank, wrapped, suffix):
    path = tmp_path / f"weights{suffix}"
    torch.save(wrapped(trained.state_dict()), path)
    assert not same(trained, blank)
    load_weights(blank, path)
    assert same(trained, blank)


def test_the_old_format_of_torch_save_is_read(tmp_path, trained, blank):
    torch.save(trained.state_dict(), tmp_path / "weights.pth", _use_new_zipfile_serialization=False)
    load_weights(blank, tmp_path / "weights.pth")
    assert same(trained, blank)


def test_safetensors_are_read(tmp_path, trained, blank):
    save_file(trained.state_dict(), tmp_path / "weights.safetensors")
    load_weights(blank, tmp_path / "weights.safetensors")
    assert same(trained, blank)


def test_a_prefix_that_the_network_has_itself_is_kept(tmp_path):
    network, blank = (nn.ModuleDict({"model": nn.Linear(2, 1)}) for _ in range(2))
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    load_weights(blank, tmp_path / "weights.pth")
    assert same(network, blank)


def test_half_precision_becomes_the_networks_own(tmp_path, trained, blank):
    torch.save(trained.half().state_dict(), tmp_path / "weights.pth")
    load_weights(blank, tmp_path / "weights.pth")
    assert blank.head.weight.dtype is torch.float32
    assert torch.equal(blank.head.weight, trained.head.weight.float())


def test_the_first_differences_are_listed(tmp_path, trained, blank):
    state = trained.state_dict()
    del state["head.bias"]
    state["head.weight"] = torch.zeros(3, 8)
    state["extra.weight"] = torch.zeros(1)
    save_file(state, tmp_path / "weights.safetensors")
    with pytest.raises(InvalidWeights) as caught:
        load_weights(blank, tmp_path / "weights.safetensors")
    sentence = str(caught.value)
    assert "1 missing (head.bias)" in sentence
    assert "1 not in the architecture (extra.weight)" in sentence
    assert "1 of another shape (head.weight is 3×8, not 2×8)" in sentence


def test_a_long_list_of_differences_is_cut(tmp_path, blank):
    save_file({f"layer{index}": torch.zeros(1) for index in range(9)}, tmp_path / "weights.safetensors")
    with pytest.raises(InvalidWeights, match=r"9 not in the architecture \(layer0, layer1, layer2, …\)"):
        load_weights(blank, tmp_path / "weights.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(tmp_path, trained, blank, value):
    trained.head.bias.data[0] = value
    save_file(trained.state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(InvalidWeights, match=r"NaN or infinity in 1 tensors \(head.bias\)"):
        load_weights(blank, tmp_path / "weights.safetensors")


@pytest.mark.parametrize("place", ["alone", "beside", "legacy", "plain pickle"])
def test_a_pickle_with_code_is_refused_and_the_code_not_run(tmp_path, trained, blank, place):
    mark, path = tmp_path / "mark", tmp_path / "weights.pth"
    content = (
        Payload(mark) if place == "alone" else {"state_dict": trained.state_dict(), "args": Payload(mark)}
    )
    if place == "plain pickle":
        path.write_bytes(pickle.dumps(Payload(mark)))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=place != "legacy")
    with pytest.raises(InvalidWeights, match=r"weights.pth"):
        load_weights(blank, path)
    assert not mark.exists()


def test_a_whole_pickled_network_is_refused_with_what_to_do(tmp_path, trained, blank):
    torch.save(trained, tmp_path / "weights.pt")
    with pytest.raises(InvalidWeights, match=r"save the weights alone, with torch.save\(network.state_dict"):
        load_weights(blank, tmp_path / "weights.pt")


def torchscript(path):
    with zipfile.ZipFile(path, "w") as archive:  # the layout of torch.jit.save, without its deprecation
        archive.writestr("model/data.pkl", b"\x80\x02}q\x00.")
        archive.writestr("model/constants.pkl", b"\x80\x02)q\x00.")
        archive.writestr("model/code/__torch__.py", b"class Net(Module):\n")
        archive.writestr("model/version", b"3\n")


def test_torchscript_is_recognised(tmp_path, blank):
    torchscript(tmp_path / "weights.pt")
    with pytest.raises(InvalidWeights, match="TorchScript archive, whose layers cannot be watched"):
        load_weights(blank, tmp_path / "weights.pt")


def test_an_exported_graph_under_another_suffix_is_recognised(tmp_path, blank):
    with zipfile.ZipFile(tmp_path / "weights.pt", "w") as archive:
        archive.writestr("model/models/model.json", b"{}")
    with pytest.raises(InvalidWeights, match=r"give it the suffix .pt2"):
        load_weights(blank, tmp_path / "weights.pt")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ([1, 2], "holds a list, not a state dict"),
        ({"epoch": 3}, "“epoch” is a int, not a tensor"),
        ({3: torch.zeros(1)}, "not a tensor|is no state dict"),
        ({"state_dict": {"head": {"weight": 1}}}, "“head” is a dict, not a tensor"),
    ],
)
def test_what_is_no_state_dict_is_said(tmp_path, content, sentence):
    torch.save(content, tmp_path / "weights.pth")
    with pytest.raises(InvalidWeights, match=sentence):
        read_state(tmp_path / "weights.pth")


def test_another_suffix_is_refused(tmp_path):
    (tmp_path / "weights.h5").write_bytes(b"x")
    with pytest.raises(InvalidWeights, match=r"“.h5” is none of .safetensors, .pth, .pt and .pt2"):
        read_state(tmp_path / "weights.h5")


def test_a_file_beyond_the_bound_is_refused_unread(tmp_path, trained, monkeypatch):
    save_file(trained.state_dict(), tmp_path / "weights.safetensors")
    monkeypatch.setenv("CAMLUCIDA_MAX_FILE_BYTES", "1000")
    settings.cache_clear()
    try:
        with pytest.raises(InvalidWeights, match="more than the 1000 that are allowed"):
            read_state(tmp_path / "weights.safetensors")
    finally:
        settings.cache_clear()


def test_an_archive_that_would_fill_the_memory_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "weights.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data/0", b"\0" * 10_000_000)
    monkeypatch.setenv("CAMLUCIDA_MAX_FILE_BYTES", "1000000")
    settings.cache_clear()
    try:
        assert (tmp_path / "weights.pth").stat().st_size < 1_000_000
        with pytest.raises(InvalidWeights, match="would grow beyond"):
            read_state(tmp_path / "weights.pth")
    finally:
        settings.cache_clear()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_damaged_files_end_in_a_sentence(tmp_path, trained, blank, suffix):
    whole = io.BytesIO()
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(trained.state_dict(), whole)
    else:
        save_file(trained.state_dict(), path)
        whole.write(path.read_bytes())
    content = whole.getvalue()
    generator = torch.Generator().manual_seed(0)
    refused = 0
    for trial in range(60):
        damaged = bytearray(content[: len(content) * (trial + 1) // 60 - 1] if trial % 2 else content)
        for position in torch.randint(0, min(len(damaged), 4000), (8,), generator=generator).tolist():
            damaged[position] ^= 0x55
        path.write_bytes(damaged)
        try:
            load_weights(blank, path)
        except InvalidWeights:
            refused += 1
    assert refused > 30  # a bit turned inside a number is still a number


@pytest.mark.real_data
def test_real_state_dicts_are_read(real_data):
    squeezenet = read_state(real_data / "models" / "squeezenet1_1_kermany3.pth")
    assert squeezenet["classifier.1.weight"].shape[0] == 3
    for name in ("mah_brain.pt", "meshnet_model5_gw_ae.pt", "meshnet_model20chan3cls.pt"):
        assert read_state(real_data / "models" / name)
