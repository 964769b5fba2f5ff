"""Made and damaged files of every kind: what reads them gives one of our errors, in time and in memory."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("fuzzed.py")
EXAMPLES = int(os.environ.get("CAMLUCIDA_FUZZ_EXAMPLES", "100"))
SECONDS_EACH = 60  # the largest bombs take 10 on a quiet machine
SECONDS_ALL = 900 + 6 * EXAMPLES
PEAK_BYTES = 1 << 30

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What the batch wrote down: [title, outcome, seconds] of each file, and the peak memory last."""
    folder = tmp_path_factory.mktemp("fuzzed")
    output = folder / "outcomes.jsonl"
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(output), str(folder), str(EXAMPLES)]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent.parent)}
    try:
        ended = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            timeout=SECONDS_ALL,
            check=False,
            env=environment,
            cwd=folder,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"hangs at {_last(output)}")
    assert ended.returncode == 0, f"{ended.returncode} at {_last(output)}: {ended.stderr[-2000:]}"
    assert ended.stdout + ended.stderr == "", "something speaks to the terminal"
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if len(line) == 3]


def _last(output):
    return output.read_text(encoding="utf-8").splitlines()[-1]


def test_every_file_gives_an_error_of_ours_or_is_read(outcomes):
    wrong = [f"{title}: {outcome}" for title, outcome, _ in outcomes[:-1] if outcome.startswith("wrong")]
    assert not wrong, "\n".join(wrong)
    assert len(outcomes) > 3 * EXAMPLES
    for reader in ("header", "read", "deidentify"):
        counts = Counter(outcome for title, outcome, _ in outcomes[:-1] if title.startswith(f"{reader} of"))
        assert counts["done"] > EXAMPLES / 20  # not everything is simply refused
        assert counts["UnreadableFile"] > EXAMPLES / 20


def test_none_takes_long(outcomes):
    assert not [(title[:80], seconds) for title, _, seconds in outcomes[:-1] if seconds > SECONDS_EACH]


def test_memory_is_bounded(outcomes):
    assert outcomes[-1][0] == "peak memory"
    assert outcomes[-1][2] < PEAK_BYTES
