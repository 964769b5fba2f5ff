"""One number about one map, or about what a model says of one image."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """A row of the long table in which everything is kept that is measured case by case.

    `measure` is a key of `camlucida.evaluation.catalogue.MEASURES`. `method` is the key of the method whose
    map was measured; empty where no map was. A rival that knows nothing of the network ("centre-gaussian",
    "sobel"), or what a method's map would reach by chance ("chance of grad-cam"), stands there too. `value`
    is None where the measure is not defined for this case, which is not the same as 0.
    """

    case: str
    finding: str
    method: str
    measure: str
    value: float | None
