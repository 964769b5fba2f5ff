"""What the checks of the trust report cost, in multiples of one inference; and the cheap figures in ms.

python benchmarks/trust.py            torchvision's DenseNet-121, 224 px, 1 and 18 findings
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import peers
import torch

import camlucida
from camlucida.records import Image
from camlucida.rendering.body import find_body
from camlucida.saliency.visual_explanation import VisualExplanation

CHECKS: tuple[tuple[str, ...], ...] = ((), ("causal",), ("stability",), ("agreement",))


DEAR = 20.0
"""Seconds of CPU time from which a call is measured once."""


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    network, image = peers.densenet(18), torch.rand(1, 3, 224, 224)

    def inference() -> object:
        with torch.inference_mode():
            return network(image)

    explain(network, image, 18, ())  # the target layer is then known
    print(f"{torch.get_num_threads()} threads; the body of a 3000 × 2500 film: {body_ms(rounds):.1f} ms\n")
    print("| checks | 1 finding | 18 findings |\n|---|---|---|")
    for checks in CHECKS:
        costs = [
            ratio(partial(explain, network, image, findings, checks), inference, rounds)
            for findings in (1, 18)
        ]
        cells = " | ".join(f"{cost:.1f}×" for cost in costs)
        print(f"| {' '.join(checks) or 'none'} | {cells} |", flush=True)


def seconds(call: Callable[[], object]) -> float:
    """CPU time of a call, all threads."""
    began = time.process_time()
    call()
    return time.process_time() - began


def ratio(call: Callable[[], object], inference: Callable[[], object], rounds: int) -> float:
    """CPU time of a call beside an inference just before it: the median of the rounds, one if it is dear."""
    ratios = []
    for _ in range(rounds):
        beside, taken = seconds(inference), seconds(call)
        ratios.append(taken / beside)
        if taken > DEAR:
            break
    return statistics.median(ratios)


def explain(
    network: torch.nn.Module, image: torch.Tensor, findings: int, checks: tuple[str, ...]
) -> VisualExplanation:
    """Explain the first findings with these checks."""
    return camlucida.explain(network, image, finding=list(range(findings)), checks=checks)


def body_ms(rounds: int) -> float:
    """Finding the body on a large film, which is remembered with the image."""
    film = np.outer(np.hanning(3000), np.hanning(2500)) * 4000
    shown = Image(film.astype(np.uint16))
    find_body(shown)  # the first call loads SciPy
    return 1000 * statistics.median(seconds(lambda: find_body(shown)) for _ in range(10 * rounds))


if __name__ == "__main__":
    main()
