"""What the viewer asks for when there is no station: an image and its explanations, part by part, as bytes.

The JSON is that of the station's API. Who the image is of, and when it was taken, is left out: notebooks are
saved and sent on.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from camlucida.errors import InputError
from camlucida.records import Explanation, Image
from camlucida.records.encoding import to_json
from camlucida.rendering.header import header, shown_type
from camlucida.rendering.scale import scales_of


@dataclass(frozen=True, eq=False)
class Contents:
    """One image, the explanations of it, and what it is called on the screen.

    Raises
    ------
    InputError
        There is no explanation, or one of another image.
    """

    image: Image
    explanations: Sequence[Explanation]
    title: str = ""

    def __post_init__(self) -> None:
        digests = {explanation.provenance.pixel_digest for explanation in self.explanations}
        if len(digests) != 1:
            raise InputError(
                "One image is shown at a time: the explanations are of several, or there is none."
            )

    def names(self) -> Iterator[str]:
        """The names of all parts, in the order in which a reader needs them."""
        yield from ("study", "image")
        for index in range(len(self.explanations)):
            yield from (f"explanation/{index}", f"values/{index}")
        slices = self.image.space[0] if len(self.image.space) == 3 else 1
        yield from (f"pixels/{index}" for index in range(slices))

    def part(self, name: str) -> bytes:
        """One part: JSON as UTF-8; pixels and values little-endian, C order.

        Raises
        ------
        KeyError
            There is no such part.
        """
        if name not in set(self.names()):
            raise KeyError(name)
        kind, _, number = name.partition("/")
        match kind:
            case "study":
                return _json(self._study())
            case "image":
                return _json({**header(self.image), "key": "image", "dtype": self._shown_type})
            case "explanation":
                return _json(_explanation(self.explanations[int(number)]))
            case "values":
                values = self.explanations[int(number)].saliency_map.values
                return np.ascontiguousarray(values, "<f4").tobytes()
            case _:
                return self._pixels(int(number))

    @property
    def _shown_type(self) -> str:
        return shown_type(self.image.values.dtype.newbyteorder("=").name)

    def _pixels(self, index: int) -> bytes:
        plane = self.image.values[index] if len(self.image.space) == 3 else self.image.values
        return np.ascontiguousarray(plane, np.dtype(self._shown_type).newbyteorder("<")).tobytes()

    def _study(self) -> dict[str, Any]:
        return {
            "key": "study",
            "patient_name": "",
            "patient_id": "",
            "study_date": "",
            "description": self.title,
            "modality": self.image.modality,
            "phantom": False,
            "findings": [],
            "images": [self._image_row()],
        }

    def _image_row(self) -> dict[str, Any]:
        return {
            "key": "image",
            "series_description": "",
            "view_position": self.image.source.view_position,
            "modality": self.image.modality,
            "space": list(self.image.space),
            "frame_number": self.image.source.frame_number,
            "notes": list(self.image.notes),
            "explanations": [_row(index, one) for index, one in enumerate(self.explanations)],
        }


def _row(index: int, explanation: Explanation) -> dict[str, Any]:
    return {
        "key": str(index),
        "model": explanation.provenance.model_name,
        "model_version": explanation.provenance.model_version,
        "method": explanation.saliency_map.method,
        "state": "explained",
        "reason": None,
    }


def _explanation(explanation: Explanation) -> dict[str, Any]:
    return {**to_json(explanation), "scales": scales_of(explanation.saliency_map)}


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()
