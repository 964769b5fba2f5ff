import json
import subprocess
import sys

import numpy as np
import pytest
import zstandard

from camlucida.errors import DamagedBlob
from camlucida.records import Image, Patient, Photometric, VoiLut, VoiLutFunction, Window
from camlucida.rendering.header import header
from camlucida.store import pixels


def again(image):
    kept = json.loads(json.dumps(header(image)))
    origin = json.loads(json.dumps(pixels.origin(image.source)))
    return pixels.rebuild(kept, origin, Patient(), list(pixels.slices(image)))


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int16", "int32", ">u2", "float32"])
@pytest.mark.parametrize("space", [(5, 7), (3, 5, 7)])
def test_an_image_comes_back_bit_for_bit(make_image, dtype, space):
    values = np.arange(np.prod(space)).reshape(space).astype(dtype)
    image = make_image(
        windows=(Window(40.0, 400.0, VoiLutFunction.SIGMOID, "soft tissue"),),
        voi_luts=(VoiLut(-3, np.array([0, 9, 65535], np.uint16), 16, "shown"),),
        slope=0.5,
        intercept=-1024.0,
        padding=(-2000.0, -2000.0),
        spacing=(0.1,) * len(space),
        pixel_to_patient=np.eye(4),
        notes=("a note",),
    )
    image = Image(**{**image.__dict__, "values": values})
    back = again(image)
    assert np.array_equal(back.values, values)
    assert back.digest == image.digest
    for name in [
        "slope",
        "intercept",
        "padding",
        "spacing",
        "windows",
        "notes",
        "modality",
        "bits_stored",
        "photometric",
    ]:
        assert getattr(back, name) == getattr(image, name)
    assert np.array_equal(back.voi_luts[0].table, image.voi_luts[0].table)
    assert np.array_equal(back.pixel_to_patient, np.eye(4))
    assert back.source.sop_instance_uids == image.source.sop_instance_uids


def test_colour_comes_back(make_image):
    image = make_image((4, 5, 3), photometric=Photometric.RGB)
    assert again(image).digest == image.digest


def test_a_volume_is_kept_slice_by_slice_and_each_is_what_a_browser_unpacks(make_image):
    image = make_image((3, 5, 7))
    for plane, values in zip(pixels.slices(image), image.values, strict=True):
        assert zstandard.ZstdDecompressor().decompress(plane) == values.astype("<u2").tobytes()


def test_what_is_kept_says_no_patient_and_no_path(make_image):
    image = make_image()
    kept = json.dumps([header(image), pixels.origin(image.source)])
    assert "Doe" not in kept
    assert "4711" not in kept
    assert "path" not in pixels.origin(image.source)


def test_bytes_that_are_no_zstd_are_damage():
    with pytest.raises(DamagedBlob):
        pixels.unpack([b"nothing"], "uint16")


@pytest.mark.parametrize(
    "module",
    ["store.home", "store.explanations", "store.studies", "store.upkeep.sizes", "web.app", "web.serving"],
)
def test_delivery_starts_without_torch_and_engine(module):
    code = f"import sys, camlucida.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own code
    engine = ("torch", "camlucida.images", "camlucida.models", "camlucida.saliency")
    assert not [name for name in done.stdout.split() if name.startswith(engine)]
