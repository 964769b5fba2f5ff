"""The list of commands, and the group that imports a command's module only when it is called.

A command `x` lives in `camlucida.cli.x` (with a trailing underscore where Python keeps the word), which has
`app = typer.Typer(add_completion=False)`. With one `@app.command()` the module is the command; with an
`@app.callback()` it is a group of commands (`camlucida models list`).
"""

import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from camlucida.cli import messages
from camlucida.errors import CamlucidaError, MissingExtra
from camlucida.version import __version__


class Entry(NamedTuple):
    """What the list of commands says of one command, without importing it."""

    module: str
    help: str
    example: str


COMMANDS: Mapping[str, Entry] = {
    "demo": Entry(
        "demo", "Show everything on example studies, in the browser; needs no data.", "camlucida demo"
    ),
    "explain": Entry(
        "explain",
        "Explain every finding of images on disk: a table, the maps, and overlays.",
        "camlucida explain chest.dcm --model phantom-radiograph --out maps",
    ),
    "explain-cohort": Entry(
        "explain_cohort",
        "Explain very many images, shard by shard, into Parquet files and maps.",
        "camlucida explain-cohort films/ --model phantom-radiograph --to cohort",
    ),
    "layers": Entry(
        "layers",
        "Compare target layers: one row of maps for each, early to late.",
        "camlucida layers chest.dcm --model phantom-radiograph --out layers.png",
    ),
    "import": Entry(
        "import_",
        "Put studies into the store and explain them.",
        "camlucida import studies/ --model phantom-radiograph",
    ),
    "serve": Entry(
        "serve", "Show the studies of the store in the browser; receive, work and send.", "camlucida serve"
    ),
    "work": Entry("work", "Read, explain and write the results of what arrives.", "camlucida work --once"),
    "jobs": Entry(
        "jobs",
        "Say what waits to be computed and what has failed; cancel it, or try it again.",
        "camlucida jobs list",
    ),
    "export": Entry(
        "export",
        "Write the results of studies as DICOM files.",
        "camlucida export 3f9a1c --profile research --out results",
    ),
    "deidentify": Entry(
        "deidentify",
        "Write copies of DICOM files without identity, and check that none is left.",
        "camlucida deidentify study/ --out shared",
    ),
    "models": Entry("models", "Add, list, show, check and retire models.", "camlucida models add my-model/"),
    "prove": Entry(
        "prove",
        "Test whether methods' maps depend on what a model has learnt.",
        "camlucida prove phantom-radiograph --out proof",
    ),
    "shortcuts": Entry(
        "shortcuts",
        "Find evidence from where the disease cannot be, over many images.",
        "camlucida shortcuts --model my-model --data films.csv --out shortcuts",
    ),
    "evaluate": Entry(
        "evaluate",
        "Evaluate a model on your cases: one report, and its tables.",
        "camlucida evaluate --model paediatric-pneumonia --data films/ --out evaluation",
    ),
    "certify-repair": Entry(
        "certify_repair",
        "Certify or reject the repair of a shortcut: does the artefact still move the logit?",
        "camlucida certify-repair old/ new/ --data films.csv --artefact tag.png --column tag",
    ),
    "compare": Entry(
        "compare",
        "Compare methods on your model and images: what maps cost, and what they are worth.",
        "camlucida compare --model my-model --data films.csv --out methods",
    ),
    "methods": Entry("methods", "List the methods with what each is good for.", "camlucida methods"),
    "store": Entry(
        "store",
        "Say what is kept and how much room it takes; check, prune, move, back up and restore it.",
        "camlucida store size",
    ),
    "audit": Entry(
        "audit",
        "Ask who saw and did what, draw it again, and check that the record is whole.",
        "camlucida audit query --study 3f9a1c",
    ),
    "flags": Entry(
        "flags",
        "List and resolve what readers flagged, and write it as masks for training.",
        "camlucida flags list --state open",
    ),
    "send": Entry(
        "send", "Send the results of studies to a PACS.", "camlucida send 3f9a1c --to archive --dry-run"
    ),
    "fetch": Entry(
        "fetch",
        "Fetch a study and its priors from a PACS.",
        "camlucida fetch --from archive --accession A123 --priors 2",
    ),
    "pacs": Entry(
        "pacs",
        "Write and show pacs.toml, what waits to be sent, and ask what a PACS takes.",
        "camlucida pacs probe archive",
    ),
    "users": Entry(
        "users",
        "Add users with a password, give them roles, disable them, sign them out.",
        "camlucida users add eva reader",
    ),
    "tokens": Entry(
        "tokens",
        "Add, list and revoke tokens with which programs use the station.",
        "camlucida tokens add ohif --days 90",
    ),
}


class LazyCommands(TyperGroup):
    """Lists commands from the table; the real command is imported when it is called."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands = {name: TyperCommand(name, help=entry.help) for name, entry in COMMANDS.items()}

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - typer's signature
        """Names in the order of the table."""
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Name, real command and the remaining arguments."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what fails is said in one line on stderr, and the exit code is 1."""
        try:
            return super().invoke(ctx)
        except CamlucidaError as error:
            messages.complain(error)
        except OSError as error:
            name = f": {error.filename}" if error.filename else ""
            messages.complain(f"{error.strerror or type(error).__name__}{name}")
        except MemoryError:
            messages.complain("There is not enough memory for this; explain fewer or smaller images at once.")
        except Exception as error:  # the last line of defence: one line, no traceback
            if _is_of_typer(error):
                raise
            messages.complain(messages.unexpected(error))
            if ctx.params.get("verbose"):
                messages.note(
                    "".join(traceback.format_tb(error.__traceback__))
                )  # not its text: see unexpected
        raise typer.Exit(1)


def load(name: str) -> Any:
    """The real command of this name.

    Raises
    ------
    MissingExtra
        The command needs an optional part that is not installed.
    """
    try:
        module = import_module(f"camlucida.cli.{COMMANDS[name].module}")
    except ModuleNotFoundError as error:
        raise _missing(name, error) from error
    command = typer.main.get_command(module.app)
    command.name = name
    command.help = command.help or COMMANDS[name].help
    command.epilog = command.epilog or f"Example: {COMMANDS[name].example}"
    return command


def _missing(name: str, error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    if package in {"", "camlucida"}:
        return error
    return MissingExtra(
        f"`camlucida {name}` needs the Python package {package}, which is not installed; install the station "
        "with `pip install 'camlucida[station]'`."
    )


def _is_of_typer(error: BaseException) -> bool:
    """Whether typer raised this to end the command (Exit, Abort are RuntimeErrors of its own)."""
    return type(error).__module__.partition(".")[0] in {"typer", "click"}


def _version(value: bool) -> None:
    if value:
        messages.say(f"camlucida {__version__}")
        raise typer.Exit


_EXAMPLES = "\n\n".join(["**Examples**", *(f"`{entry.example}`" for entry in COMMANDS.values())])

app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(epilog=_EXAMPLES)
def camlucida(
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what is done, and details of faults, to stderr.")
    ] = False,
    version: Annotated[  # noqa: ARG001 - acts in its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Show why a medical-imaging network says what it says: evidence in logits, on the image.

    Research software, not a medical device.
    """
    messages.log_to_stderr(verbose=verbose)
