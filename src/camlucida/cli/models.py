"""`camlucida models add|list|show|check|retire`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from camlucida.cli import messages
from camlucida.errors import CamlucidaError, UnknownModel
from camlucida.models.card import ModelCard, read_card
from camlucida.models.registry import Registered, Registry, shipped_models
from camlucida.settings import settings

app = typer.Typer(add_completion=False, no_args_is_help=True)

Key = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Without a version: the highest in use.")]


@app.callback()
def models() -> None:
    """Add, list, show, check and retire models."""


@app.command(epilog="Example: camlucida models add my-model/")
def add(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER", help="A folder with model.toml, or a shipped name.")
    ],
) -> None:
    """Verify a model, find its target layer, prove its head, and register it."""
    folder = shipped_models().get(source, Path(source))
    if not folder.is_dir():
        raise UnknownModel(
            f"There is no folder “{source}”, and no model of this name comes with camlucida "
            f"({', '.join(shipped_models()) or 'none does'})."
        )
    with messages.errors().status("Trying the model out …"):
        registered = _registry().add(folder)
    messages.say(f"{registered.key} is registered: {registered.title or 'no title'}")
    _say_facts(_found(registered))


@app.command("list", epilog="Example: camlucida models list")
def list_models() -> None:
    """List the registered models, and those that come with camlucida."""
    registered = _registry().list()
    rows = [_row(one) for one in registered]
    known = {one.name for one in registered}
    rows += [
        (card.name, card.version, "shipped, not registered", str(len(card.findings)), "", "")
        for card in (read_card(folder) for folder in shipped_models().values())
        if card.name not in known
    ]
    if not rows:
        messages.note("No model is registered; `camlucida models add FOLDER` adds one.")
        return
    messages.table("", ("model", "version", "state", "findings", "native grid", "head"), rows)


@app.command(epilog="Example: camlucida models show phantom-radiograph")
def show(key: Key) -> None:
    """Show a model's card and what was found when it was registered."""
    registered = _registry().find(key)
    if registered is None and key in shipped_models():
        _show_card(read_card(shipped_models()[key]))
        messages.say(f"\nNot registered yet; `camlucida models add {key}` does it.")
        return
    registered = _registry().get(key)
    _show_card(read_card(registered.folder))
    messages.say("")
    _say_facts({**_found(registered), **_history(registered)})


@app.command(epilog="Example: camlucida models check phantom-radiograph")
def check(
    keys: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME[@VERSION]]...", help="None: all of them.")
    ] = None,
) -> None:
    """Compare files with their digests, and prove the head again."""
    keys = keys or [registered.key for registered in _registry().list()]
    if not keys:
        messages.note("No model is registered; `camlucida models add FOLDER` adds one.")
    passed = [_check(key) for key in keys]  # all of them, also after one that fails
    if not all(passed):
        raise typer.Exit(1)


def _check(key: str) -> bool:
    try:
        with messages.errors().status(f"Trying {key} out …"):
            result = _registry().check(key)
    except CamlucidaError as error:
        messages.complain(error)
        return False
    messages.say(f"{result.registered.key} is unchanged: its files have their digests.")
    logits = f"as registered, to within {result.difference:.1g}"
    _say_facts({"head": head_statement(result.head), "logits": logits})
    return True


@app.command(epilog="Example: camlucida models retire phantom-radiograph@1.0.0")
def retire(key: Key) -> None:
    """Mark a version as no longer used; it stays, so that its maps can be made again."""
    registered = _registry().retire(key)
    messages.say(f"{registered.key} is retired since {registered.retired}; name its version to use it still.")


def head_statement(head: Mapping[str, Any]) -> str:
    """What the proof means, in words; `head` holds the fields of HeadProof."""
    inputs = f"on {head['inputs']} inputs"
    exact, pooled = f"{head['deviation']:.1e}", f"{head['deviation_pooled']:.1e}"
    if head["kind"] != "linear":
        return (
            f"not linear: maps are approximate; what HiResCAM leaves unexplained is up to {exact}, Grad-CAM "
            f"{pooled} logits {inputs}"
        )
    if head["deviation_pooled"] > 1e-4:
        return (
            f"linear: HiResCAM is faithful by theorem, |sum + bias - logit| ≤ {exact} {inputs}; Grad-CAM is "
            f"approximate, its residual up to {pooled} logits"
        )
    largest = max(head["deviation"], head["deviation_pooled"])
    return (
        "linear: HiResCAM and Grad-CAM are faithful by theorem, |sum + bias - logit| ≤ "
        f"{largest:.1e} logits {inputs}"
    )


def _registry() -> Registry:
    return Registry(settings().home)


def _row(registered: Registered) -> tuple[str, ...]:
    state = "retired" if registered.retired else "in use"
    grid = "×".join(str(cells) for cells in registered.head["grid"])
    count = str(len(registered.findings))
    return registered.name, registered.version, state, count, grid, str(registered.head["kind"])


def _found(registered: Registered) -> dict[str, str]:
    head = registered.head
    grid = "×".join(str(cells) for cells in head["grid"])
    why = (
        "named in model.toml"
        if registered.layer_named
        else "found: the last with spatial extent that the logits depend on"
    )
    facts = {
        "digest": registered.digest,
        "parameters": f"{registered.parameters:,}",
        "findings": ", ".join(registered.findings),
        "target layer": f"{head['target_layer']} ({why})",
        "native grid": f"{grid} cells",
        "head": head_statement(head),
    }
    if registered.cautions:
        facts["caution"] = " ".join(registered.cautions)
    return facts


def _history(registered: Registered) -> dict[str, str]:
    return {
        "registered": f"{registered.registered}, camlucida {registered.library_version}, torch "
        f"{registered.torch_version}",
        "state": f"retired since {registered.retired}" if registered.retired else "in use",
        "folder": str(registered.folder),
    }


def _show_card(card: ModelCard) -> None:
    messages.say(f"{card.name}@{card.version}: {card.title or 'no title'}")
    preparation = card.preparation
    _say_facts(
        {
            "intended use": card.intended_use,
            "limits": card.limits or "none are named",
            "licence": card.licence,
            "attribution": card.attribution,
            "architecture": card.architecture or f"the graph in {card.weights}",
            "takes": f"{' or '.join(card.modality) or 'any modality'}, "
            f"{'×'.join(str(side) for side in preparation.size)}, channels: {preparation.channels}, "
            f"fit: {preparation.fit}, intensity: {preparation.intensity}",
            "output": f"{card.output} ({card.task})",
        }
    )
    messages.table("", ("finding", "code", "operating point"), _findings(card), right=1)


def _findings(card: ModelCard) -> Iterator[tuple[str, str, str]]:
    for finding in card.findings:
        concept = finding.concept
        code = f"{concept.value} {concept.scheme} “{concept.meaning}”" if concept else ""
        yield finding.name, code, "" if finding.operating_point is None else f"{finding.operating_point:g}"


def _say_facts(facts: Mapping[str, str]) -> None:
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        messages.say(f"  {name:<{width}}  {value}")
