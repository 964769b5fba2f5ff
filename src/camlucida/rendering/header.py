"""All that is needed to show an image, beside its values, as plain JSON: for the viewer, wherever it runs."""

from dataclasses import asdict
from typing import Any

from camlucida.records import Image
from camlucida.rendering.window import default_window

SHOWN_TYPES = ("uint8", "int16", "uint16", "float32")  # what the viewer takes


def header(image: Image) -> dict[str, Any]:
    """All that is needed to show an image, and to make the Image again beside its values; no patient."""
    return {
        "space": list(image.space),
        "dtype": image.values.dtype.newbyteorder("=").name,
        "colour": image.colour,
        "photometric": image.photometric.value,
        "modality": image.modality,
        "slope": image.slope,
        "intercept": image.intercept,
        "unit": image.unit,
        "bits_stored": image.bits_stored,
        "windows": [asdict(window) for window in image.windows],
        "voi_luts": [{**asdict(lut), "table": lut.table.tolist()} for lut in image.voi_luts],
        "default_window": asdict(default_window(image)),
        "padding": None if image.padding is None else list(image.padding),
        "spacing": None if image.spacing is None else list(image.spacing),
        "pixel_to_patient": None if image.pixel_to_patient is None else image.pixel_to_patient.tolist(),
        "notes": list(image.notes),
    }


def shown_type(dtype: str) -> str:
    """The type in which the viewer gets values of this type: itself, or one that holds them."""
    if dtype in SHOWN_TYPES:
        return dtype
    return "int16" if dtype == "int8" else "float32"
