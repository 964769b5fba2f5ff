"""`camlucida methods`: the list of all, and one in full."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import messages
from camlucida.records import Unit

if TYPE_CHECKING:
    from camlucida.saliency.method import Method

app = typer.Typer(add_completion=False)

_UNITS = {
    Unit.LOGIT: "logits",
    Unit.RELATIVE: "pattern",
}
_UNITS_IN_FULL = {
    Unit.LOGIT: "shares of the finding's logit; their sum is compared with it",
    Unit.RELATIVE: "no unit: only places within one map can be compared",
}
_GRIDS_IN_FULL = {
    "cells": "the cells of the target layer",
    "pixels": "the pixels of the network's input",
}


@app.command(epilog="Example: camlucida methods hirescam")
def methods(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Only this one, with all that is known of it.")
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="All of them in full.")] = False,
) -> None:
    """List the methods: paper, cost, what each needs, and what to beware of."""
    from camlucida.saliency.methods import METHODS, find_method  # noqa: PLC0415 - loads torch

    if name is not None:
        _in_full([find_method(name)])
    elif verbose:
        _in_full(METHODS.items())
    else:
        _listed(METHODS.values())


def _listed(every: Iterable["Method"]) -> None:
    rows = [
        (
            f"{method.name}\n{method.paper}",
            f"{_UNITS[method.unit]}\non {method.grid}",
            method.passes,
            "\n".join(_mind(method)),
        )
        for method in every
    ]
    messages.table("", ("Method", "Values", "Extra cost", "Needs, and mind"), rows, lines=True)
    messages.note("The cost is beside one inference; `camlucida methods NAME` shows one method in full.")


def _mind(method: "Method") -> Iterator[str]:
    if method.needs:
        yield f"Needs {method.needs}."
    if method.caution:
        yield method.caution


def _in_full(every: Iterable[tuple[str, "Method"]]) -> None:
    for key, method in every:
        messages.facts(method.name, _facts(key, method))


def _facts(key: str, method: "Method") -> Iterator[tuple[str, str]]:
    yield "Paper", method.paper
    yield "Ask for it as", ", ".join(dict.fromkeys((key, *(alias.lower() for alias in method.aliases))))
    yield "Values", _UNITS_IN_FULL[method.unit]
    yield "Grid", _GRIDS_IN_FULL[method.grid]
    yield "Cost", f"beside one inference: {method.passes}"
    if method.needs:
        yield "Needs", method.needs
    if any(method.variants):
        first, *others = method.variants
        yield "Variants", ", ".join([f"{first} (default)", *others])
    if method.class_agnostic:
        yield "Findings", "none: the map is the same for all of them"
    if method.contrastive:
        yield "Contrast", "holds each finding against another (--contrast)"
    if method.caution:
        yield "Mind", method.caution
