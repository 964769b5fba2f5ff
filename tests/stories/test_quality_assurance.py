"""A hospital's quality assurance asks: is what is kept what the model says, and can it be made again?"""

import numpy as np
import pytest
from sqlalchemy import select

from camlucida import pipeline
from camlucida.errors import DamagedBlob
from camlucida.examples.phantom.dicom import write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.models.load import load_registered
from camlucida.saliency.explain import explain
from camlucida.store import explanations, studies
from camlucida.store.home import Home
from camlucida.store.tables import ExplanationRow, State


@pytest.fixture
def home(tmp_path):
    """A station with one phantom film, explained by the shipped models that are made for it."""
    write_radiograph(radiograph(3, ["Pneumothorax"], rows=256), tmp_path / "film.dcm")
    opened = Home.open(tmp_path / "home")
    list(pipeline.register_shipped(opened))
    list(pipeline.take_in(opened, pipeline.find([tmp_path / "film.dcm"])))
    models = pipeline.current_models(opened)
    pipeline.want(opened, models)
    list(pipeline.explain_wanted(opened, models))
    yield opened
    opened.close()


def rows(home):
    """Each explanation's row with the image that was kept for it."""
    with home.database.read() as session:
        found = session.scalars(select(ExplanationRow)).all()
        return [(row, studies.load(home, row.image)) for row in found]


def test_every_kept_map_can_be_computed_again_to_the_bit(home):
    models = {model.digest: model for model in pipeline.current_models(home)}
    done = [(row, image) for row, image in rows(home) if row.state == State.DONE]
    assert done
    for row, image in done:
        kept = explanations.load(home, row.digest)
        again = explain(load_registered(models[row.model_digest]), image).explanation
        assert np.array_equal(again.saliency_map.values, kept.saliency_map.values)
        assert again.provenance.cache_key == kept.provenance.cache_key
        assert again.prediction == kept.prediction


def test_a_map_that_was_tampered_with_is_never_shown(home):
    row, _ = rows(home)[0]
    blob = next(path for path in home.folder.rglob(row.digest) if path.is_file())
    content = bytearray(blob.read_bytes())
    content[len(content) // 2] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(content)
    with pytest.raises(DamagedBlob):
        explanations.load(home, row.digest)


def test_nothing_of_the_patient_is_in_a_kept_map(home):
    for row, _ in rows(home):
        if row.state == State.DONE:
            assert "PHANTOM" not in repr(explanations.load(home, row.digest).provenance)
