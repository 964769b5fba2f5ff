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


def cpu_ms(call: Callable[[], object], rounds: int) -> float:
    """Median CPU time of a call, ms."""
    call()
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return 1000 * statistics.median(taken)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    torch.manual_seed(0)
    network, image = peers.densenet(18), torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        plain = cpu_ms(lambda: network(image), max(10, rounds))
    print(f"one inference: {plain:.0f} ms; the body of a 3000 × 2500 film: {body_ms(rounds):.1f} ms\n")
    print("| checks | 1 finding | 18 findings |\n|---|---|---|")
    for checks in CHECKS:
        costs = []
        for findings in (1, 18):
            call = partial(explain, network, image, findings, checks)
            costs.append(cpu_ms(call, rounds) / plain)
        print(f"| {' '.join(checks) or 'none'} | {' | '.join(f'{cost:.1f}×' for cost in costs)} |")


def explain(
    network: torch.nn.Module, image: torch.Tensor, findings: int, checks: tuple[str, ...]
) -> VisualExplanation:
    """Explain the first findings with these checks."""
    return camlucida.explain(network, image, finding=list(range(findings)), checks=checks)


def body_ms(rounds: int) -> float:
    """Finding the body on a large film, which is remembered with the image."""
    film = np.outer(np.hanning(3000), np.hanning(2500)) * 4000
    shown = Image(film.astype(np.uint16))
    return cpu_ms(lambda: find_body(shown), 10 * rounds)


if __name__ == "__main__":
    main()
