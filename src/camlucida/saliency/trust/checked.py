"""Whatever was asked for beside the cheap figures, computed for one image."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from camlucida.records.image import Image
from camlucida.records.provenance import Provenance
from camlucida.records.saliency_map import SaliencyMap
from camlucida.saliency.method import Progress
from camlucida.saliency.trust.agreement import AGREEMENT
from camlucida.saliency.trust.causal import CAUSAL
from camlucida.saliency.trust.checks import Check, Checking, Examined, asked, run_checks
from camlucida.saliency.trust.prior import SAME_PROVENANCE, distances, refuse_incomparable
from camlucida.saliency.trust.stability import STABILITY

if TYPE_CHECKING:
    from camlucida.saliency.visual_explanation import VisualExplanation

CHECKS: Mapping[Check, Checking] = {
    Check.CAUSAL: CAUSAL,
    Check.STABILITY: STABILITY,
    Check.AGREEMENT: AGREEMENT,
}


def checked(
    checks: str | Sequence[str], examined: Examined, progress: Progress | None = None
) -> dict[str, Sequence[Any]]:
    """Results of the checks by their names, one entry a finding (`report` takes them).

    Raises
    ------
    UnknownCheck
        There is none of this name.
    """
    return run_checks({check: CHECKS[check] for check in asked(checks)}, examined, progress)


def compared(
    saliency_map: SaliencyMap, image: Image, provenance: Provenance, prior: "VisualExplanation"
) -> dict[str, Sequence[Any]]:
    """The distance to the prior's map, as `checked` gives its results.

    Raises
    ------
    IncomparablePrior
        It is of another model, method, target layer, target or finding.
    """
    own = {name: str(getattr(provenance, name)) for name in SAME_PROVENANCE}
    refuse_incomparable(own, prior.explanation)
    return {"prior": distances(saliency_map, image, prior.explanation, prior.image)}
