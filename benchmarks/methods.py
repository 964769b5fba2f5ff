"""What the class activation maps of 18 findings cost beside one inference: DenseNet-121 at 224 pixels, CPU.

    python benchmarks/methods.py                        a table, with the peak of memory
    python benchmarks/methods.py --channels 1024        Score-CAM in full (minutes)

CPU time (all threads) divided by that of an inference just before: the median of some rounds, with the target
layer known. Score-CAM is stopped after some channels; its cost should be that of the inferences it made.
"""

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from contextlib import suppress

import peers
import torch
from torch import Tensor, nn

from camlucida.models.cut import Cut
from camlucida.models.target_layer import find_cut
from camlucida.saliency.contrast import Contrast
from camlucida.saliency.method import Grid
from camlucida.saliency.methods import METHODS
from camlucida.saliency.recording import Recording

FINDINGS = 18
LEFT_OUT = ("score-cam", "attention rollout")  # measured by itself; for transformers


class Stop(Exception):  # noqa: N818 - it is no error
    """Enough channels were scored."""


def maps(network: nn.Module, images: Tensor, cut: Cut, key: str) -> Tensor:
    """Inference, and a method's maps of all findings."""
    method = METHODS[key]
    recording = Recording(network, images, cut, contrast=Contrast() if method.contrastive else None)
    return method.compute(recording, variant=method.variants[0], progress=None)


def some_channels(network: nn.Module, images: Tensor, cut: Cut, channels: int) -> int:
    """Score-CAM until at least so many channels are scored; how many inferences that took."""
    recording, scored = Recording(network, images, cut), 0

    def progress(done: int, of: int) -> None:
        nonlocal scored
        scored = done
        if done >= min(channels, of):
            raise Stop

    with suppress(Stop):
        METHODS["score-cam"].compute(recording, variant="increase", progress=progress)
    return scored + 2  # the image itself, and the baseline


def seconds(run: Callable[[], object]) -> float:
    """CPU time."""
    started = time.process_time()
    run()
    return time.process_time() - started


def ratio(run: Callable[[], object], other: Callable[[], object], rounds: int) -> float:
    """CPU time of one beside the other's, which ran just before: the median of some rounds."""
    ratios = []
    for _ in range(rounds):
        beside = seconds(other)
        ratios.append(seconds(run) / beside)
    return statistics.median(ratios)


def megabytes() -> float:
    """The largest resident size so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report(rounds: int, channels: int) -> None:
    """Print the table."""
    torch.manual_seed(0)
    network = peers.densenet(FINDINGS).eval()
    images = torch.randn(1, 3, 224, 224)
    cut = find_cut(network, images)

    def inference() -> object:
        with torch.inference_mode():
            return network(images)

    one = min(seconds(inference) for _ in range(rounds))
    print(f"DenseNet-121, 224 px, {FINDINGS} findings, {torch.get_num_threads()} threads", end=", ")
    print(f"one inference: {1000 * one:.0f} ms of CPU time, {megabytes():.0f} MB so far\n")
    print("| method | beside one inference | peak so far |\n|---|---|---|")
    for key, method in METHODS.items():
        if method.grid is Grid.CELLS and key not in LEFT_OUT:
            cost = ratio(lambda key=key: maps(network, images, cut, key), inference, rounds)  # type: ignore[misc]  # mypy does not infer a lambda's default
            print(f"| `{key}` | × {cost:.2f} | {megabytes():.0f} MB |", flush=True)
    inferences: list[int] = []
    cost = ratio(lambda: inferences.append(some_channels(network, images, cut, channels)), inference, 1)
    print(f"| `score-cam` | × {cost:.0f}, for {inferences[0]} inferences | {megabytes():.0f} MB |")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--channels", type=int, default=64)
    chosen = parser.parse_args()
    report(chosen.rounds, chosen.channels)


if __name__ == "__main__":
    main()
