"""A report as one page of HTML: it fetches nothing, follows the screen's light or dark, and prints on A4."""

import base64
import hashlib
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from camlucida.errors import MissingExtra
from camlucida.evaluation.report.charts import as_svg
from camlucida.evaluation.report.document import Document, Tone
from camlucida.evaluation.report.pictures import LARGEST, as_data
from camlucida.saliency.saving import replace_whole

HERE = Path(__file__).parent
SIGNS = {Tone.GOOD: "✓", Tone.NEUTRAL: "·", Tone.CAUTION: "!", Tone.BAD: "✕"}

# What is folded is open on paper, in browsers that do not know ::details-content too.
SCRIPT = 'addEventListener("beforeprint",()=>document.querySelectorAll("details").forEach(d=>{d.open=true}))'


def write_page(document: Document, path: Path) -> Path:
    """Write the report to `path`, whole or not at all; replaces an older one.

    The same document gives the same bytes. Its words are escaped: what a file's or a column's name holds is
    shown, and does nothing.

    Raises
    ------
    MissingExtra
        jinja2 or matplotlib is not installed.
    """
    content = as_html(document).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    return replace_whole(path, [content])


def as_html(document: Document) -> str:
    """The report as HTML.

    Raises
    ------
    MissingExtra
        As in `write_page`.
    """
    try:
        return str(_template().render(document=document, **_charts()))
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"A report needs the Python package {error.name}. "
            "Install with `pip install 'camlucida[development]'`."
        ) from error


def _charts() -> dict[str, Any]:
    """Draws charts with numbers from 1 on, which begin anew on each page."""
    from markupsafe import Markup  # noqa: PLC0415 - comes with jinja2

    numbers = count(1)
    return {"drawn": lambda chart: Markup(as_svg(chart, next(numbers)))}  # noqa: S704 - escaped by as_svg


def _number(text: str) -> Any:
    """A figure with its interval, which may go on a line of its own but is not torn."""
    from markupsafe import Markup, escape  # noqa: PLC0415 - comes with jinja2

    figure, bracket, interval = text.partition(" (")
    return Markup("{} <span>({}</span>").format(figure, interval) if bracket else escape(text)


@cache
def _template() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - an extra
    from markupsafe import Markup  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["kind"] = lambda block: type(block).__name__
    environment.filters["as_data"] = as_data
    environment.filters["number"] = _number
    digest = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    environment.globals.update(
        SIGNS=SIGNS,
        LARGEST=LARGEST,
        STYLE=Markup((HERE / "page.css").read_text("utf-8")),  # noqa: S704 - our own
        SCRIPT=Markup(SCRIPT),  # noqa: S704
        SCRIPT_DIGEST=f"sha256-{digest}",
    )
    return environment.get_template("page.html")
