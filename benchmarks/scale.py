"""What a million studies cost: rates measured here, on one core, and what follows from them.

    python benchmarks/scale.py                        all three kinds of study, minutes
    python benchmarks/scale.py --kinds radiograph     one of them
    python benchmarks/scale.py --studies 1000000 --cores 16 --machines 10

Seconds are of processor time in one thread, so that what else the machine does hardly counts; the median over
rounds. Only the second table is extrapolated: it multiplies.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from peers import densenet

from camlucida.cohorts.inputs import Input
from camlucida.cohorts.shard import Explainer, Setup, Shard
from camlucida.examples.phantom.dicom import write_ct, write_radiograph
from camlucida.examples.phantom.radiograph import radiograph
from camlucida.examples.phantom.volume import ct_volume
from camlucida.models.load import load_model
from camlucida.saliency.explain import explain_batch

TOGETHER = 8


class Rate(NamedTuple):
    """Of one study: seconds of one core, bytes that are read, and bytes that are written."""

    name: str
    seconds: float
    read: int
    written: int


def main() -> None:
    """Measure and print both tables."""
    arguments = _arguments()
    torch.set_num_threads(1)
    rates = [KINDS[kind](arguments.rounds) for kind in arguments.kinds]
    print("Measured: one study, one core\n")
    print("| study | seconds of a core | studies an hour and core | bytes read | bytes written |")
    print("|---|---|---|---|---|")
    for rate in rates:
        hourly = f"{3600 / rate.seconds:,.0f}"
        print(f"| {rate.name} | {rate.seconds:.3f} | {hourly} | {rate.read:,} | {rate.written:,} |")
    studies, cores, machines = arguments.studies, arguments.cores, arguments.machines
    print(f"\nExtrapolated: {studies:,} studies\n")
    print(f"| study | core-hours | hours on {machines} × {cores} cores | read | written | MB/s to be read |")
    print("|---|---|---|---|---|---|")
    for rate in rates:
        hours = rate.seconds * studies / 3600
        wall = hours / cores / machines
        read, written = (size * studies / 1e9 for size in (rate.read, rate.written))
        speed = read * 1000 / wall / 3600
        size = f"{read:,.0f} GB | {written:,.1f} GB"
        print(f"| {rate.name} | {hours:,.0f} | {wall:,.2f} | {size} | {speed:,.0f} |")


def phantom_radiographs(rounds: int) -> Rate:
    """Radiographs of 512 pixels by the shipped model, files in and shard out."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.dcm" for number in range(TOGETHER)]
        for number, path in enumerate(paths):
            write_radiograph(radiograph(number, ["Effusion"], rows=512), path)
        return _shards(
            "radiograph of 512 pixels, shipped phantom model",
            "phantom-radiograph",
            [[path] for path in paths],
            rounds,
        )


def phantom_volumes(rounds: int) -> Rate:
    """A CT of 120 slices of 512 × 512 by the shipped model, files in and shard out."""
    with tempfile.TemporaryDirectory() as folder:
        series = Path(folder) / "series"
        write_ct(ct_volume(0, ["Nodule"], slices=120, rows=512), series)
        paths = sorted(path for path in series.rglob("*") if path.is_file())
        return _shards("CT of 120 slices, shipped phantom model", "phantom-ct-nodule", [paths], rounds)


def radiographs(rounds: int) -> Rate:
    """Radiographs of 512 pixels by DenseNet-121 with 18 findings: the network's part is measured by itself.

    Reading and writing are taken from the shipped model's rate, less its own network's part.
    """
    small = phantom_radiographs(rounds)
    network = densenet(18).eval()
    batch = torch.randn(TOGETHER, next(network.parameters()).shape[1], 512, 512)
    large = _median(lambda: explain_batch(network, batch), rounds) / TOGETHER
    model = load_model("phantom-radiograph")
    tensors = torch.randn(TOGETHER, 1, 128, 128)
    own = _median(lambda: explain_batch(model.module, tensors), rounds) / TOGETHER
    return Rate(
        "radiograph of 512 pixels, DenseNet-121, 18 findings",
        small.seconds - own + large,
        small.read,
        small.written * 18 // len(model.card.findings),
    )


KINDS: dict[str, Callable[[int], Rate]] = {
    "phantom-radiograph": phantom_radiographs,
    "radiograph": radiographs,
    "ct": phantom_volumes,
}


def _shards(name: str, model: str, inputs: Sequence[Sequence[Path]], rounds: int) -> Rate:
    """The rate of the callable that `explain-cohort` calls."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "shards").mkdir()
        explainer = Explainer(Setup(Path(folder), model, load_model(model).digest, "grad-cam"))
        every = tuple(Input(paths[0].name, tuple(map(str, paths))) for paths in inputs)
        numbers = iter(range(rounds + 1))
        seconds = _median(lambda: explainer(Shard(next(numbers), every)), rounds) / len(every)
        written = sum(path.stat().st_size for path in (Path(folder) / "shards" / "000000").iterdir())
    read = sum(path.stat().st_size for paths in inputs for path in paths)
    return Rate(name, seconds, read // len(every), written // len(every))


def _median(call: Callable[[], object], rounds: int) -> float:
    """Seconds of processor time of a call; the first is not counted."""
    call()
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        call()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=[*KINDS], default=[*KINDS])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--studies", type=int, default=1_000_000)
    parser.add_argument("--cores", type=int, default=16, help="of a machine")
    parser.add_argument("--machines", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
