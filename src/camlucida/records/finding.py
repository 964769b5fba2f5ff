"""One thing that a model can report."""

from dataclasses import dataclass

from camlucida.records.concept import CodedConcept


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding (DCM 121071): its name, its coded concept, and the probability from which it is reported.

    `operating_point` is DCM 111071, "CAD Operating Point": a probability from 0 to 1, or None where the
    model's card gives none.
    """

    name: str
    concept: CodedConcept | None = None
    operating_point: float | None = None
