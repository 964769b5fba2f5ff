"""How the command line speaks: results on stdout, everything else as one line on stderr."""

import logging
import sys
import traceback
import unicodedata
import warnings
from collections.abc import Iterable, MutableMapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

NOTICE = "Research software, not a medical device."
SHOWN_OF_KEY = 12  # characters: a beginning that is unique among millions


def harmless(text: str) -> str:
    """Without what a terminal would obey: DICOM strings, AE titles and file names are somebody else's words.

    Line breaks and tabs stay; every other control or invisible character becomes �.
    """
    return "".join(letter if _is_shown(letter) else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in "\n\t" or unicodedata.category(letter) == "Zs"


def _harmless_line(
    logger: object,  # noqa: ARG001 - structlog's signature
    method: str,  # noqa: ARG001
    line: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    """A structlog processor: what is logged is one line, and moves no cursor."""
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = " ".join(harmless(value).split())
    return line


def output() -> Console:
    """The console for results; looked up at each call, so that a redirected stdout is honoured."""
    return Console(highlight=False, soft_wrap=True)


def errors() -> Console:
    """The console for errors, notes and progress."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """One line of result, as it is: brackets are no markup."""
    output().print(harmless(text), markup=False)


def note(text: str) -> None:
    """One line beside the result, on stderr."""
    errors().print(harmless(text), markup=False)


def complain(error: BaseException | str) -> None:
    """One clear line on stderr for something that could not be done."""
    text = " ".join(harmless(str(error)).split()) or type(error).__name__
    errors().print(f"[bold red]Error:[/] {escape(text)}")


def table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: int = 0,
    lines: bool = False,
) -> None:
    """A table on stdout; the last `right` columns hold numbers and are aligned to the right.

    With `lines` there is air between the rows, and the first line of each is a heading.
    """
    shown = Table(
        title=escape(harmless(title)) or None,
        title_justify="left",
        title_style="bold",
        header_style="bold",
        box=SIMPLE_HEAD,  # the finest: eight columns fit into 80 characters
        padding=0,
        pad_edge=False,
        leading=1 if lines else 0,
    )
    for position, column in enumerate(columns):
        justify = "right" if position >= len(columns) - right else "left"
        shown.add_column(escape(harmless(column)), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        first, *others = (escape(harmless(str(cell))) for cell in row)
        shown.add_row(_headed(first) if lines else first, *others)
    Console(highlight=False).print(shown)


def _headed(cell: str) -> str:
    """A cell whose first line is a heading."""
    heading, _, rest = cell.partition("\n")
    return f"[bold]{heading}[/]\n{rest}"


def facts(title: str, pairs: Iterable[tuple[str, str]]) -> None:
    """A heading and what is known under it, a name and a text a line."""
    shown = Table.grid(padding=(0, 2, 0, 0))
    shown.add_column(style="dim", no_wrap=True)
    shown.add_column(overflow="fold")
    for name, text in pairs:
        shown.add_row(f"  {escape(harmless(name))}", escape(harmless(text)))
    console = Console(highlight=False)
    console.print(f"[bold]{escape(harmless(title))}[/]")
    console.print(shown)
    console.print()


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where there is not one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def short(key: str) -> str:
    """The beginning of a key; commands take it instead of the whole."""
    return key[:SHOWN_OF_KEY]


def moment(when: datetime, *, seconds: bool = False) -> str:
    """A date with its time, to the minute or to the second; `when` is in UTC, as all that is kept."""
    return when.strftime("%Y-%m-%d %H:%M:%S UTC" if seconds else "%Y-%m-%d %H:%M UTC")


def progress() -> Progress:
    """A progress bar on stderr, gone when done; use it in a `with` block."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=errors(),
        transient=True,
        disable=not errors().is_terminal,
    )


def unexpected(error: Exception) -> str:
    """A sentence for a fault of ours: the kind and the place, not the text, which may quote a header."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return (
        f"camlucida met a fault of its own ({type(error).__name__}{place}); "
        "run `camlucida --verbose …` again for the details and please report them without patient data."
    )


def log_to_stderr(*, verbose: bool) -> None:
    """Structured logs on stderr: warnings, or everything with `--verbose`."""
    import structlog  # noqa: PLC0415 - 0.1 s that `--help` does not need

    from camlucida.settings import settings  # noqa: PLC0415 - as above

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _harmless_line,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
            if settings().log_format == "json"
            else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.WARNING),
        # Whatever stderr is when something is logged: a program that calls the command may have replaced it.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def hush_libraries() -> None:
    """Let no library write to stderr by itself: what it warns about may be a header's value.

    Of a warning its kind and place are logged, with `--verbose`.
    """
    import structlog  # noqa: PLC0415 - as above

    log = structlog.get_logger()

    def tell(  # its text is left behind
        message: Warning | str,  # noqa: ARG001
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,  # noqa: ARG001
        line: str | None = None,  # noqa: ARG001
    ) -> None:
        log.info("warning", kind=category.__name__, place=f"{Path(filename).name}:{lineno}")

    warnings.showwarning = tell
    logging.getLogger().addHandler(logging.NullHandler())
