"""How far this map is from that of the prior study: by how much, and where to.

Two studies of a patient are never positioned alike, so nothing is subtracted cell by cell: the centre of the
supporting evidence and the order of the places are compared. Volumes of one frame of reference are compared
in the patient; everything else on the field that the network saw, whose edges are taken to correspond.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import IncomparablePrior
from camlucida.records.explanation import Explanation
from camlucida.records.geometry import Geometry, resizing
from camlucida.records.image import Image
from camlucida.records.saliency_map import SaliencyMap
from camlucida.records.trust_report import PriorDistance
from camlucida.rendering.upsample import resample
from camlucida.saliency.ranks import spearman


def distances(
    saliency_map: SaliencyMap, image: Image, prior: Explanation, prior_image: Image
) -> list[PriorDistance]:
    """One result a finding of `saliency_map`; `comparable` has been asked before.

    Raises
    ------
    IncomparablePrior
        The prior has no map of one of the findings.
    """
    in_patient = _one_frame(saliency_map, image, prior.saliency_map, prior_image)
    return [
        _distance(saliency_map, index, prior.saliency_map, _same(saliency_map, index, prior), in_patient)
        for index in range(len(saliency_map.findings))
    ]


def refuse_incomparable(own: dict[str, str], prior: Explanation) -> None:
    """Refuse a prior of another model, method, target layer or target.

    Parameters
    ----------
    own
        The fields of Provenance that must be the same, by their names.

    Raises
    ------
    IncomparablePrior
        With what differs.
    """
    for name, value in own.items():
        theirs = getattr(prior.provenance, name)
        if theirs != value:
            what = name.replace("_", " ")
            shown = (value, theirs) if "digest" not in name else (value[:12], theirs[:12])
            raise IncomparablePrior(
                f"The prior's map has another {what} (“{shown[1]}”, here “{shown[0]}”); explain the prior "
                "with the same model and method."
            )


def centre(values: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """The centre of the support of a map (*space), in cells (axes,); None without any."""
    support = np.clip(values, 0, None).astype(np.float64)
    total = support.sum()
    if not total > 0:
        return None
    places = np.indices(values.shape).reshape(values.ndim, -1)
    return np.asarray((places * support.ravel()).sum(axis=1) / total)


def _distance(
    own: SaliencyMap, index: int, prior: SaliencyMap, other: int, in_patient: bool
) -> PriorDistance:
    shift, unit = _shift(own, index, prior, other, in_patient)
    there = _laid_over(prior.values[other], own.geometry, prior.geometry, in_patient)
    return PriorDistance(
        logit_change=own.logits[index] - prior.logits[other],
        evidence_change=own.evidence_for(index) - prior.evidence_for(other),
        correlation=spearman(own.values[index], there),
        shift=shift,
        shift_unit=unit,
        in_patient=in_patient,
    )


def _same(saliency_map: SaliencyMap, index: int, prior: Explanation) -> int:
    """Where the prior has the same finding, held against the same other one."""
    label = saliency_map.label(index)
    labels = [prior.saliency_map.label(other) for other in range(len(prior.saliency_map.findings))]
    if label not in labels:
        raise IncomparablePrior(f"The prior has no map of “{label}”; it has: {', '.join(labels)}.")
    return labels.index(label)


def _one_frame(own: SaliencyMap, image: Image, prior: SaliencyMap, prior_image: Image) -> bool:
    frames = image.source.frame_of_reference_uid, prior_image.source.frame_of_reference_uid
    placed = own.geometry.pixel_to_patient is not None and prior.geometry.pixel_to_patient is not None
    return len(own.geometry.native_shape) == 3 and placed and bool(frames[0]) and frames[0] == frames[1]


def _shift(
    own: SaliencyMap, index: int, prior: SaliencyMap, other: int, in_patient: bool
) -> tuple[float | None, str]:
    """How far the centre of the support has moved, and the unit."""
    centres = centre(own.values[index]), centre(prior.values[other])
    geometries = own.geometry, prior.geometry
    in_mm = in_patient or None not in [geometry.cell_size_mm() for geometry in geometries]
    unit = "mm" if in_mm else "share"
    if centres[0] is None or centres[1] is None:
        return None, unit
    here, there = (
        _placed(one, geometry, in_patient, in_mm)
        for one, geometry in zip(centres, geometries, strict=True)
        if one is not None
    )
    return float(np.linalg.norm(here - there)), unit


def _placed(
    cell: NDArray[np.float64], geometry: Geometry, in_patient: bool, in_mm: bool
) -> NDArray[np.float64]:
    """In mm in the patient; else from the field's middle, in mm or as a share of its longest edge."""
    if in_patient:
        return np.asarray(geometry.cell_to_patient(cell)[0], np.float64)
    from_middle = cell - (np.array(geometry.native_shape) - 1) / 2
    sizes = geometry.cell_size_mm() if in_mm else geometry.cell_size_pixels()
    placed: NDArray[np.float64] = from_middle * np.array(sizes)
    if not in_mm:
        placed /= (np.array(sizes) * geometry.native_shape).max()
    return placed


def _laid_over(
    values: NDArray[np.float32], own: Geometry, prior: Geometry, in_patient: bool
) -> NDArray[np.float32]:
    """The prior's map on this map's cells: as they lie in the patient, or on the field."""
    if not in_patient:
        return resample(values, resizing(prior.native_shape, own.native_shape), own.native_shape, True)
    from scipy.ndimage import affine_transform  # noqa: PLC0415 - a tenth of a second that few need

    to_prior = np.linalg.inv(_to_patient(prior)) @ _to_patient(own)
    laid: NDArray[np.float32] = affine_transform(
        values, to_prior[:-1, :-1], to_prior[:-1, -1], own.native_shape, order=1, mode="nearest"
    )
    return laid


def _to_patient(geometry: Geometry) -> NDArray[np.float64]:
    assert geometry.pixel_to_patient is not None  # noqa: S101 - asked for by _one_frame
    return np.asarray(geometry.pixel_to_patient @ geometry.native_to_pixel, np.float64)


SAME_PROVENANCE: Sequence[str] = (
    "model_digest",
    "model_name",
    "method",
    "method_variant",
    "target_layer",
    "target",
)
"""What this map and the prior's must have in common."""
