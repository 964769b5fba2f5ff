"""The viewer in a notebook's cell, through anywidget: JupyterLab, VS Code, Colab, marimo.

The cell asks this object for what it shows, slice by slice; nothing of it is kept in the notebook's file, and
nothing is fetched from anywhere else.
"""

import hashlib
from typing import Any

import anywidget
import traitlets

from camlucida.notebook.contents import Contents
from camlucida.notebook.files import VIEWER, WIDGET


class Widget(anywidget.AnyWidget):
    """A view of one image and its explanations."""

    _esm = WIDGET.read_text("utf-8")
    height = traitlets.Int().tag(sync=True)  # CSS pixels
    finding = traitlets.Int(None, allow_none=True).tag(sync=True)  # whose map is on from the start
    code = traitlets.Unicode().tag(sync=True)  # digest of the viewer: a page runs only one
    loading = traitlets.Unicode("Loading the viewer; the kernel may be busy…").tag(sync=True)
    outdated = traitlets.Unicode(
        "camlucida was updated: reload the page, which still shows its old viewer."
    ).tag(sync=True)

    def __init__(self, contents: Contents, *, height: int, finding: int | None) -> None:
        code = hashlib.sha256(VIEWER.read_bytes()).hexdigest()
        super().__init__(height=height, finding=finding, code=code)
        self._contents = contents
        self.on_msg(self._answer)

    def _answer(self, _widget: object, asked: dict[str, Any], _buffers: object) -> None:
        name = str(asked.get("name"))
        try:
            part = VIEWER.read_bytes() if name == "viewer" else self._contents.part(name)
        except KeyError:
            self.send({"to": asked.get("id"), "error": f"There is no part “{name}” of an explanation."})
        else:
            self.send({"to": asked.get("id")}, [part])
