"""`camlucida models add|from-monai|list|show|check|retire`."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import messages
from camlucida.errors import CamlucidaError, InputError, UnknownModel
from camlucida.models.card import ModelCard, read_card
from camlucida.models.description import head_statement
from camlucida.models.registry import Registered, Registry, shipped_models
from camlucida.settings import settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from camlucida.images.read import ImageFiles

app = typer.Typer(add_completion=False, no_args_is_help=True)

Inputs = Annotated[
    int | None,
    typer.Option(min=1, help="On how many made-up inputs the head is proven. Default: 8, or 2 large ones."),
]
Key = Annotated[str, typer.Argument(metavar="NAME[@VERSION]", help="Without a version: the highest in use.")]


@app.callback()
def models() -> None:
    """Add, list, show, check and retire models."""


@app.command(epilog="Example: camlucida models add my-model/")
def add(
    source: Annotated[
        str, typer.Argument(metavar="FOLDER", help="A folder with model.toml, or a shipped name.")
    ],
    inputs: Inputs = None,
) -> None:
    """Verify a model, find its target layer, prove its head, and register it."""
    folder = shipped_models().get(source, Path(source))
    if not folder.is_dir():
        raise UnknownModel(
            f"There is no folder “{source}”, and no model of this name comes with camlucida "
            f"({', '.join(shipped_models()) or 'none does'})."
        )
    with _trying(source, inputs) as step:
        registered = _registry().add(folder, inputs, step)
    messages.say(f"{registered.key} is registered: {registered.title or 'no title'}")
    _say_facts(_found(registered))


@app.command("from-monai", epilog="Example: camlucida models from-monai spleen_ct_segmentation/ spleen/")
def from_monai(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The folder of a MONAI bundle.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The model's folder, which is made.")],
) -> None:
    """Make a model folder of a MONAI bundle, and say what is open. Nothing of the bundle is run."""
    from camlucida.models.bundle import convert_bundle  # noqa: PLC0415 - loads torch, which the list does not need

    converted = convert_bundle(bundle, folder)
    messages.say(f"Written: {folder / 'model.toml'} and its weights.")
    for sentence in converted.open:
        messages.say(f"  Open: {sentence}.")
    messages.say(f"Then: camlucida models add {folder}")


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
    inputs: Inputs = None,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            help="Prove the head on these images too: a file or folder, may be given several times."
        ),
    ] = None,
) -> None:
    """Compare files with their digests, and prove the head again; the strongest proof is kept."""
    keys = keys or [registered.key for registered in _registry().list()]
    if not keys:
        messages.note("No model is registered; `camlucida models add FOLDER` adds one.")
    passed = [_check(key, inputs, images or []) for key in keys]  # all of them, also after one that fails
    if not all(passed):
        raise typer.Exit(1)


def _check(key: str, inputs: int | None, images: list[Path]) -> bool:
    try:
        card, found = read_card(_registry().get(key).folder), _find(images)
        with _trying(key, None if inputs is None else inputs + len(found)) as step:
            result = _registry().check(key, inputs, _prepared(card, found), step)
    except CamlucidaError as error:
        messages.complain(error)
        return False
    messages.say(f"{result.registered.key} is unchanged: its files have their digests.")
    logits = f"as registered, to within {result.difference:.1g}"
    facts = {"head": head_statement(result.head), "logits": logits}
    if result.known != result.head:
        facts["on record"] = head_statement(result.known)
    _say_facts(facts)
    if images and not result.head["images"]:
        messages.complain(f"None of the images could be used to prove the head of {key}.")
        return False
    return True


@contextmanager
def _trying(name: str, inputs: int | None) -> Iterator[Callable[[], None]]:
    """Shows the progress; gives what is called after each input."""
    with messages.progress() as progress:
        task = progress.add_task(f"Trying {name} out", total=inputs)
        yield lambda: progress.advance(task)


def _find(images: list[Path]) -> "list[ImageFiles]":
    from camlucida.images.read import find_images  # noqa: PLC0415 - a check without images needs none of it

    return find_images(images)


def _prepared(card: ModelCard, found: "list[ImageFiles]") -> "Iterator[NDArray[np.float32]]":
    """The images as the model takes them, one by one; one that cannot be used is told and left out."""
    from camlucida.images.prepare import prepare  # noqa: PLC0415
    from camlucida.images.read import read  # noqa: PLC0415

    for files in found:
        try:
            for image in read(files):
                yield prepare(image, card.preparation).values
        except (InputError, OSError) as error:
            messages.complain(f"{files.name}: {error}")


@app.command(epilog="Example: camlucida models retire phantom-radiograph@1.0.0")
def retire(key: Key) -> None:
    """Mark a version as no longer used; it stays, so that its maps can be made again."""
    registered = _registry().retire(key)
    messages.say(f"{registered.key} is retired since {registered.retired}; name its version to use it still.")


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
    known = head.get("why") or "the last with spatial extent that the logits depend on"
    why = "named in model.toml" if registered.layer_named else f"found: {known}"
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
        **({"proven again": registered.checked} if registered.checked else {}),
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
