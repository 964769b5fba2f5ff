"""What all findings' Grad-CAM maps cost beside plain inference: several libraries, side by side, in one run.

    python benchmarks/overhead.py             DenseNet-121, 18 outputs, at 224 and 512 px
    python benchmarks/overhead.py --repeats 9

Every round runs each candidate once, in turn, so that a slow moment of the machine meets all of them. The
figure is the median over rounds of CPU time (all threads) divided by plain inference's in the same round.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import peers
import torch
from torch import Tensor, nn

import camlucida

Candidate = Callable[[nn.Module, Tensor, int], object]


def plain(network: nn.Module, image: Tensor, findings: int) -> object:
    """Inference alone."""
    del findings
    with torch.inference_mode():
        return network(image)


def ours(network: nn.Module, image: Tensor, findings: int) -> object:
    """Prediction and all maps, with residual, trust and provenance."""
    del findings
    return camlucida.explain(network, image)


CANDIDATES: dict[str, Candidate] = {
    "plain inference": plain,
    "camlucida": ours,
    "TorchCAM": peers.torchcam,
    "Captum": peers.captum,
    "pytorch-grad-cam": peers.pytorch_grad_cam,
}


def measure(size: int, findings: int, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each candidate in each round."""
    network = peers.densenet(findings)
    image = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    for candidate in CANDIDATES.values():
        candidate(network, image.clone(), findings)
    seconds: dict[str, list[float]] = {name: [] for name in CANDIDATES}
    for _ in range(repeats):
        for name, candidate in CANDIDATES.items():
            started = time.process_time()
            candidate(network, image.clone(), findings)
            seconds[name].append(time.process_time() - started)
    return seconds


def report(size: int, findings: int, repeats: int) -> None:
    """Print the ratios of one image size."""
    seconds = measure(size, findings, repeats)
    base = seconds["plain inference"]
    print(f"\nDenseNet-121, {size}×{size}, batch 1, {findings} findings, {torch.get_num_threads()} threads")
    for name, taken in seconds.items():
        ratios = [own / plain for own, plain in zip(taken, base, strict=True)]
        print(
            f"  {name:18} {statistics.median(taken) * 1000:9.1f} ms CPU   × {statistics.median(ratios):.3f}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog=Path(__file__).name, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 512])
    parser.add_argument("--findings", type=int, default=18)
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    for size in arguments.sizes:
        report(size, arguments.findings, arguments.repeats)


if __name__ == "__main__":
    main()
