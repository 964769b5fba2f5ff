"""An explanation as one file: opened by any browser, it fetches nothing and holds nobody's name."""

import gzip
import hashlib
from base64 import b64encode
from collections.abc import Iterator
from html import escape

from camlucida.notebook.contents import Contents
from camlucida.notebook.files import VIEWER
from camlucida.rendering.legend import NOTICE

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark">
<meta name="referrer" content="no-referrer">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
</head>
<body>
<noscript><p>{notice}</p><img src="data:image/png;base64,{picture}" alt="{title}"></noscript>
"""


def page(contents: Contents, picture: bytes, finding: int | None) -> Iterator[str]:
    """The file, piece by piece; `picture` (PNG) is what a reader without JavaScript sees."""
    scripts = VIEWER.read_text("utf-8"), f"camlucidaViewer.page({'null' if finding is None else finding})"
    yield _PAGE.format(
        policy=_policy(scripts),
        title=escape(contents.title or "camlucida"),
        notice=NOTICE,
        picture=b64encode(picture).decode(),
    )
    for name in contents.names():
        packed = b64encode(gzip.compress(contents.part(name), 6, mtime=0)).decode()
        yield f'<script type="application/gzip" id="{name}">{packed}</script>\n'
    for script in scripts:
        yield f'<script type="module">{script}</script>\n'
    yield "</body>\n</html>\n"


def _policy(scripts: tuple[str, ...]) -> str:
    """Nothing but our own scripts runs, and nothing is fetched, whatever opens the file."""
    digests = " ".join(
        f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return f"default-src 'none'; script-src {digests}; img-src data: blob:"
