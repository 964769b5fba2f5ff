"""What watching a training costs after every epoch, beside inference on the watched cases and one step.

    python benchmarks/watching.py                         DenseNet-121, 8 cases of 224 pixels, 18 findings

CPU time: of inference on the cases, of finding the target layer (which a watch does once), of an epoch
watched (maps of one finding or of all, files and strips), and of one training step on as many images.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import peers
import torch
from torch import nn
from torch.nn import functional

from camlucida.models.target_layer import find_cut
from camlucida.training import Watch


def seconds(run: Callable[[], object], rounds: int) -> float:
    """CPU time (all threads) of one call: the median."""
    taken = []
    for _ in range(rounds):
        started = time.process_time()
        run()
        taken.append(time.process_time() - started)
    return statistics.median(taken)


def step(network: nn.Module, images: torch.Tensor, findings: int) -> None:
    """Forward and backward through all of the network."""
    network.train()
    loss = functional.binary_cross_entropy_with_logits(network(images), torch.ones(len(images), findings))
    torch.autograd.backward(loss)
    network.zero_grad()
    network.eval()


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--findings", type=int, default=18)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    network = peers.densenet(arguments.findings).eval()
    images = torch.rand(arguments.cases, 3, arguments.size, arguments.size)
    cases = {f"case {number}": image for number, image in enumerate(images)}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        one = Watch(network, cases, Path(folder) / "one", only=["output 0"])
        every = Watch(network, cases, Path(folder) / "all")
        inference = seconds(lambda: network(images), arguments.rounds)
        with torch.enable_grad():
            found = seconds(lambda: find_cut(network, images[:2]), arguments.rounds)
            trained = seconds(lambda: step(network, images, arguments.findings), arguments.rounds)
        for what, taken in {
            "inference on the cases": inference,
            "finding the target layer": found,
            "an epoch watched, one finding": seconds(lambda: one.after_epoch(network, 0), arguments.rounds),
            f"an epoch watched, {arguments.findings} findings": seconds(
                lambda: every.after_epoch(network, 0), arguments.rounds
            ),
            "one training step on as many images": trained,
        }.items():
            print(f"{what:40} {taken:6.2f} s  {taken / inference:5.2f} × inference")


if __name__ == "__main__":
    main()
