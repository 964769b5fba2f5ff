from dataclasses import replace

import numpy as np
import pytest
import torch

import camlucida
from camlucida.errors import IncomparablePrior, UnknownCheck
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.records import Image, Source
from camlucida.records.encoding import decode, encode
from camlucida.saliency.trust.prior import centre, distances
from example_networks import Dense, images, make
from planted_networks import Marker, marked


@pytest.fixture(scope="module")
def model():
    return camlucida.load_model("phantom-radiograph")


def film(seed, findings=(), **more):
    drawn = radiograph(seed, findings, rows=256, **more)
    return Image(drawn.values, bits_stored=12, spacing=(drawn.spacing, drawn.spacing))


def test_the_same_image_has_not_moved(model):
    image = film(1, ["Effusion"])
    prior = camlucida.explain(model, image)
    result = camlucida.explain(model, image, prior=prior)
    for trust in result.explanation.trust.findings:
        assert trust.prior.logit_change == 0
        assert trust.prior.correlation == pytest.approx(1)
        assert trust.prior.shift is None or trust.prior.shift == pytest.approx(0, abs=1e-9)
        assert "Since the prior: the logit has changed by +0.00" in trust.statement


def test_a_finding_on_the_other_side_has_moved_by_millimetres(model):
    right, left = (film(3, ["Pneumothorax"], sides={"Pneumothorax": side}) for side in (-1, 1))
    prior = camlucida.explain(model, right, finding="Pneumothorax")
    result = camlucida.explain(model, left, finding="Pneumothorax", prior=prior)
    (trust,) = result.explanation.trust.findings
    assert trust.prior.shift_unit == "mm"
    assert not trust.prior.in_patient
    assert 80 < trust.prior.shift < 250
    geometry = result.explanation.saliency_map.geometry
    places = [geometry.cell_to_pixel(centre(one.values[0]))[0] for one in (prior, result)]
    pixels = np.linalg.norm(places[0] - places[1])
    assert trust.prior.shift == pytest.approx(pixels * right.spacing[0], rel=1e-6)
    assert "the evidence has moved by" in trust.statement


def test_other_sizes_are_compared_on_the_field_that_the_network_saw(model):
    small, large = film(3, ["Effusion"]), radiograph(3, ["Effusion"], rows=512)
    prior = camlucida.explain(model, small)
    image = Image(large.values, bits_stored=12, spacing=(large.spacing, large.spacing))
    trust = camlucida.explain(model, image, prior=prior).explanation.trust
    assert max(one.prior.shift for one in trust.findings if one.prior.shift is not None) < 80
    effusion = trust.findings[1].prior
    assert effusion.shift < 5
    assert effusion.correlation > 0.95


def test_without_spacing_the_distance_is_a_share_of_the_field():
    network, image = Marker().eval(), torch.from_numpy(marked())[None]
    network.corner.fill_(1)
    prior = camlucida.explain(network, image)
    (trust,) = camlucida.explain(network, image.roll(16, 1), prior=prior).explanation.trust.findings
    assert trust.prior.shift_unit == "share"
    assert 0 < trust.prior.shift < 1
    assert "of the field's longest edge" in trust.statement


def placed(values, offset, frame="1.2.3"):
    """A map (slice, row, column) with a corner of the field at `offset` mm in the patient."""
    made = camlucida.explain(make(Dense), images(Dense)[0], finding=0)
    to_patient = np.diag([2.0, 1.0, 1.0, 1.0])
    to_patient[:3, 3] = offset
    geometry = replace(
        made.explanation.saliency_map.geometry,
        native_shape=values.shape,
        pixel_shape=values.shape,
        native_to_pixel=np.eye(4),
        pixel_to_patient=to_patient,
        spacing=(2.0, 1.0, 1.0),
    )
    saliency_map = replace(made.explanation.saliency_map, values=values[None], geometry=geometry)
    image = Image(np.zeros(values.shape, np.uint8), source=Source(frame_of_reference_uid=frame))
    return saliency_map, image, replace(made.explanation, saliency_map=saliency_map)


@pytest.mark.parametrize(("frame", "expected"), [("1.2.3", 0.0), ("9.9.9", 6.0)])
def test_volumes_of_one_frame_of_reference_are_compared_in_the_patient(frame, expected):
    """The same place of the patient, three slices (of 2 mm) further on in a field that lies 6 mm off."""
    now, before = np.zeros((2, 8, 6, 6), np.float32)
    now[2, 3, 3], before[5, 3, 3] = 1, 1
    own, image, _ = placed(now, (6, 0, 0))
    _, prior_image, prior = placed(before, (0, 0, 0), frame)
    (distance,) = distances(own, image, prior, prior_image)
    assert distance.in_patient == (frame == "1.2.3")
    assert distance.shift == pytest.approx(expected)
    assert distance.correlation == pytest.approx(1 if distance.in_patient else -1 / 287, abs=1e-5)


def test_a_prior_of_another_kind_is_refused(model):
    image = film(1)
    whole = camlucida.explain(model, image)
    with pytest.raises(IncomparablePrior, match="another method"):
        camlucida.explain(model, image, method="layercam", prior=whole)
    one = camlucida.explain(model, image, finding="Effusion")
    with pytest.raises(IncomparablePrior, match="no map of “Nodule”; it has: Effusion"):
        camlucida.explain(model, image, prior=one, finding="Nodule")
    with pytest.raises(IncomparablePrior, match="another model"):
        camlucida.explain(make(Dense), images(Dense)[0], prior=whole)


def test_all_checks_are_kept_and_read_again():
    network, image = Marker().eval(), torch.from_numpy(marked())[None]
    prior = camlucida.explain(network, image)
    result = camlucida.explain(network, image, checks="all", prior=prior)
    (trust,) = result.explanation.trust.findings
    assert None not in (trust.causal, trust.stability, trust.agreement, trust.prior)
    assert decode(encode(result.explanation)).trust == result.explanation.trust


def test_a_check_that_is_not_there_is_said_with_the_choice():
    with pytest.raises(UnknownCheck, match="no check “casual”; there are causal, stability, agreement"):
        camlucida.explain(make(Dense), images(Dense)[0], checks=["casual"])


def test_checks_of_fused_layers_are_refused():
    with pytest.raises(UnknownCheck, match="one layer's map"):
        camlucida.explain(
            make(Dense),
            images(Dense)[0],
            method="layercam",
            target_layer=["features.1", "features.3"],
            checks="causal",
        )
