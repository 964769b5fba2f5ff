"""Corrupted files: each gives one clear error or a sound image; none crashes, hangs or eats memory."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("corrupted.py")
SECONDS_EACH = 10
SECONDS_ALL = 900
PEAK_BYTES = 1 << 30


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What the batch wrote down: [title, outcome, seconds] of each file, and the peak memory last."""
    folder = tmp_path_factory.mktemp("corrupted")
    output = folder / "outcomes.jsonl"
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(output), str(folder)]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_ALL, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        pytest.fail(f"hangs at {_last(output)}")
    assert ended.returncode == 0, f"{ended.returncode} at {_last(output)}: {ended.stderr[-2000:]}"
    assert ended.stdout + ended.stderr == "", "a decoder speaks to the terminal"
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if len(line) == 3]


def _last(output):
    return output.read_text(encoding="utf-8").splitlines()[-1]


def test_every_corrupted_file_gives_a_clean_error_or_a_sound_image(outcomes):
    files = outcomes[:-1]
    wrong = [f"{title}: {outcome}" for title, outcome, _ in files if outcome.startswith("wrong")]
    assert not wrong, "\n".join(wrong)
    assert len(files) >= 200
    counts = Counter(outcome for _, outcome, _ in files)
    assert set(counts) <= {"image", "UnreadableFile", "FileTooLarge", "MissingGeometry"}
    assert counts["image"] >= 20  # the reader does not simply refuse everything
    assert counts["UnreadableFile"] >= 100


def test_none_takes_long(outcomes):
    slow = [(title, seconds) for title, _, seconds in outcomes[:-1] if seconds > SECONDS_EACH]
    assert not slow


def test_memory_is_bounded(outcomes):
    assert outcomes[-1][0] == "peak memory"
    assert outcomes[-1][2] < PEAK_BYTES
