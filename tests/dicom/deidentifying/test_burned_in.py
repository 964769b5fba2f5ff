"""Which images are refused until someone has looked, and what the look for letters finds."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from pydicom.dataset import Dataset

from camlucida.dicom.deidentifying.burned_in import has_lettering, hopeless, refusal
from camlucida.examples.phantom.radiograph import radiograph

CT = "1.2.840.10008.5.1.4.1.1.2"
SC = "1.2.840.10008.5.1.4.1.1.7"


def image(**values):
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality, dataset.PixelData = CT, "CT", b"\0\0"
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    "values",
    [
        {"BurnedInAnnotation": "YES"},
        {"Modality": "US"},
        {"Modality": "XC"},
        {"Modality": "ES", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.1"},
        {"SOPClassUID": SC},
        {"SOPClassUID": SC + ".4"},
        {"Modality": "CR", "ConversionType": "DF"},
        {"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]},
        {"Modality": ""},
    ],
)
def test_images_that_often_show_names_are_refused(values):
    assert refusal(image(**values))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"Modality": "DX", "ImageType": ["ORIGINAL", "PRIMARY"]},
        {"Modality": "US", "BurnedInAnnotation": "NO"},
        {"SOPClassUID": SC, "BurnedInAnnotation": "NO"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4", "Modality": "SEG"},
        {"SOPClassUID": CT + ".1"},
    ],
)
def test_others_are_not(values):
    assert refusal(image(**values)) is None


def test_objects_without_pixels_show_nothing():
    report = image(Modality="SR")
    del report.PixelData
    assert refusal(report) is None


@pytest.mark.parametrize(
    "sop_class",
    ["1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.9.4.1", "1.2.840.10008.1.3.10"],
)
def test_documents_voices_and_directories_are_never_shared(sop_class):
    assert hopeless(image(SOPClassUID=sop_class))
    assert hopeless(image()) is None


def written_on(frame, text, size=16, white=True):
    """A frame with a line of text, as a console burns it in: without antialiasing."""
    canvas = Image.new("1", frame.shape[::-1])
    draw = ImageDraw.Draw(canvas)
    draw.fontmode = "1"
    draw.text((12, 12), text, fill=1, font=ImageFont.load_default(size))
    marked = frame.copy()
    marked[np.asarray(canvas)] = 4095 if white else 0
    return marked


@pytest.mark.parametrize("size", [12, 16, 24, 40])
@pytest.mark.parametrize("white", [True, False])
def test_a_printed_name_is_found(size, white):
    frame = np.random.default_rng(1).normal(2000, 200, (400, 700)).clip(1, 4094).astype(np.uint16)
    assert has_lettering(written_on(frame, "MUSTERMANN ERIKA", size, white))


def test_films_without_a_line_of_letters_give_no_warning():
    plain = radiograph(7101, (), rows=400)
    marked = radiograph(7108, (), rows=400, marker=True)
    assert not has_lettering(plain.values)
    assert not has_lettering(marked.values)
    noise = np.random.default_rng(2).integers(0, 4096, (300, 300))
    assert not has_lettering(noise)
    assert not has_lettering(np.zeros((50, 50)))


def test_a_page_of_letters_is_told_quickly():
    page = np.zeros((2000, 2000), np.uint8)
    page[::8, :] = page[:, ::4] = 0
    page.reshape(250, 8, 500, 4)[:, :6, :, :3] = 255
    assert has_lettering(page)
