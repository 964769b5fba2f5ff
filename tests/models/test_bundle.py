"""MONAI bundles: what they say becomes a card; what would have to be run is refused."""

import json
import pickle

import pytest
import torch
import yaml
from typer.testing import CliRunner

from camlucida.cli.commands import app
from camlucida.errors import InvalidModelCard, InvalidWeights, MissingExtra
from camlucida.models.bundle import AXES, convert_bundle
from camlucida.models.card import read_card
from camlucida.models.load import load_model
from other_networks import module

UNET = {
    "_target_": "UNet",
    "spatial_dims": "@dims",
    "in_channels": 1,
    "out_channels": "@classes#count",
    "channels": [4, 8],
    "strides": [2],
    "act": ["PRELU", {"init": 0.1}],
    "norm": None,
}
METADATA = {
    "name": "Spleen CT",
    "version": "0.5.7",
    "task": "Decathlon spleen segmentation",
    "authors": "MONAI team",
    "copyright": "Copyright (c) MONAI Consortium",
    "intended_use": "An example, not to be used for diagnostic purposes",
    "network_data_format": {
        "inputs": {
            "image": {"modality": "CT", "num_channels": 1, "spatial_shape": [16, 24, 8]},
        },
        "outputs": {
            "pred": {"format": "segmentation", "num_channels": 2,
                     "channel_def": {"1": "spleen", "0": "background"}},
        },
    },
}  # fmt: skip
CONFIG = {
    "imports": ["$import os"],
    "dims": 3,
    "classes": {"count": 2},
    "network_def": UNET,
    "network": "$@network_def.to('cpu')",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "Spacingd", "keys": "image", "pixdim": [1.5, 1.5, 2.0]},
            {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": -57, "a_max": 164, "b_min": 0,
             "b_max": 1, "clip": True},
        ],
    },
    "postprocessing": {"_target_": "Compose", "transforms": [
        {"_target_": "Activationsd", "keys": "pred", "softmax": True},
    ]},
}  # fmt: skip


def network():
    torch.manual_seed(0)
    unet = module("monai.networks.nets").UNet
    return unet(3, 1, 2, channels=(4, 8), strides=(2,), act=("PRELU", {"init": 0.1})).eval()


def write(folder, config=None, metadata=None, state=None):
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    (folder / "configs/inference.json").write_text(json.dumps(CONFIG if config is None else config))
    (folder / "configs/metadata.json").write_text(json.dumps(METADATA if metadata is None else metadata))
    torch.save(network().state_dict() if state is None else state, folder / "models/model.pt")
    return folder


def test_a_bundle_becomes_a_model_that_gives_what_its_network_gives(tmp_path):
    converted = convert_bundle(write(tmp_path / "bundle"), tmp_path / "model")
    assert converted.open == (AXES,)
    card = read_card(tmp_path / "model")
    assert card.name == "spleen-ct"
    assert card.version == "0.5.7"
    assert card.architecture == "monai.networks.nets:UNet"
    assert card.output == "softmax"
    assert card.logits == "mean"
    assert card.modality == ("CT",)
    assert [finding.name for finding in card.findings] == ["background", "spleen"]
    preparation = card.preparation
    assert (preparation.size, preparation.spacing) == ((8, 24, 16), (2.0, 1.5, 1.5))  # z, y, x
    assert (preparation.intensity, preparation.low, preparation.high) == ("range", -57, 164)
    model = load_model(tmp_path / "model")
    image = torch.rand(1, 1, 8, 24, 16)
    torch.testing.assert_close(model.module(image), network()(image))


def test_yaml_says_the_same(tmp_path, monkeypatch):
    bundle = write(tmp_path / "bundle")
    (bundle / "configs/inference.json").unlink()
    (bundle / "configs/inference.yaml").write_text(yaml.safe_dump(CONFIG))
    convert_bundle(bundle, tmp_path / "model")
    assert read_card(tmp_path / "model").architecture == "monai.networks.nets:UNet"
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(MissingExtra, match="pip install pyyaml"):
        convert_bundle(bundle, tmp_path / "other")


def test_what_the_bundle_does_not_say_is_asked_for(tmp_path):
    metadata = {"name": "x", "version": "1", "network_data_format": {
        "inputs": {"image": {"num_channels": 1, "spatial_shape": ["16*n", "*"]}},
        "outputs": {"pred": {"num_channels": 2}},
    }}  # fmt: skip
    config = {key: CONFIG[key] for key in ("dims", "classes", "network_def")}
    bundle = write(tmp_path / "bundle", config, metadata)
    done = CliRunner().invoke(app, ["models", "from-monai", str(bundle), str(tmp_path / "model")])
    assert done.exit_code == 0, done.stderr
    for key in ("output:", "size, of [input]:", "intensity, mean and std", "[[findings]]:", "axes:"):
        assert f"Open: {key}" in done.stdout
    assert "camlucida models add" in done.stdout
    with pytest.raises(InvalidModelCard, match="output is missing"):
        read_card(tmp_path / "model")


def changed(**keys):
    return {**CONFIG, "network_def": {**UNET, **keys}}


def loop():
    return {**CONFIG, "dims": "@network_def#spatial_dims"}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (changed(channels="$__import__('os').system('true')"), "is an expression"),
        (changed(channels=["$[4, 8]"]), "is an expression"),
        (changed(channels="%other.json#channels"), "is an expression"),
        (changed(channels="@nowhere"), "refers to “@nowhere”"),
        (
            changed(act={"_target_": "os.system", "command": "true"}),
            "_target_, which would have to be called",
        ),
        (changed(_target_="os.system"), "only classes of monai.networks.nets"),
        (changed(_target_="monai.networks.nets.UNet.__init__"), "only classes of monai.networks.nets"),
        (changed(_target_="monai.bundle.ConfigParser"), "only classes of monai.networks.nets"),
        (changed(_target_="$monai.networks.nets.UNet"), "only classes of monai.networks.nets"),
        (changed(_target_="Conv"), "has no “Conv”"),
        (changed(_requires_="$print(1)"), "is an expression"),
        (changed(channels=[10**9, 10**9]), "larger than 1000000"),
        (changed(channels=[10**400]), "larger than 1000000"),
        (changed(channels=[float("nan")]), "larger than 1000000"),
        (changed(_target_=["UNet"]), "only classes of monai.networks.nets"),
        (changed(channels=[[4] * 200] * 200), "larger than any network's arguments"),
        (changed(colour="blue"), "does not take its"),
        (loop(), "larger than any network's arguments"),
        ({"network": "$UNet()"}, "no network_def"),
        ([], "not keys with values"),
    ],
)
def test_what_would_have_to_be_run_is_refused(tmp_path, config, sentence):
    with pytest.raises(InvalidModelCard) as refusal:
        convert_bundle(write(tmp_path / "bundle", config), tmp_path / "model")
    assert sentence in str(refusal.value)
    assert not (tmp_path / "model").exists()


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def test_weights_that_hold_code_are_refused(tmp_path, capsys):
    bundle = write(tmp_path / "bundle")
    (bundle / "models/model.pt").write_bytes(pickle.dumps({"model": Evil()}))
    with pytest.raises(InvalidWeights):
        convert_bundle(bundle, tmp_path / "model")
    assert "run" not in capsys.readouterr().out


def test_weights_of_another_network_are_refused(tmp_path):
    with pytest.raises(InvalidWeights, match="does not fit the architecture"):
        convert_bundle(write(tmp_path / "bundle", changed(channels=[4, 16])), tmp_path / "model")


@pytest.mark.parametrize("name", ["models/model.pt", "configs/metadata.json", "configs/inference.json"])
def test_a_link_out_of_the_bundle_is_refused(tmp_path, name):
    bundle = write(tmp_path / "bundle")
    outside = tmp_path / "outside"
    (bundle / name).rename(outside)
    (bundle / name).symlink_to(outside)
    with pytest.raises(InvalidModelCard, match="outside the model's folder"):
        convert_bundle(bundle, tmp_path / "model")


@pytest.mark.parametrize("content", ["[" * 100_000, "{", '{"a": ' + "9" * 5000 + "}", "x" * 1_100_000])
def test_a_configuration_that_is_none_is_one_sentence(tmp_path, content):
    bundle = write(tmp_path / "bundle")
    (bundle / "configs/inference.json").write_text(content)
    with pytest.raises(InvalidModelCard):
        convert_bundle(bundle, tmp_path / "model")


ALIASES = ["a0: &a0 [4, 4, 4]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
MERGES = ["a0: &a0 {k: 4}", *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9))]


@pytest.mark.parametrize(
    "lines",
    [
        [*ALIASES, "network_def: {_target_: UNet, channels: *a11}"],
        [*ALIASES, "network_def: {_target_: *a11}"],
        [*MERGES, "network_def: {_target_: UNet, channels: *a8}"],
    ],
    ids=["arguments", "target", "merged"],
)
def test_aliases_that_grow_without_end_are_refused(tmp_path, lines):
    bundle = write(tmp_path / "bundle")
    (bundle / "configs/inference.json").unlink()
    (bundle / "configs/inference.yaml").write_text("\n".join(lines))
    with pytest.raises(InvalidModelCard, match="has aliases"):
        convert_bundle(bundle, tmp_path / "model")


def test_a_folder_that_could_not_be_finished_is_not_there(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    bundle = write(tmp_path / "bundle")
    monkeypatch.setattr("camlucida.models.bundle._toml", full)
    with pytest.raises(OSError, match="No space left"):
        convert_bundle(bundle, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["bundle"]


def test_text_of_the_metadata_stays_text(tmp_path):
    metadata = {**METADATA, "task": 'x"\narchitecture = "os:system" \x7f\x00', "name": "../../Evil name"}
    convert_bundle(write(tmp_path / "bundle", metadata=metadata), tmp_path / "model")
    card = read_card(tmp_path / "model")
    assert card.name == "evil-name"
    assert card.title == 'x" architecture = "os:system"'


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "model").mkdir()
    with pytest.raises(InvalidModelCard, match="is there already"):
        convert_bundle(write(tmp_path / "bundle"), tmp_path / "model")
