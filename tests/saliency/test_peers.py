"""Agreement with other libraries where they follow their papers; where they do not, how exactly they differ.

Each is asked for its map before it scales, clips or enlarges it, at the same layer. What differs is told in
docs/concepts/how-other-libraries-differ.md; each claim there is a test here.
"""

import copy
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from torch import nn

import camlucida
import other_networks
from camlucida.models.target_layer import find_cut
from camlucida.saliency.recording import Recording
from example_networks import Deep, Volume, images, make

# What the others warn of is theirs.
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

FINDING = 2
NORM5 = "features.norm5"
LAYERS = {
    "torchvision resnet18": "layer4",
    "torchvision efficientnet_b0": "features",
    "torchvision mobilenet_v3_small": "features",
    "torchvision vgg11": "features",
    "monai DenseNet121 3D": "class_layers.relu",
}


def ours(network, image, method="grad-cam", finding=FINDING, layer=None):
    return camlucida.explain(network, image, method=method, finding=finding, target_layer=layer).values[0]


def captum(network, layer, image, finding=FINDING):
    library = other_networks.module("captum.attr")
    cam = library.LayerGradCam(network, network.get_submodule(layer))
    return cam.attribute(image, target=finding)[0, 0].detach().numpy()


def pytorch_grad_cam(kinds, network, layer, image, finding=FINDING):
    """As its `forward` does, up to where it clips and scales; the kinds share one backward pass."""
    library = other_networks.module("pytorch_grad_cam")
    module = network.get_submodule(layer)
    targets = [library.utils.model_targets.ClassifierOutputTarget(finding)]
    with library.GradCAM(model=network, target_layers=[module]) as cam:
        targets[0](cam.activations_and_grads(image)[0]).backward()
        network.zero_grad(set_to_none=True)
        kept = cam.activations_and_grads
        tensors = kept.activations[0].numpy().copy(), kept.gradients[0].numpy()
    others = [getattr(library, kind)(model=network, target_layers=[module]) for kind in kinds]
    return [other.get_cam_image(image, module, targets, *tensors, False)[0] for other in others]


def torchcam(kinds, network, layer, image, finding=FINDING):
    """Its own way to leave the scaling out; what is negative is cut off."""
    library = other_networks.module("torchcam.methods")
    with ExitStack() as stack:
        cams = [stack.enter_context(getattr(library, kind)(network, layer)) for kind in kinds]
        logits = network(image)
        maps = [cam(finding, logits, normalized=False, retain_graph=True)[0][0] for cam in cams]
    return [one.detach().numpy() for one in maps]


def monai(kind, network, layer, image, finding=FINDING):
    """What is negative is cut off; its hooks stay in the network, so it gets a copy."""
    library = other_networks.module("monai.visualize")
    cam = getattr(library, kind)(nn_module=copy.deepcopy(network), target_layers=layer)
    return cam.compute_map(image, class_idx=finding)[0, 0].detach().numpy()


def agree(one, other):
    """To 1e-5, and to a ten-thousandth of the largest value: small maps are not equal for being small."""
    largest = np.abs(other).max()
    assert one.shape == other.shape
    assert largest > 0
    return np.abs(one - other).max() <= min(1e-5, 1e-4 * largest)


@pytest.mark.parametrize("name", LAYERS)
def test_maps_are_those_of_the_others(name):
    network, image, layer = other_networks.network(name), other_networks.image(name), LAYERS[name]
    recording = Recording(network, image, find_cut(network, image, layer), [FINDING])
    grad_cam, hirescam, layercam, xgrad_cam = (
        camlucida.METHODS[method].compute(recording, variant="", progress=None)[0, 0].detach().numpy()
        for method in ("grad-cam", "hirescam", "layercam", "xgrad-cam")
    )
    assert agree(grad_cam, captum(network, layer, image))

    kinds = ("GradCAM", "HiResCAM", "LayerCAM", "XGradCAM")
    expected = dict(zip(kinds, pytorch_grad_cam(kinds, network, layer, image), strict=True))
    assert agree(grad_cam, expected["GradCAM"])
    assert agree(hirescam, expected["HiResCAM"])
    assert agree(layercam, expected["LayerCAM"])
    assert agree(xgrad_cam, expected["XGradCAM"])

    kinds = ("GradCAM", "LayerCAM", "XGradCAM")
    expected = dict(zip(kinds, torchcam(kinds, network, layer, image), strict=True))
    assert agree(grad_cam.clip(min=0), expected["GradCAM"])
    assert agree(layercam.clip(min=0), expected["LayerCAM"])
    assert agree(xgrad_cam.clip(min=0), expected["XGradCAM"])

    assert agree(grad_cam.clip(min=0), monai("GradCAM", network, layer, image))


def test_finer_cam_is_that_of_torchcam():
    network, image = make(Deep), images(Deep)
    library = other_networks.module("torchcam.methods")
    with library.FinerCAM(network, "body", gamma=1.0, num_references=1) as cam:
        expected = cam(1, network(image), normalized=False)[0][0].detach().numpy()
    assert agree(ours(network, image, "finer-cam", 1, "body").clip(min=0), expected)


# --- one layer, three libraries, three maps -----------------------------------------------------------------


@pytest.fixture
def densenet():
    name = "torchvision densenet121"
    return other_networks.network(name), other_networks.image(name)


def test_densenets_last_relu_is_a_function_and_works_in_place(densenet):
    """The classifier pools what comes after it. A hook at norm5 sees the tensor before, or overwritten."""
    network, image = densenet
    pooled, before = ours(network, image), ours(network, image, layer=NORM5)
    assert camlucida.explain(network, image).target_layer == "features.norm5 → relu"
    assert not agree(pooled, before)
    assert agree(before, captum(network, NORM5, image))
    assert agree(pooled.clip(min=0), torchcam(["GradCAM"], network, NORM5, image)[0])
    (mixture,) = pytorch_grad_cam(["GradCAM"], network, NORM5, image)
    assert not agree(mixture, pooled)
    assert not agree(mixture, before)
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        monai("GradCAM", network, NORM5, image)


def test_pytorch_grad_cam_mixes_activations_after_with_gradients_before_the_relu(densenet):
    network, image = densenet
    tensors = []

    def keep(_module, _inputs, output):
        output.requires_grad_() if output.is_leaf else output.retain_grad()
        tensors.append(output)
        return output.clone()

    network = copy.deepcopy(network)
    network.get_submodule(NORM5).register_forward_hook(keep)
    network(image)[0, FINDING].backward()
    (norm5,) = tensors
    weights = norm5.grad[0].mean(dim=(1, 2))
    expected = (weights[:, None, None] * norm5.detach()[0].relu()).sum(dim=0).numpy()
    assert agree(pytorch_grad_cam(["GradCAM"], densenet[0], NORM5, image)[0], expected)


# --- where a library is not its paper -----------------------------------------------------------------------


def plus_plus(network, image, layer, alpha):
    """Grad-CAM++ channel by channel, with `alpha(gradient, sum of the channel)`, cut off at 0."""
    tensors = []

    def keep(_module, _inputs, output):
        output.retain_grad()
        tensors.append(output)

    network = copy.deepcopy(network)
    network.get_submodule(layer).register_forward_hook(keep)
    logits = network(image)
    logits[0, 1].backward()
    (activations,) = tensors
    total = torch.zeros_like(activations[0, 0].detach())
    for channel, gradient in zip(activations.detach()[0], activations.grad[0], strict=True):
        weight = 0.0
        for g in gradient.flatten():
            weight += float(alpha(g, channel.sum())) * max(float(g), 0.0)
        total += weight * channel
    return total.clamp(min=0).numpy(), logits.detach()


def exact(g, total):
    return 1 / (2 + total * g) if g != 0 else 0.0


def test_torchcam_lost_the_denominator_of_grad_cam_plus_plus():
    network, image = make(Deep), images(Deep)
    (found,) = torchcam(["GradCAMpp"], network, "body", image, 1)
    right, _ = plus_plus(network, image, "body", exact)
    assert agree(ours(network, image, "grad-cam++", 1, "body").clip(min=0), right)
    assert not agree(found, right)
    assert agree(found, plus_plus(network, image, "body", lambda g, _total: g**2)[0])


def test_the_epsilon_of_pytorch_grad_cam_outweighs_small_gradients():
    network, image = make(Deep), images(Deep)
    (found,) = pytorch_grad_cam(["GradCAMPlusPlus"], network, "body", image, 1)
    found = found.clip(min=0)
    right, _ = plus_plus(network, image, "body", exact)
    with_epsilon, _ = plus_plus(
        network, image, "body", lambda g, total: g**2 / (2 * g**2 + total * g**3 + 1e-6)
    )
    assert agree(found, with_epsilon)
    assert np.abs(found - right).max() > 0.01 * right.max()


def test_grad_cam_plus_plus_of_monai_carries_exp_of_the_logit_and_overflows():
    network, image = make(Deep), images(Deep)
    found = monai("GradCAMpp", network, "body", image, 1)
    expected, logits = plus_plus(
        network, image, "body", lambda g, total: g**2 / (2 * g**2 + total * g**3 + 1e-7)
    )
    assert agree(found, expected * float(logits[0, 1].exp()))
    with torch.no_grad():
        network.head[-1].bias += 95
    assert not np.isfinite(monai("GradCAMpp", network, "body", image, 1)).all()
    assert np.isfinite(ours(network, image, "grad-cam++", 1, "body")).all()


def test_the_epsilon_of_pytorch_grad_cam_outweighs_faint_activations():
    """Activations a billion times smaller, weights a billion times larger: the network says the same."""
    network, image = make(Volume), images(Volume)
    right = ours(network, image, "xgrad-cam", 1, "body")
    with torch.no_grad():
        network.body[2].weight.mul_(1e-9)
        network.body[2].bias.mul_(1e-9)
        network.fc.weight.mul_(1e9)
    assert ours(network, image, "xgrad-cam", 1, "body") == pytest.approx(right, abs=1e-5)
    assert not agree(pytorch_grad_cam(["XGradCAM"], network, "body", image, 1)[0], right)


def test_pytorch_grad_cam_centres_the_activations_of_eigen_cam():
    network, image = make(Deep), images(Deep)
    activations = network.body(image)[0].detach().double()
    matrix = activations.flatten(1).T

    def first(rows):
        return (rows @ torch.linalg.svd(rows, full_matrices=False).Vh[0]).reshape(activations.shape[1:])

    paper, centred = first(matrix).numpy(), first(matrix - matrix.mean(dim=0)).numpy()
    (found,) = pytorch_grad_cam(["EigenCAM"], network, "body", image, 1)
    mine = ours(network, image, "eigen-cam", 1, "body")
    assert agree(found * np.sign((found * centred).sum()), centred)
    assert agree(mine * np.sign((mine * paper).sum()), paper)
    assert not agree(np.abs(found), np.abs(mine))


def ablation_cam(network, layer, image, finding):
    library = other_networks.module("pytorch_grad_cam")
    network = copy.deepcopy(network)
    module, tensors = network.get_submodule(layer), []
    module.register_forward_hook(lambda _module, _inputs, output: tensors.append(output))
    network(image)
    target = library.utils.model_targets.ClassifierOutputTarget(finding)
    cam = library.AblationCAM(model=network, target_layers=[module])
    return cam.get_cam_image(image, module, [target], tensors[0].detach().numpy(), None)[0]


def test_pytorch_grad_cam_divides_the_weights_of_ablation_cam_by_the_logit():
    """As the paper does. So the map of a finding that the network denies is turned around."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 49, 4), nn.SiLU(), nn.Linear(4, 2)
    )
    image = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        network[-1].bias[1] -= 3
    found, logit = ablation_cam(network, "1", image, 1), float(network(image)[0, 1].detach())
    assert logit < -1
    assert agree(found * logit, ours(network, image, "ablation-cam", 1, "1"))


def test_pytorch_grad_cam_ablates_to_minus_ten_million_where_activations_may_be_negative():
    """There its weights are of the head far out of its range, not of the network without a channel."""
    network, image = make(Deep), images(Deep)
    found, right = ablation_cam(network, "body", image, 1), ours(network, image, "ablation-cam", 1, "body")
    assert np.abs(found).max() > 1e4 * np.abs(right).max()


def test_monais_cam_adds_the_bias_to_every_cell():
    name = "monai DenseNet121 3D"
    network, image = other_networks.network(name), other_networks.image(name)
    library = other_networks.module("monai.visualize")
    cam = library.CAM(copy.deepcopy(network), "class_layers.relu", fc_layers="class_layers.out")
    found = cam.compute_map(image, class_idx=torch.tensor([FINDING]))[0, 0].detach().numpy()
    bias = float(network.class_layers.out.bias[FINDING])
    assert agree((found - bias) / found.size, ours(network, image, "cam", layer="class_layers.relu"))


# --- what they do to a map before it is seen ----------------------------------------------------------------


@pytest.fixture
def weak_and_strong():
    """Finding 1 has 33 times the evidence of finding 0, in the same places."""
    network = make(Volume)
    with torch.no_grad():
        network.fc.weight[1] = network.fc.weight[0] * 33
    return network, images(Volume)


def drawn(network, layer, image, finding):
    """What pytorch-grad-cam's users see."""
    library = other_networks.module("pytorch_grad_cam")
    network = copy.deepcopy(network)
    target = library.utils.model_targets.ClassifierOutputTarget(finding)
    with library.GradCAM(model=network, target_layers=[network.get_submodule(layer)]) as cam:
        return cam(input_tensor=image, targets=[target])[0]


def test_a_map_scaled_to_its_own_largest_value_says_nothing_of_strength(weak_and_strong):
    network, image = weak_and_strong
    weak, strong = (ours(network, image, finding=finding, layer="body") for finding in (0, 1))
    assert strong == pytest.approx(33 * weak, rel=1e-4, abs=1e-6)
    assert drawn(network, "body", image, 1) == pytest.approx(drawn(network, "body", image, 0), abs=1e-3)


def test_the_same_cell_lies_elsewhere_when_corners_are_aligned():
    """pytorch-grad-cam enlarges volumes by scipy's zoom: cubic, from corner to corner."""
    library = other_networks.module("pytorch_grad_cam.utils.image")
    cells = np.zeros((4, 4, 4), np.float32)
    cells[0, 0, 0] = 1
    theirs = library.scale_cam_image(cells[None], (16, 16, 16))[0]
    half_pixel = torch.nn.functional.interpolate(
        torch.from_numpy(cells)[None, None], size=(16, 16, 16), mode="trilinear", align_corners=False
    )[0, 0].numpy()
    assert np.abs(theirs - half_pixel).max() > 0.25
    score_cam = nn.UpsamplingBilinear2d(size=(16, 16))  # the enlargement in its Score-CAM
    assert score_cam.align_corners


def test_monai_draws_no_evidence_as_it_draws_the_strongest():
    """Its default turns maps around: 0 is the most important place, and a map without evidence is all 0."""
    library = other_networks.module("monai.visualize")
    some = torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]]])
    assert float(library.default_normalizer(some)[0, 0, 1, 1]) == 0
    assert not library.default_normalizer(torch.zeros_like(some)).any()


# --- what they leave behind ---------------------------------------------------------------------------------


def test_what_is_left_in_the_network():
    network, image = make(Deep).train(), images(Deep)
    camlucida.explain(network, image)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not network.body._forward_hooks
    library = other_networks.module("pytorch_grad_cam")
    target = library.utils.model_targets.ClassifierOutputTarget(0)
    with library.GradCAM(model=network, target_layers=[network.body]) as cam:
        cam(input_tensor=image, targets=[target])
    assert not network.training
    assert any(parameter.grad is not None for parameter in network.parameters())
    other_networks.module("monai.visualize").GradCAM(network, "body")
    assert network.body._forward_hooks


def test_networks_run_without_gradients_are_explained_all_the_same():
    network, image = make(Deep), images(Deep)
    expected = ours(network, image, finding=1, layer="body")
    with torch.no_grad():
        assert agree(ours(network, image, finding=1, layer="body"), expected)
        with pytest.raises(RuntimeError, match="not connected"):
            torchcam(["GradCAM"], network, "body", image, 1)
        with pytest.raises(RuntimeError, match="does not require grad"):
            pytorch_grad_cam(["GradCAM"], network, "body", image, 1)
        with pytest.raises(RuntimeError, match="does not require grad"):
            monai("GradCAM", network, "body", image, 1)


def test_frozen_networks_are_explained_all_the_same():
    network, image = make(Deep), images(Deep)
    expected = ours(network, image, finding=1, layer="body")
    network.requires_grad_(requires_grad=False)
    assert agree(ours(network, image, finding=1, layer="body"), expected)
    with pytest.raises(RuntimeError):
        torchcam(["GradCAM"], network, "body", image, 1)
    with pytest.raises(RuntimeError):
        pytorch_grad_cam(["GradCAM"], network, "body", image, 1)
