import math

import numpy as np
import pytest
import torch

from camlucida.errors import InvalidModelCard, UnsuitableImage, UnsupportedNetwork
from camlucida.models.card import read_card
from camlucida.models.classifier import Classifier, logits_adapter
from camlucida.records import Image
from example_models import small_network, write_model


@pytest.fixture
def classifier(tmp_path):
    def make(**changes):
        return Classifier(small_network(), read_card(write_model(tmp_path / "model", **changes)), "0" * 64)

    return make


def radiograph(modality="DX", space=(40, 30)):
    return Image(np.zeros(space, np.uint8), modality=modality)


def test_an_image_of_the_right_kind_is_prepared(classifier):
    prepared = classifier().prepare(radiograph())
    assert prepared.values.shape == (1, 32, 24)
    assert prepared.values.dtype == np.float32
    assert np.allclose(prepared.values, (0 - 0.5) / 0.25)


def test_a_picture_without_a_modality_is_taken(classifier):
    classifier().check(radiograph(modality=""))


def test_another_modality_is_refused_with_both_named(classifier):
    with pytest.raises(UnsuitableImage, match="takes CR or DX; this image is CT"):
        classifier().check(radiograph(modality="CT"))


def test_any_modality_is_taken_where_the_card_names_none(classifier):
    classifier(input={"size": [32, 24]}).check(radiograph(modality="CT"))


def test_a_volume_is_refused_by_a_model_of_images_and_the_other_way_round(classifier):
    with pytest.raises(UnsuitableImage, match="takes single images; this is a volume of 5 slices"):
        classifier().check(radiograph(space=(5, 40, 30)))
    with pytest.raises(UnsuitableImage, match="Give the folder of the whole series"):
        classifier(input={"size": [8, 32, 24]}).check(radiograph())


def test_a_regression_has_to_be_asked_for(classifier):
    model = classifier(task="regression")
    with pytest.raises(UnsupportedNetwork, match="scalar=True"):
        model.check(radiograph())
    model.check(radiograph(), scalar=True)
    assert all(math.isnan(p) for p in model.prediction([3.0, 4.0]).probabilities)


def test_sigmoid_makes_each_logit_a_probability(classifier):
    prediction = classifier().prediction([0.0, math.log(3)])
    assert prediction.probabilities == pytest.approx((0.5, 0.75))
    assert prediction.reported(0) is True
    assert prediction.reported(1) is None


def test_sigmoid_does_not_overflow(classifier):
    assert classifier().prediction([-1e4, 1e4]).probabilities == (0.0, 1.0)


def test_softmax_shares_one_probability(classifier):
    prediction = classifier(output="softmax").prediction([1000.0, 1000.0 + math.log(3)])
    assert prediction.probabilities == pytest.approx((0.25, 0.75))


def test_another_number_of_logits_is_refused(classifier):
    with pytest.raises(InvalidModelCard, match=r"gives 3 logits, and its model.toml has 2 \[\[findings\]\]"):
        classifier().prediction([0.0, 1.0, 2.0])


def test_logits_are_taken_from_a_dict_or_a_tuple():
    tensor = torch.ones(1, 2)
    assert logits_adapter(None) is None
    assert logits_adapter("key:out")({"out": tensor, "features": 0}) is tensor
    assert logits_adapter("index:1")((0, tensor)) is tensor
    assert logits_adapter("index:1") is logits_adapter("index:1")  # a key of caches


@pytest.mark.parametrize(
    ("where", "returned"), [("key:out", {"logits": 1}), ("index:2", (1, 2)), ("key:a", 5)]
)
def test_logits_that_are_not_there_are_said(where, returned):
    with pytest.raises(InvalidModelCard, match="name where its logits are"):
        logits_adapter(where)(returned)


def test_the_card_gives_the_adapter(classifier):
    assert classifier().logits is None
    assert classifier(logits="key:out").logits({"out": 7}) == 7
