"""Prediction and all findings' maps in other runtimes, against plain inference in torch, in one run.

    python benchmarks/runtimes.py              ResNet-50, DenseNet-121 (224), MONAI's DenseNet121 (96³)
    python benchmarks/runtimes.py --threads 1 --rounds 7
    python benchmarks/runtimes.py --runtimes openvino inductor --networks resnet50

Every round runs plain inference and each runtime once, in turn, so that a slow moment of the machine meets
all of them. Wall-clock and CPU time (all threads) are medians; the ratios are medians over rounds of the time
divided by plain inference's in the same round. The maps' difference is the largest from those in torch.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import peers
import torch
from torch import Tensor, nn

import camlucida
from camlucida.saliency.visual_explanation import VisualExplanation

FINDINGS = 18
SHAPES = {
    "resnet50": ("ResNet-50, 224", (3, 224, 224)),
    "densenet121": ("DenseNet-121, 224", (3, 224, 224)),
    "densenet121-3d": ("MONAI DenseNet121, 96³", (1, 96, 96, 96)),
}


class Taken(NamedTuple):
    """Seconds of one call."""

    wall: float
    cpu: float


class Row(NamedTuple):
    """One line of the table."""

    network: str
    name: str
    milliseconds: Taken
    ratio: Taken
    difference: float


def build(name: str) -> nn.Module:
    """One of the networks, with random weights."""
    torch.manual_seed(0)
    if name == "densenet121-3d":
        from monai.networks.nets.densenet import DenseNet121  # noqa: PLC0415 - takes seconds

        volume: nn.Module = DenseNet121(spatial_dims=3, in_channels=1, out_channels=FINDINGS)
        return volume.eval()
    return peers.densenet(FINDINGS) if name == "densenet121" else peers.resnet(FINDINGS)


def measure(name: str, runtimes: Sequence[str], rounds: int) -> Iterator[Row]:
    """Plain inference and every runtime on one network."""
    title, shape = SHAPES[name]
    network = build(name)
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    explaining = {runtime: _explaining(network, image, runtime) for runtime in runtimes}
    expected = camlucida.explain(network, image).values
    found = {runtime: explain() for runtime, explain in explaining.items()}  # exports, and loads
    taken = _rounds({"plain inference": lambda: _infer(network, image), **explaining}, rounds)
    plain = taken["plain inference"]
    for one, times in taken.items():
        result = found.get(one)
        yield Row(
            title,
            one if result is None else result.explanation.provenance.runtime,
            _medians([Taken(t.wall * 1000, t.cpu * 1000) for t in times]),
            _medians([Taken(t.wall / p.wall, t.cpu / p.cpu) for t, p in zip(times, plain, strict=True)]),
            0.0 if result is None else float(np.abs(result.values - expected).max()),
        )


def _infer(network: nn.Module, image: Tensor) -> Tensor:
    with torch.inference_mode():
        logits: Tensor = network(image[None])
        return logits


def _explaining(network: nn.Module, image: Tensor, runtime: str) -> Callable[[], VisualExplanation]:
    return lambda: camlucida.explain(network, image, runtime=runtime)


def _rounds(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[Taken]]:
    taken: dict[str, list[Taken]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, candidate in candidates.items():
            wall, cpu = time.perf_counter(), time.process_time()
            candidate()
            taken[name].append(Taken(time.perf_counter() - wall, time.process_time() - cpu))
    return taken


def _medians(times: Sequence[Taken]) -> Taken:
    return Taken(statistics.median(t.wall for t in times), statistics.median(t.cpu for t in times))


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    lines = [
        f"{FINDINGS} findings, batch 1, {torch.get_num_threads()} threads, torch {torch.__version__}",
        "",
        "| network | prediction and maps in | wall ms | × plain | CPU ms | × plain | maps differ by |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.network} | {row.name} | {row.milliseconds.wall:.0f} | {row.ratio.wall:.2f} | "
        f"{row.milliseconds.cpu:.0f} | {row.ratio.cpu:.2f} | {row.difference:.0e} |"
        for row in rows
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, prog=Path(__file__).name, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="+", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--runtimes", nargs="+", default=["eager", "onnxruntime", "openvino"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--out", type=Path, help="file for the table, beside printing it")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    rows = [row for name in arguments.networks for row in measure(name, arguments.runtimes, arguments.rounds)]
    print(table(rows))
    if arguments.out:
        arguments.out.write_text(table(rows) + "\n", "utf-8")


if __name__ == "__main__":
    main()
