"""A network exported in two parts: the trunk, up to the cut, for any runtime, and the head, for torch.

One trace serves both. The network is traced (torch.export) as a function of images and rows: at the cut the
activations are kept, and the rows go on in their place. So nothing after the cut depends on the images unless
the head reads the image or an earlier layer too, which is found in the graph and refused.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from camlucida.errors import UnsuitableRuntime
from camlucida.models.cut import Cut, Logits, as_it_was, mean_over_space, run, run_traced

EAGER = 'runtime="eager" explains it as it is'
IMAGES, ROWS = "images", "rows"
_EXAMPLE_ROWS = 3  # any number but 0 and 1, which torch.export takes for constants


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A network in two parts, exported for images (1, channel, *space) of one size.

    `program` takes (images, rows) and gives (activations, logits); `trunk` is its first part, images to
    activations (1, channel, *grid), `head` its second, rows to logits (row, finding). `rows` are an example
    of what the head takes: activations, or their means where the cut is pooled. `activation` is the function
    that the network puts after its logits, if any.
    """

    program: torch.export.ExportedProgram
    trunk: fx.GraphModule
    head: nn.Module
    images: Tensor
    rows: Tensor
    activation: str | None


def split(network: nn.Module, images: Tensor, cut: Cut, logits: Logits | None = None) -> Split:
    """Export a network in two parts; it is left as it was found.

    Raises
    ------
    UnsuitableRuntime
        It cannot be exported, or its head reads more than the activations at the cut.
    """
    if not cut.stackable:
        raise UnsuitableRuntime(_reads_more(cut))
    rows = example_rows(network, images, cut, logits)
    activations: list[str | None] = []
    both = _Both(network, cut, logits, activations.append)
    with as_it_was(network), torch.inference_mode(mode=False), torch.no_grad(), quiet():
        try:
            program = torch.export.export(
                both, (images, rows), dynamic_shapes=({}, {0: torch.export.Dim("rows")}), strict=False
            )
            module = program.module()
        except Exception as error:  # a foreign network may fail in any way while it is traced
            raise UnsuitableRuntime(
                f"torch.export cannot trace this network ({type(error).__name__}: {first_line(error)}); "
                f"{EAGER}."
            ) from error
    trunk = _part(module, without=ROWS, output=0)
    head = _part(module, without=IMAGES, output=1)
    if trunk is None or head is None:
        raise UnsuitableRuntime(_reads_more(cut))
    return Split(program, trunk, head, images, rows, activations[-1])


def example_rows(network: nn.Module, images: Tensor, cut: Cut, logits: Logits | None) -> Tensor:
    """What the head takes, some rows of it."""
    kept: list[Tensor] = []

    def at_cut(tensor: Tensor) -> Tensor:
        kept.append(mean_over_space(tensor) if cut.pooled else tensor.clone())
        return tensor

    run(network, images, cut, at_cut, logits)
    return torch.cat([kept[0]] * _EXAMPLE_ROWS)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings that exporters give about themselves; what fails still raises."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _Both(nn.Module):
    """Images and rows to activations and logits."""

    def __init__(
        self,
        network: nn.Module,
        cut: Cut,
        logits: Logits | None,
        note_activation: Callable[[str | None], None],
    ) -> None:
        super().__init__()
        self.network, self._cut, self._logits = network, cut, logits
        self._note_activation = note_activation  # torch.export takes back what is written into a module

    def forward(self, images: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        kept: list[Tensor] = []

        def at_cut(tensor: Tensor) -> Tensor:
            kept.append(tensor.clone())  # what follows may work in place, here and on the rows
            return rows.clone()

        logits, activation = run_traced(self.network, images, self._cut, at_cut, self._logits)
        self._note_activation(activation)
        return kept[0], logits


def _part(module: fx.GraphModule, *, without: str, output: int) -> fx.GraphModule | None:
    """The part of a graph that gives one output without one of the inputs; None where it needs that input.

    Operations in place are not told from dead ones by their users, so what belongs to the other part is
    taken out by what it depends on.
    """
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    foreign: set[fx.Node] = set()
    for node in module.graph.nodes:
        if node.op == "output":
            wanted = node.args[0][output]
            if wanted in foreign:
                return None
            graph.output(copies[wanted])
        elif node.name == without or not foreign.isdisjoint(node.all_input_nodes):
            foreign.add(node)
        else:
            copies[node] = graph.node_copy(node, copies.__getitem__)
    part = fx.GraphModule(module, graph)
    part.graph.eliminate_dead_code()
    part.delete_all_unused_submodules()
    part.recompile()
    return part


def _reads_more(cut: Cut) -> str:
    return (
        f"After “{cut.name}” this network still reads the image or an earlier layer (as a U-Net does), or "
        f"mixes the images of a batch, so its head cannot be run by itself; {EAGER}."
    )


def first_line(error: Exception) -> str:
    """What a foreign library says of its failure, short enough for a sentence."""
    return str(error).strip().partition("\n")[0].rstrip(".")[:200]
