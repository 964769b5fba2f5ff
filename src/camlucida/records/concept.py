"""A coded clinical word."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CodedConcept:
    """A code, its coding scheme and its meaning (DICOM PS3.3 section 8, Basic Coded Entry)."""

    value: str
    scheme: str
    meaning: str
