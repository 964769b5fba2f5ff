"""What a map can and cannot be used for: figures, and one line in words.

The cheap figures are given with every map: completeness (how much of the logit the map does not explain),
focality (how small an area holds half of the evidence), and how much evidence lies at the border, in the
corners and outside the body. The dear ones are computed when they are asked for: a causal check, stability,
agreement between methods, and the distance to the prior's map.
"""

from camlucida.saliency.trust.checked import checked, compared
from camlucida.saliency.trust.checks import Check, Examined, asked
from camlucida.saliency.trust.report import report, verdict
from camlucida.saliency.trust.zones import border_share, corner_share, focality, outside_share, residual_share

__all__ = [
    "Check",
    "Examined",
    "asked",
    "border_share",
    "checked",
    "compared",
    "corner_share",
    "focality",
    "outside_share",
    "report",
    "residual_share",
    "verdict",
]
