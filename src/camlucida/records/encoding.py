"""An explanation as bytes, and back: safetensors with its JSON in the header, compressed by zstd.

The same JSON, without the values, is what the server sends and what `camlucida explain` writes beside a map.
Reading bounds every size before it allocates and runs no code from the file.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from math import isnan, nan
from typing import Any

import numpy as np
import zstandard
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from camlucida.errors import DamagedBlob
from camlucida.records.concept import CodedConcept
from camlucida.records.explanation import Explanation
from camlucida.records.finding import Finding
from camlucida.records.geometry import Geometry
from camlucida.records.prediction import Prediction
from camlucida.records.provenance import Provenance
from camlucida.records.saliency_map import SaliencyMap, Unit
from camlucida.records.trust_report import (
    AgreementCheck,
    CausalCheck,
    Change,
    FindingTrust,
    HeadKind,
    MethodAgreement,
    PriorDistance,
    StabilityCheck,
    TrustReport,
)

FORMAT = 1
MAX_BYTES = 512 * 2**20
"""Largest explanation, uncompressed: far above any native grid, far below a machine's memory."""


def encode(explanation: Explanation) -> bytes:
    """The explanation as one compressed blob; the same explanation gives the same bytes."""
    return zstandard.ZstdCompressor(level=9).compress(to_safetensors(explanation))


def decode(blob: bytes) -> Explanation:
    """The explanation that `encode` was given.

    Raises
    ------
    DamagedBlob
        The bytes are not an explanation.
    """
    try:
        return from_safetensors(_decompressed(blob))
    except (zstandard.ZstdError, SafetensorError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise DamagedBlob(f"The bytes are not a kept explanation ({type(error).__name__}).") from error


def _decompressed(blob: bytes) -> bytes:
    # A size in the frame's header is taken at its word, whatever max_output_size says.
    if zstandard.frame_content_size(blob) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    return zstandard.ZstdDecompressor().decompress(blob, max_output_size=MAX_BYTES)


def to_safetensors(explanation: Explanation) -> bytes:
    """Uncompressed safetensors: tensor `values` (finding, *space), float32; JSON in its header."""
    header = json.dumps(to_json(explanation), sort_keys=True, separators=(",", ":"), allow_nan=False)
    values = np.ascontiguousarray(explanation.saliency_map.values, np.float32)
    return bytes(save({"values": values}, {"camlucida": header}))


def from_safetensors(content: bytes) -> Explanation:
    """The explanation that `to_safetensors` was given; raises what the parts raise."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]["camlucida"]
    return from_json(json.loads(header), load(content)["values"])


def to_json(explanation: Explanation) -> dict[str, Any]:
    """Everything but the values, as plain JSON types; evidence for and against is added for readers."""
    return {
        "format": FORMAT,
        "prediction": prediction_to_json(explanation.prediction),
        "saliency_map": map_to_json(explanation.saliency_map),
        "trust": asdict(explanation.trust),
        "provenance": asdict(explanation.provenance) | {"cache_key": explanation.provenance.cache_key},
    }


def prediction_to_json(prediction: Prediction) -> dict[str, Any]:
    """A prediction as plain JSON types; JSON has no NaN, which a regression has for probabilities."""
    probabilities = [None if isnan(value) else value for value in prediction.probabilities]
    return asdict(prediction) | {"probabilities": probabilities}


def map_to_json(saliency_map: SaliencyMap) -> dict[str, Any]:
    """All of a map but its values, as plain JSON types."""
    indices = range(len(saliency_map.findings))
    geometry = saliency_map.geometry
    return {
        "findings": list(saliency_map.findings),
        "logits": list(saliency_map.logits),
        "bias": list(saliency_map.bias),
        "residual": list(saliency_map.residual),
        "evidence_for": [saliency_map.evidence_for(index) for index in indices],
        "evidence_against": [saliency_map.evidence_against(index) for index in indices],
        "supported": [saliency_map.supported(index) for index in indices],
        "method": saliency_map.method,
        "target_layer": saliency_map.target_layer,
        "unit": saliency_map.unit,
        "contrasts": list(saliency_map.contrasts),
        "geometry": {
            "native_shape": list(geometry.native_shape),
            "pixel_shape": list(geometry.pixel_shape),
            "native_to_pixel": geometry.native_to_pixel.tolist(),
            "spacing": None if geometry.spacing is None else list(geometry.spacing),
            "pixel_to_patient": _optional_list(geometry.pixel_to_patient),
        },
    }


def from_json(content: dict[str, Any], values: NDArray[np.float32]) -> Explanation:
    """The explanation from its JSON and its values."""
    if content["format"] != FORMAT:
        raise ValueError(f"format {content['format']} is not {FORMAT}")
    provenance = {key: value for key, value in content["provenance"].items() if key != "cache_key"}
    return Explanation(
        prediction=prediction_from_json(content["prediction"]),
        saliency_map=map_from_json(content["saliency_map"], values),
        trust=_trust(content["trust"]),
        provenance=Provenance(**provenance),
    )


def prediction_from_json(content: dict[str, Any]) -> Prediction:
    """The prediction that `prediction_to_json` was given."""
    findings = tuple(
        Finding(
            finding["name"],
            None if finding["concept"] is None else CodedConcept(**finding["concept"]),
            finding["operating_point"],
        )
        for finding in content["findings"]
    )
    probabilities = tuple(nan if value is None else value for value in content["probabilities"])
    return Prediction(findings, tuple(content["logits"]), probabilities)


def map_from_json(content: dict[str, Any], values: NDArray[np.float32]) -> SaliencyMap:
    """The map that `map_to_json` was given, with its values (finding, *native)."""
    place = content["geometry"]
    to_patient = place["pixel_to_patient"]
    geometry = Geometry(
        native_shape=tuple(place["native_shape"]),
        pixel_shape=tuple(place["pixel_shape"]),
        native_to_pixel=np.array(place["native_to_pixel"], np.float64),
        spacing=None if place["spacing"] is None else tuple(place["spacing"]),
        pixel_to_patient=None if to_patient is None else np.array(to_patient, np.float64),
    )
    if values.shape != (len(content["findings"]), *geometry.native_shape):
        raise ValueError(f"values have shape {values.shape}")
    return SaliencyMap(
        findings=tuple(content["findings"]),
        values=values,
        logits=tuple(content["logits"]),
        bias=tuple(content["bias"]),
        residual=tuple(content["residual"]),
        method=content["method"],
        target_layer=content["target_layer"],
        geometry=geometry,
        unit=Unit(content["unit"]),
        contrasts=tuple(content.get("contrasts", ())),
    )


def _trust(content: dict[str, Any]) -> TrustReport:
    read = {
        **content,
        "head": HeadKind(content["head"]),
        "findings": tuple(_finding_trust(finding) for finding in content["findings"]),
        "cautions": tuple(content["cautions"]),
    }
    return TrustReport(**read)


def _finding_trust(content: dict[str, Any]) -> FindingTrust:
    """What was kept before a check was known, or without it being asked for, has none."""
    checks = {name: kind(content[name]) for name, kind in _CHECKS.items() if content.get(name) is not None}
    return FindingTrust(**{**content, **checks})


def _stability(content: dict[str, Any]) -> StabilityCheck:
    return StabilityCheck(**{**content, "changes": tuple(Change(**one) for one in content["changes"])})


def _agreement(content: dict[str, Any]) -> AgreementCheck:
    methods = tuple(MethodAgreement(**one) for one in content["methods"])
    return AgreementCheck(**{**content, "methods": methods})


_CHECKS: Mapping[str, Callable[[dict[str, Any]], object]] = {
    "causal": lambda content: CausalCheck(**content),
    "stability": _stability,
    "agreement": _agreement,
    "prior": lambda content: PriorDistance(**content),
}


def _optional_list(matrix: NDArray[np.float64] | None) -> list[Any] | None:
    return None if matrix is None else matrix.tolist()
