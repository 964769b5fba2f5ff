"""Radiologists' boxes on films of adults, for a network that has only seen children."""

import pytest

import camlucida
from camlucida.evaluation.data.dataset import read_dataset
from camlucida.evaluation.data.observing import cohort
from camlucida.evaluation.estimates import means
from camlucida.evaluation.localization import measure_localization, measures
from camlucida.evaluation.localization.words import localization_section

pytestmark = [pytest.mark.real_data, pytest.mark.slow]


def test_on_adults_the_maps_know_no_more_than_the_middle_of_the_image(real_data):
    nih = real_data / "nih"
    model = camlucida.load_model("paediatric-pneumonia")
    dataset = read_dataset(
        nih / "labels.csv", ["Pneumonia"], images=nih / "full_1024", annotations=[nih / "boxes_1024px.csv"]
    )
    seen = cohort(model, dataset.cases, ["grad-cam"], [measure_localization])
    assert len(seen.observed) == 8
    estimates = means(seen.observed)
    inside = {one.method: one.estimate.value for one in estimates if one.measure == measures.SHARE}
    assert inside["sobel"] < inside["chance of grad-cam"] < inside["grad-cam"] < inside["centre-gaussian"]
    section = localization_section(seen, estimates)
    assert "8 cases of 8 patients are too few for a verdict" in section.blocks[1].text
    assert len(section.blocks[-1].pictures) == 8
