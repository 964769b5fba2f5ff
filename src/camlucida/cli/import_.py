"""`camlucida import`: put studies into the store and explain them."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from camlucida import pipeline
from camlucida.cli import messages
from camlucida.cli.interruption import stopping_between_steps
from camlucida.cli.options import HomeOption
from camlucida.errors import ModelError
from camlucida.models.registry import Registered, Registry, shipped_models
from camlucida.settings import settings
from camlucida.store import explanations
from camlucida.store.home import Home
from camlucida.store.tables import State

app = typer.Typer(add_completion=False)


@app.command()
def import_(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="DICOM, NIfTI, PNG and JPEG files, or folders of them.", show_default=False),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Explain by this model only; may be given several times.", show_default=False),
    ] = None,
    home: HomeOption = None,
) -> None:
    """Put studies into the store and explain every finding by the registered models that they are for.

    A file that is kept already is not taken twice. Without files, explanations that are still waiting (after
    a stop, or a new model) are computed.
    """
    try:
        with closing(Home.open(home or settings().home)) as opened:
            models = _models(opened, model or [])
            complete = take_in(opened, files or [])
            complete &= explain_waiting(opened, models, thorough=not files, named=bool(model))
    except KeyboardInterrupt:
        messages.note("Stopped. What is done is kept; `camlucida import` without files goes on from here.")
        raise typer.Exit(130) from None
    if not models:
        messages.note(
            "No model is registered in this home, so nothing is explained: `camlucida models add FOLDER` "
            "adds one, and `camlucida import` without files explains then."
        )
    if not complete:
        raise typer.Exit(1)


def take_in(home: Home, paths: Sequence[Path]) -> bool:
    """Read and keep with a progress bar; whether all was taken."""
    if not paths:
        return True
    found = pipeline.find(paths)
    new = known = 0
    refused = []
    with messages.progress() as bar, stopping_between_steps() as check:
        for intake in bar.track(pipeline.take_in(home, found), len(found), description="Reading"):
            new, known = new + intake.new, known + intake.known
            refused += [f"{intake.name}: {intake.error}"] if intake.error else []
            check()
    for line in refused:
        messages.complain(line)
    messages.say(f"{messages.count(new, 'new image')}, {known} known already, {len(refused)} refused.")
    return not refused


def explain_waiting(home: Home, models: Sequence[Registered], *, thorough: bool, named: bool = False) -> bool:
    """Explain what these models have not explained yet, with a progress bar; whether nothing failed.

    `thorough` reads what is kept and computes again what is damaged; `named`: the user named the models.
    """
    explanations.mend(home, thorough=thorough)
    pipeline.want(home, models, named=named)
    total = explanations.count_waiting(home, [model.digest for model in models])
    outcomes = []
    with messages.progress() as bar, stopping_between_steps() as check:
        for outcome in bar.track(pipeline.explain_wanted(home, models), total, description="Explaining"):
            outcomes.append(outcome)
            check()
    for outcome in dict.fromkeys(outcomes):  # the same reason for a hundred images is said once
        if outcome.state is State.FAILED:
            messages.complain(f"{outcome.model}: {outcome.reason}")
    done = sum(outcome.state is State.DONE for outcome in outcomes)
    if outcomes:
        messages.say(f"{messages.count(done, 'explanation')} computed, {len(outcomes) - done} not.")
    return not any(outcome.state is State.FAILED for outcome in outcomes)


def _models(home: Home, names: Sequence[str]) -> list[Registered]:
    """The models to explain by: those named, or all current ones. A shipped one is registered when named."""
    registry = Registry(home.folder)
    for name in names:
        if registry.find(name) is None and name in shipped_models():
            registry.add(shipped_models()[name])
    current = pipeline.current_models(home)
    if not names:
        return current
    wanted = {registry.get(name).key for name in names}
    chosen = [model for model in current if model.key in wanted]
    if len(chosen) < len(wanted):
        old = ", ".join(sorted(wanted - {model.key for model in chosen}))
        raise ModelError(f"{old} is retired or replaced by a newer version; name a current one.")
    return chosen
