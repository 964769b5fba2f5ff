"""What travels from the engine to the screen: prediction, maps, trust and provenance in one."""

from dataclasses import dataclass

from camlucida.records.prediction import Prediction
from camlucida.records.provenance import Provenance
from camlucida.records.saliency_map import SaliencyMap
from camlucida.records.trust_report import TrustReport


@dataclass(frozen=True, slots=True, eq=False)
class Explanation:
    """A visual explanation (DCM 130401) of one image by one model and one method.

    `saliency_map` and `trust` hold the findings that were asked for, in the same order; `prediction` holds
    all findings of the model.
    """

    prediction: Prediction
    saliency_map: SaliencyMap
    trust: TrustReport
    provenance: Provenance
