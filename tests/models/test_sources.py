"""Networks of other libraries by their names in a card: built, filled with their own weights, explained."""

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import camlucida
from camlucida.errors import InvalidModelCard
from camlucida.models.build import build
from camlucida.models.exported import load_exported
from camlucida.models.load import load_model
from camlucida.records import Image
from example_models import small_network, write_model
from other_networks import FINDINGS, hugging_face, module, timm, torchvision

VIT = {
    "image_size": 32, "patch_size": 8, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "intermediate_size": 32, "num_channels": 3,
}  # fmt: skip
RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}


def card_of(folder, network, path, arguments, channels=3, side=64):
    model = write_model(
        folder, network, architecture=path, architecture_arguments=arguments,
        input={"size": [side, side], "channels": channels},
        findings=[{"name": f"finding {number}"} for number in range(FINDINGS)],
    )  # fmt: skip
    return load_model(model)


def lively(build_it):
    torch.manual_seed(0)
    return build_it().eval()


@pytest.mark.parametrize(
    ("build_it", "path", "arguments", "side"),
    [
        (torchvision("resnet18"), "torchvision.models:resnet18", {"num_classes": FINDINGS}, 64),
        (timm("efficientnet_lite0"), "timm:create_model",
         {"model_name": "efficientnet_lite0", "num_classes": FINDINGS}, 64),
        (hugging_face("ResNet", **RESNET), "transformers:ResNetForImageClassification",
         {**RESNET, "num_labels": FINDINGS}, 64),
    ],
    ids=["torchvision", "timm", "Hugging Face"],
)  # fmt: skip
@pytest.mark.slow
def test_a_network_by_its_name_gives_what_its_library_gives(tmp_path, build_it, path, arguments, side):
    network = lively(build_it)
    model = card_of(tmp_path / "model", network, path, arguments, side=side)
    image = torch.rand(1, 3, side, side)
    own, named = network(image), model.module(image)
    torch.testing.assert_close(getattr(named, "logits", named), getattr(own, "logits", own))
    picture = Image(np.arange(80 * 80, dtype=np.uint8).reshape(80, 80))
    result = camlucida.explain(model, picture, method="hirescam")
    assert np.abs(result.residual).max() < 1e-3


@pytest.mark.slow
def test_torchxrayvision_gives_logits_without_its_operating_points(tmp_path):
    """Its forward would give probabilities turned by operating points, a constant 0.5 where one is NaN."""
    models = module("torchxrayvision.models")
    network = lively(lambda: models.DenseNet(weights=None, num_classes=FINDINGS, in_channels=1))
    arguments = {"num_classes": FINDINGS, "in_channels": 1}
    folder = write_model(
        tmp_path / "model", architecture="torchxrayvision.models:DenseNet", architecture_arguments=arguments,
        input={"size": [64, 64]}, findings=[{"name": f"finding {n}"} for n in range(FINDINGS)],
    )  # fmt: skip
    state = {**network.state_dict(), "op_threshs": torch.full((FINDINGS,), torch.nan)}  # as it is published
    save_file({name: one.contiguous() for name, one in state.items()}, folder / "weights.safetensors")
    model = load_model(folder)
    image = torch.rand(1, 1, 64, 64)
    features = torch.relu(network.features(image)).mean((2, 3))
    torch.testing.assert_close(model.module(image), network.classifier(features))
    assert model.head.kind == "linear"
    assert (model.head.target_layer, model.head.grid) == ("features.norm5 → relu", (2, 2))


@pytest.mark.slow
def test_a_transformer_of_hugging_face_by_its_name():
    module("transformers")
    network = build("transformers:ViTForImageClassification", {**VIT, "num_labels": 3})
    assert network(torch.rand(1, 3, 32, 32)).logits.shape == (1, 3)


@pytest.mark.parametrize(
    ("path", "arguments", "sentence"),
    [
        ("transformers:ViTModel", VIT, "only image classifiers"),
        ("transformers:BertForSequenceClassification", {}, "only image classifiers"),
        ("transformers:TimmWrapperForImageClassification", {}, "only image classifiers"),
        ("transformers:ViTForImageClassification", {"auto_map": {"AutoModel": "x"}}, "auto_map"),
        ("transformers:ViTForImageClassification", {"attn_implementation": "a"}, "attn_implementation"),
        ("transformers:ViTForImageClassification", {"_attn_implementation": "a"}, "_attn_implementation"),
        ("transformers:ViTForImageClassification", {"hidden_act": "evil/kernels"}, "names a file or a place"),
        ("transformers:ViTForImageClassification", {"dtype": "float16"}, "dtype"),
        ("transformers:ViTForImageClassification", {"pretrained": True}, "would fetch weights"),
        ("transformers:AutoModelForImageClassification", {}, "neither a torch.nn.Module class"),
        ("transformers:pipeline", {}, "neither a torch.nn.Module class"),
    ],
)  # fmt: skip
def test_of_transformers_nothing_is_fetched_or_run(path, arguments, sentence):
    module("transformers")
    with pytest.raises(InvalidModelCard) as refusal:
        build(path, arguments)
    assert sentence in str(refusal.value)


def test_an_exported_network_is_explained_with_a_contrast_by_several_methods(tmp_path):
    network, image = small_network(findings=3), torch.rand(1, 1, 32, 24)
    torch.export.save(torch.export.export(network, (image,)), tmp_path / "network.pt2")
    exported = load_exported(tmp_path / "network.pt2")
    for method in ("grad-cam", "hirescam", "grad-cam++", "layercam"):
        own = camlucida.explain(network, image, method=method, contrast=2)
        other = camlucida.explain(exported, image, method=method, contrast=2)
        assert other.findings == ("output 0", "output 1")
        np.testing.assert_allclose(other.values, own.values, atol=1e-6)
        np.testing.assert_allclose(other.logits, own.logits, atol=1e-5)
