"""What Grad-CAM maps cost beside plain inference, in CPU time and memory: all libraries, in one run.

    python benchmarks/overhead.py                                 all cells, 1 and 18 findings: an hour or two
    python benchmarks/overhead.py --quick                         ours alone beside plain inference: minutes
    python benchmarks/overhead.py --cells densenet121-224-1 resnet50-512-8 --findings 18 --out figures

A cell is network-size-batch. Every round runs each candidate once, in turn, so that a slow moment of the
machine meets all of them. The figure is the median over rounds of CPU time (all threads) divided by plain
inference's in the same round. A candidate for which one round takes longer than --dear seconds is measured
with one finding, and multiplied where it makes one call per finding (marked ≈). Memory is what a candidate
adds to a process that has loaded the network: the largest resident size while it runs, in a process of its
own for each. --out keeps table.md, plot.png and figures.json.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import peers
import torch
from torch import Tensor, nn

import camlucida

OUTPUTS = 18
CELLS = (
    "densenet121-224-1",
    "densenet121-224-8",
    "densenet121-512-1",
    "densenet121-512-8",
    "resnet50-224-1",
    "resnet50-224-8",
    "resnet50-512-1",
    "resnet50-512-8",
    "densenet121-3d-96-1",
)
PLAIN, OURS = "plain inference", "camlucida"
STATUS = Path("/proc/self/status")


def plain(network: nn.Module, layer: str, findings: int) -> peers.Call:
    """Inference alone."""
    del layer, findings

    def call(images: Tensor) -> object:
        with torch.inference_mode():
            return network(images)

    return call


def ours(network: nn.Module, layer: str, findings: int) -> peers.Call:
    """Prediction and all maps, with residual, trust and provenance."""
    del layer
    return lambda images: camlucida.explain_batch(network, images, finding=list(range(findings)))


CANDIDATES: dict[str, Callable[[nn.Module, str, int], peers.Call]] = {
    PLAIN: plain,
    OURS: ours,
    "TorchCAM": peers.torchcam,
    "Captum": peers.captum,
    "pytorch-grad-cam": peers.pytorch_grad_cam,
    "MONAI": peers.monai,
}
ONE_CALL_PER_FINDING = ("Captum", "pytorch-grad-cam", "MONAI")


@dataclass
class Figure:
    """What one candidate took in one cell; `times_plain` is the median of the rounds' ratios."""

    cell: str
    findings: int
    candidate: str
    seconds: float | None = None
    times_plain: float | None = None
    rounds: int = 0
    multiplied: bool = False
    megabytes: float | None = None
    first_megabytes: float | None = None
    error: str = ""


def measure(cell: str, findings: int, names: Sequence[str], rounds: int, dear: float) -> list[Figure]:
    """CPU time of each candidate in one cell."""
    network, layer, images = _made(cell)
    figures = {name: Figure(cell, findings, name) for name in names}
    calls = {
        name: call
        for name, figure in figures.items()
        if (call := _warm(figure, network, layer, images, dear)) is not None
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            taken[name].append(_cpu(call, images.clone()))
            network.zero_grad(set_to_none=True)  # some leave gradients there
    for name, seconds in taken.items():
        figure, times = figures[name], findings if figures[name].multiplied else 1
        ratios = [times * one / base for one, base in zip(seconds, taken[PLAIN], strict=True)]
        figure.seconds, figure.rounds = times * statistics.median(seconds), rounds
        figure.times_plain = statistics.median(ratios)
    return list(figures.values())


def remember(figure: Figure) -> None:
    """Measure the memory of one candidate in a process of its own."""
    words = [sys.executable, __file__, "--memory-of", figure.candidate, "--cells", figure.cell]
    findings = 1 if figure.multiplied else figure.findings
    words += ["--findings", str(findings), "--threads", str(torch.get_num_threads())]
    # Freed blocks go back at once, so that the resident size is what is in use.
    settings = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    done = subprocess.run(  # noqa: S603 - this very script
        words, env={**os.environ, **settings}, capture_output=True, text=True, check=True
    )
    figure.first_megabytes, figure.megabytes = json.loads(done.stdout.splitlines()[-1])


def memory_of(name: str, cell: str, findings: int) -> tuple[float, float]:
    """MB that the first and the second call add to the loaded network, at most."""
    network, layer, images = _made(cell)
    call = CANDIDATES[name](network, layer, findings)
    return _peak(call, images), _peak(call, images)


def table(figures: Sequence[Figure]) -> str:
    """Markdown: a line per cell and candidate."""
    memory = {(one.cell, one.findings): one.megabytes for one in figures if one.candidate == PLAIN}
    heads = (
        "network",
        "findings",
        "",
        "CPU, s",
        "× plain",
        "rounds",
        "memory, MB",
        "× plain",
        "first call, MB",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in figures:
        base = memory.get((one.cell, one.findings))
        times = None if base is None or one.megabytes is None else one.megabytes / base
        mark = "≈ " if one.multiplied else ""
        lines.append(
            f"| {_title(one.cell)} | {one.findings} | {one.candidate} | {mark}{_number(one.seconds, 3)} | "
            f"{mark}{_number(one.times_plain, 3)} | {one.rounds} | {_number(one.megabytes, 0)} | "
            f"{_number(times, 2)} | {_number(one.first_megabytes, 0)} |"
            if not one.error
            else f"| {_title(one.cell)} | {one.findings} | {one.candidate} | {one.error} | | | | | |"
        )
    return "\n".join(lines)


def plot(figures: Sequence[Figure], file: Path) -> None:
    """How many times plain inference's CPU time each takes, on a logarithmic axis: a panel per cell."""
    import matplotlib as mpl  # noqa: PLC0415 - needed here alone

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    groups = list(dict.fromkeys((one.cell, one.findings) for one in figures))
    columns = min(3, len(groups))
    rows = -(-len(groups) // columns)
    size = (5 * columns, 2.6 * rows)
    sheet, panels = plt.subplots(rows, columns, figsize=size, squeeze=False, layout="constrained")
    for panel in panels.flat[len(groups) :]:
        panel.axis("off")
    for panel, (cell, findings) in zip(panels.flat, groups, strict=False):
        own = [one for one in figures if (one.cell, one.findings) == (cell, findings)]
        own = [one for one in reversed(own) if one.times_plain is not None]
        bars = panel.barh(
            [one.candidate for one in own],
            [one.times_plain for one in own],
            color=["#d9820f" if one.candidate == OURS else "#8a94a0" for one in own],
        )
        panel.bar_label(bars, [f"{one.times_plain:.2f}×" for one in own], padding=3)
        panel.set(xscale="log", xlim=(0.5, 400), title=f"{_title(cell)}, {_count(findings)}")
        panel.spines[["top", "right"]].set_visible(False)
    sheet.supxlabel("CPU time of inference and maps, times that of plain inference")
    sheet.savefig(file, dpi=110)
    plt.close(sheet)


def main() -> None:
    """Measure, print, and keep."""
    chosen = _arguments()
    torch.set_num_threads(chosen.threads)
    if chosen.memory_of:
        print(json.dumps(memory_of(chosen.memory_of, chosen.cells[0], chosen.findings[0])))
        return
    print(_machine(), flush=True)
    figures: list[Figure] = []
    for cell in chosen.cells:
        for findings in chosen.findings:
            for figure in measure(cell, findings, chosen.candidates, chosen.rounds, chosen.dear):
                if chosen.memory and not figure.error:
                    remember(figure)
                figures.append(figure)
                print(_line(figure), flush=True)
            if chosen.out is not None:
                _keep(figures, chosen.out)


def _made(cell: str) -> tuple[nn.Module, str, Tensor]:
    name, size, batch = cell.rsplit("-", 2)
    network = peers.NETWORKS[name]
    shape = (int(batch), network.channels, *[int(size)] * network.axes)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return network.build(OUTPUTS), network.layer, images


def _warm(figure: Figure, network: nn.Module, layer: str, images: Tensor, dear: float) -> peers.Call | None:
    """The candidate, after a first call; None where it fails. A dear one is asked for one finding."""
    make = CANDIDATES[figure.candidate]
    try:
        one = make(network, layer, 1)
        one(images.clone())
        seconds = _cpu(one, images.clone())
    except (RuntimeError, ValueError, TypeError) as error:
        figure.error = f"fails: {type(error).__name__}: {str(error).partition('. ')[0][:90]}"
        return None
    if figure.candidate in ONE_CALL_PER_FINDING and seconds * figure.findings > dear:
        figure.multiplied = figure.findings > 1
        return one
    return make(network, layer, figure.findings)


def _cpu(call: peers.Call, images: Tensor) -> float:
    started = time.process_time()
    call(images)
    return time.process_time() - started


def _peak(call: peers.Call, images: Tensor) -> float:
    """MB by which the resident size grows at most while the call runs (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the kernel's word for: forget the peak
    before = _kilobytes("VmRSS")
    kept = call(images)
    peak = _kilobytes("VmHWM")
    del kept
    return (peak - before) / 1024


def _kilobytes(entry: str) -> int:
    (line,) = (line for line in STATUS.read_text().splitlines() if line.startswith(f"{entry}:"))
    return int(line.split()[1])


def _keep(figures: Sequence[Figure], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(f"{_machine()}\n\n{table(figures)}\n")
    (folder / "figures.json").write_text(json.dumps([asdict(one) for one in figures], indent=1))
    plot(figures, folder / "plot.png")


def _arguments() -> Any:
    parser = argparse.ArgumentParser(
        description=__doc__, prog=Path(__file__).name, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS), metavar="CELL")
    parser.add_argument("--networks", nargs="+", choices=tuple(peers.NETWORKS), help="only their cells")
    parser.add_argument("--findings", type=int, nargs="+", default=[1, OUTPUTS])
    parser.add_argument("--candidates", nargs="+", choices=tuple(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dear", type=float, default=20.0, help="seconds of CPU time (default: 20)")
    parser.add_argument("--no-memory", dest="memory", action="store_false")
    parser.add_argument("--quick", action="store_true", help="ours alone, without memory")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--memory-of", choices=tuple(CANDIDATES), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.candidates, chosen.memory = [PLAIN, OURS], False
    if chosen.networks:
        chosen.cells = [cell for cell in chosen.cells if cell.rsplit("-", 2)[0] in chosen.networks]
    chosen.candidates = list(dict.fromkeys([PLAIN, *chosen.candidates]))
    return chosen


def _machine() -> str:
    load = os.getloadavg()[0]
    return (
        f"{platform.machine()}, {os.cpu_count()} CPUs, {torch.get_num_threads()} thread(s), load {load:.1f}, "
        f"torch {torch.__version__}, camlucida {camlucida.__version__}"
    )


def _title(cell: str) -> str:
    name, size, batch = cell.rsplit("-", 2)
    network = peers.NETWORKS[name]
    return f"{network.title}, {size}{'²' if network.axes == 2 else '³'}, batch {batch}"


def _line(one: Figure) -> str:
    head = f"{_title(one.cell):38} {_count(one.findings):12} {one.candidate:17}"
    if one.error:
        return f"{head} {one.error}"
    mark = "≈" if one.multiplied else " "
    return (
        f"{head} {_number(one.seconds, 3):>8} s  {mark}× {_number(one.times_plain, 3):>7}  "
        f"{_number(one.megabytes, 0):>6} MB (first call {_number(one.first_megabytes, 0)})"
    )


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _count(findings: int) -> str:
    return f"{findings} finding{'' if findings == 1 else 's'}"


if __name__ == "__main__":
    main()
