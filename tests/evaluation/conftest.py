"""What several tests of evaluation share: cases that were seen, without an image."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, softmax

from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Observed
from camlucida.records import Finding, Measurement, Prediction


@pytest.fixture(scope="session")
def observed():
    """One case: logits of findings A, B, … with what is the case; no map."""

    def make(*logits, labels=None, patient="p", columns=None, measured=None, point=0.5, one_of=False):
        findings = tuple(Finding(chr(65 + index), None, point) for index in range(len(logits)))
        chances = softmax(logits) if one_of else expit(np.array(logits))
        rows = [Measurement(patient, *key, value) for key, value in (measured or {}).items()]
        return Observed(
            Case(f"{patient}.png", (Path(f"{patient}.png"),), labels or {}, patient, columns or {}),
            Prediction(findings, tuple(map(float, logits)), tuple(map(float, chances))),
            {},
            tuple(rows),
            np.zeros((4, 4), np.uint8),
            np.zeros(2, np.float32),
        )

    return make
