"""Targets of segmentations and detections: which number is explained, and at which layer."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import camlucida
from camlucida.errors import UnknownFinding, UnsuitableImage, UnsupportedNetwork
from camlucida.models.load import load_model
from camlucida.models.target_layer import candidates, find_cut
from camlucida.models.targets import LEAST, box, mean_over
from example_models import write_model
from other_networks import module, monai


class Segmentation(nn.Module):
    """Down, up, and a class map; in 2D and 3D. As torchvision does, it may return a dict."""

    def __init__(self, space: int = 2, key: str | None = None) -> None:
        super().__init__()
        convolution = nn.Conv3d if space == 3 else nn.Conv2d
        self.key = key
        self.down = nn.Sequential(convolution(1, 6, 3, 2, 1), nn.ReLU())
        self.middle = nn.Sequential(convolution(6, 8, 3, 2, 1), nn.ReLU())
        self.up = nn.Sequential(nn.Upsample(scale_factor=4), convolution(8, 5, 3, 1, 1), nn.ReLU())
        self.last = convolution(5, 3, 1)

    def forward(self, x: Tensor) -> Tensor | dict[str, Tensor]:
        maps = self.last(self.up(self.middle(self.down(x))))
        return {self.key: maps, "aux": maps * 2} if self.key else maps


def segmentation(space=2, key=None):
    torch.manual_seed(0)
    return Segmentation(space, key).eval(), torch.rand(1, 1, *([16, 24] if space == 2 else [8, 12, 16]))


def region(*space):
    mask = np.zeros(space, bool)
    mask[tuple(slice(size // 4, size // 2) for size in space)] = True
    return mask


@pytest.mark.parametrize("space", [2, 3])
def test_grad_cam_of_a_region_is_seg_grad_cam_written_slowly(space):
    """Vinogradova 2020, eq. 1 and 2, for the mean over M instead of the sum."""
    network, image = segmentation(space)
    mask = region(*image.shape[2:])
    result = camlucida.explain(network, image, logits=mean_over(mask))
    activations = network.up(network.middle(network.down(image))).detach().requires_grad_()
    maps = network.last(activations)
    for finding in range(3):
        pixels = [maps[(0, finding, *place)] for place in np.argwhere(mask)]
        logit = sum(pixels) / len(pixels)
        (gradient,) = torch.autograd.grad(logit, activations, retain_graph=True)
        expected = torch.zeros(image.shape[2:])
        for channel in range(5):
            expected += gradient[0, channel].mean() * activations[0, channel].detach()
        np.testing.assert_allclose(result.values[finding], expected.numpy(), atol=1e-6)
        assert result.logits[finding] == pytest.approx(float(logit.detach()), abs=1e-6)


def test_the_provenance_says_what_was_differentiated():
    network, image = segmentation()
    mask = region(16, 24)
    of_region = camlucida.explain(network, image, logits=mean_over(mask)).explanation.provenance
    assert of_region.target == f"mean logit over {mask.sum()} px of the output"
    held_against = camlucida.explain(network, image, logits=mean_over(), contrast=1).explanation.provenance
    assert held_against.target == "mean logit over all of the output: logit - 1 × logit 1"


def test_the_layer_is_the_last_feature_map_for_the_whole_and_for_any_region():
    network, image = segmentation(key="out")
    tiny = np.zeros((16, 24), bool)
    tiny[0, 0] = True
    for mask in (None, region(16, 24), tiny):
        assert find_cut(network, image, logits=mean_over(mask, key="out")).name == "up"
    layers = candidates(network, image, logits=mean_over(key="out"))
    assert [cut.name for cut in layers] == ["down", "middle", "up"]


@pytest.mark.parametrize(
    ("build", "shape", "layer"),
    [
        (monai("SegResNet", spatial_dims=2, init_filters=8, in_channels=1, out_channels=3),
         (64, 64), (64, 64)),
        (monai("UNet", spatial_dims=2, in_channels=1, out_channels=3, channels=(4, 8, 16), strides=(2, 2)),
         (64, 64), (32, 32)),
        (monai("UNet", spatial_dims=3, in_channels=1, out_channels=3, channels=(4, 8, 16), strides=(2, 2),
               num_res_units=2), (16, 24, 32), (8, 12, 16)),
    ],
    ids=["SegResNet", "UNet", "UNet 3D, residual"],
)  # fmt: skip
def test_monai_segmentations_are_not_explained_by_their_own_answer(build, shape, layer):
    torch.manual_seed(0)
    network = build().eval()
    result = camlucida.explain(network, torch.rand(1, *shape), logits=mean_over(region(*shape)))
    assert result.values.shape == (3, *layer)
    assert np.abs(result.values).max() > 0


@pytest.mark.slow
def test_a_torchvision_segmentation_by_its_key():
    torch.manual_seed(0)
    build = module("torchvision.models.segmentation").deeplabv3_mobilenet_v3_large
    network = build(weights=None, weights_backbone=None, num_classes=5).eval()
    image = torch.rand(3, 64, 96)
    result = camlucida.explain(network, image, logits=mean_over(region(64, 96), key="out"))
    assert result.target_layer == "classifier.3"
    assert result.values.shape == (5, 4, 6)


def test_a_mask_of_another_size_is_refused_with_both():
    network, image = segmentation()
    with pytest.raises(UnsuitableImage, match=r"\(8, 12\).*\(16, 24\)"):
        camlucida.explain(network, image, logits=mean_over(region(8, 12)))


def test_an_empty_mask_is_refused():
    with pytest.raises(UnsuitableImage, match="empty"):
        mean_over(np.zeros((4, 4), bool))


def test_a_classifier_is_no_segmentation():
    with pytest.raises(UnsupportedNetwork, match="mean_over is for segmentations"):
        mean_over()(torch.zeros(1, 3))
    with pytest.raises(UnsupportedNetwork, match="without “out”"):
        mean_over(key="out")({"aux": torch.zeros(1, 3, 4, 4)})


def test_a_card_names_the_mean_of_a_segmentation(tmp_path):
    folder = write_model(
        tmp_path / "model",
        monai("UNet", spatial_dims=2, in_channels=1, out_channels=2, channels=(4, 8), strides=(2,))(),
        architecture="monai.networks.nets:UNet",
        architecture_arguments={
            "spatial_dims": 2, "in_channels": 1, "out_channels": 2, "channels": [4, 8], "strides": [2],
        },
        logits="mean",
    )  # fmt: skip
    model = load_model(folder)
    assert model.logits(torch.arange(8.0).reshape(1, 2, 2, 2)).tolist() == [[1.5, 5.5]]
    assert model.head.bias is not None


BOXES = [[0.0, 0.0, 4.0, 4.0], [2.0, 2.0, 6.0, 6.0], [20.0, 20.0, 30.0, 30.0]]


def detections(scores, labels):
    return [{"boxes": torch.tensor(BOXES), "labels": torch.tensor(labels), "scores": torch.tensor(scores)}]


def test_a_box_is_followed_by_its_place_and_label():
    near = box((1.9, 1.9, 6.1, 6.1), 1)
    assert near(detections([0.9, 0.2, 0.8], [1, 1, 1])).item() == pytest.approx(math.log(0.2 / 0.8), abs=1e-5)
    reordered = detections([0.9, 0.2, 0.8], [1, 2, 1])
    assert near(reordered).item() == pytest.approx(math.log(LEAST / (1 - LEAST)), rel=1e-3)  # another label


def test_a_box_that_is_not_there_any_more_is_a_number_with_a_gradient():
    scores = torch.tensor([0.5], requires_grad=True)
    absent = [{"boxes": torch.tensor(BOXES[:1]), "labels": torch.tensor([1]), "scores": scores}]
    value = box((50, 50, 60, 60), 1)(absent)
    value.sum().backward()
    assert scores.grad.tolist() == [0.0]
    none = [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long(), "scores": torch.zeros(0)}]
    assert box((0, 0, 1, 1), 1)(none).item() == pytest.approx(value.item())


def test_a_certain_box_has_finite_log_odds():
    assert 13 < box(BOXES[0], 1)(detections([1.0, 0.1, 0.1], [1, 1, 1])).item() < 14


@pytest.mark.parametrize("name", ["logits", "pred_logits"])
def test_queries_of_detr_are_matched_by_their_box(name):
    logits = torch.arange(12.0).reshape(1, 3, 4)
    boxes = torch.tensor([[[0.5, 0.5, 1.0, 1.0], [0.25, 0.5, 0.2, 0.4], [0.75, 0.5, 0.2, 0.4]]])
    output = {name: logits, "pred_boxes": boxes}
    target = box((65, 30, 85, 70), 2, size=(100, 100))
    assert target(output).tolist() == [[10.0]]
    assert target.description == "box 65,30,85,70 label 2"
    with pytest.raises(UnsupportedNetwork, match=r"size=\(rows, columns\)"):
        box((65, 30, 85, 70), 2)(output)
    with pytest.raises(UnknownFinding, match="no label 7"):
        box((65, 30, 85, 70), 7, size=(100, 100))(output)


def test_what_is_no_detector_is_said():
    with pytest.raises(UnsupportedNetwork, match="neither detections"):
        box(BOXES[0], 1)(torch.zeros(1, 3))
    with pytest.raises(UnsupportedNetwork, match="no “labels”"):
        box(BOXES[0], 1)([{"boxes": torch.zeros(0, 4)}])


@pytest.mark.slow
def test_torchvisions_retinanet(monkeypatch):
    """The real detector with random weights; its nms in Python, where torchvision's own cannot be had."""
    torch.manual_seed(0)
    models = module("torchvision.models.detection")
    monkeypatch.setattr(module("torchvision.ops.boxes"), "nms", slow_nms)
    network = models.retinanet_resnet50_fpn(
        weights=None, weights_backbone=None, num_classes=3, min_size=96, max_size=96, score_thresh=0.0,
        detections_per_img=5, topk_candidates=4,
    ).eval()  # fmt: skip
    image = torch.rand(3, 96, 96)
    with torch.no_grad():
        (found,) = network([image])
    target = box(found["boxes"][0].tolist(), int(found["labels"][0]))
    result = camlucida.explain(network, image, logits=target, target_layer="backbone.body.layer4")
    assert result.logits[0] == pytest.approx(float(torch.logit(found["scores"][0])), abs=1e-3)
    assert result.values.shape == (1, 3, 3)
    assert np.abs(result.values).max() > 0
    assert result.explanation.provenance.target == target.description


def slow_nms(boxes, scores, iou_threshold):
    boxes, kept = boxes.detach(), []
    for index in scores.argsort(descending=True).tolist():
        if all(overlap(boxes[index], boxes[other]) <= iou_threshold for other in kept):
            kept.append(index)
    return torch.tensor(kept, dtype=torch.long)


def overlap(one, other):
    sides = torch.minimum(one[2:], other[2:]) - torch.maximum(one[:2], other[:2])
    shared = sides.clamp(min=0).prod()
    areas = (one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod()
    return (shared / (areas - shared)).item()
