"""What `camlucida.explain` returns: prediction, maps, trust and provenance, with the image they are of."""

import html
import io
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import MissingExtra, UnknownFinding
from camlucida.notebook.contents import Contents
from camlucida.notebook.page import page
from camlucida.records.encoding import to_json
from camlucida.records.explanation import Explanation
from camlucida.records.image import Image
from camlucida.rendering.legend import picture
from camlucida.saliency.saving import replace_whole, save

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from camlucida.notebook.widget import Widget

NOTICE = "Research software, not a medical device. Explains the model, not the disease."


@dataclass(frozen=True, eq=False)
class VisualExplanation:
    """A visual explanation (DCM 130401) of one image, all findings asked for together.

    `values` has shape (finding, *space): float32, in logits, signed, on the native grid (the network's own
    cells, not the image's pixels). For each finding, sum(values) + bias + residual = logit.
    """

    explanation: Explanation
    shown: Image | Callable[[], Image]

    @cached_property
    def image(self) -> Image:
        """The image that is explained; made when it is first looked at, where it was only a tensor."""
        return self.shown if isinstance(self.shown, Image) else self.shown()

    @property
    def name(self) -> str:
        """The image's file name without its ending, with the frame's number where there are several."""
        source = self.image.source
        stem = source.path.replace("\\", "/").rstrip("/").rpartition("/")[2].partition(".")[0] or "image"
        return stem if source.frame_number is None else f"{stem}-frame-{source.frame_number}"

    @property
    def findings(self) -> tuple[str, ...]:
        """Names of the findings that have a map, in the order of `values`."""
        return self.explanation.saliency_map.findings

    @property
    def values(self) -> NDArray[np.float32]:
        """Evidence in logits: (finding, *space), float32, signed, on the native grid."""
        return self.explanation.saliency_map.values

    @property
    def logits(self) -> NDArray[np.float32]:
        """The network's logits of the mapped findings: (finding,)."""
        return np.array(self.explanation.saliency_map.logits, np.float32)

    @property
    def bias(self) -> NDArray[np.float32]:
        """What maps are added to, (finding,): the logits of a silent target layer, or of a baseline."""
        return np.array(self.explanation.saliency_map.bias, np.float32)

    @property
    def residual(self) -> NDArray[np.float32]:
        """Logits that the map does not explain, logit - bias - sum(values): (finding,)."""
        return np.array(self.explanation.saliency_map.residual, np.float32)

    @property
    def method(self) -> str:
        """The method's key in `camlucida.METHODS`."""
        return self.explanation.saliency_map.method

    @property
    def target_layer(self) -> str:
        """The layer whose activations carry the maps."""
        return self.explanation.saliency_map.target_layer

    def index(self, finding: str | int) -> int:
        """Where a finding stands in `values`: by name (case does not matter), or by its number there.

        Raises
        ------
        UnknownFinding
            There is no map of this finding.
        """
        names = [name.casefold() for name in self.findings]
        if isinstance(finding, str) and finding.casefold() in names:
            return names.index(finding.casefold())
        if isinstance(finding, int) and 0 <= finding < len(names):
            return finding
        raise UnknownFinding(f"There is no map of “{finding}”; there are: {', '.join(self.findings)}.")

    def overlay(
        self,
        finding: str | int = 0,
        *,
        opacity: float = 0.6,
        colour_map: str = "inferno",
        zones: bool = False,
    ) -> "Picture":
        """The image with the finding's heatmap and a legend in logits, as a Pillow image.

        With `zones`, the body's outline and how much of the evidence lies outside it.
        """
        index = self.index(finding)
        return picture(
            self.image, self.explanation, index, opacity=opacity, colour_map=colour_map, zones=zones
        )

    def save(self, folder: str | Path, *, name: str | None = None, zones: bool = False) -> Path:
        """Write maps (safetensors), provenance and trust (JSON) and one overlay PNG per finding.

        All into `folder/name`, which is complete or not there at all. Returns that folder.
        """
        pictures = {finding: self.overlay(finding, zones=zones) for finding in self.findings}
        return save(self.explanation, pictures, Path(folder), name or self.name)

    def view(
        self,
        *others: "VisualExplanation",
        finding: str | int | None = None,
        title: str = "",
        height: int = 640,
    ) -> "Widget":
        """The viewer in a notebook's cell: the image first, maps when asked for, the values under the cursor.

        Parameters
        ----------
        others
            Explanations of the same image by other methods or models, to switch to.
        finding
            Its map is on from the start; by name or number.
        title
            What stands above the image. Who it is of is never shown: notebooks are saved and sent on.
        height
            In pixels; the width is the cell's.

        Raises
        ------
        MissingExtra
            anywidget is not installed.
        InputError
            The explanations are of several images.
        UnknownFinding
            There is no map of this finding.
        """
        try:
            from camlucida.notebook.widget import Widget  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise MissingExtra(
                "The viewer in notebooks needs anywidget. Install with `pip install 'camlucida[notebook]'`."
            ) from error
        contents = self._contents(others, title)
        return Widget(contents, height=height, finding=None if finding is None else self.index(finding))

    def to_html(
        self,
        path: str | Path,
        *others: "VisualExplanation",
        finding: str | int | None = None,
        title: str = "",
    ) -> Path:
        """Write the viewer and all that it shows into one HTML file, which fetches nothing; returns its path.

        For mails and reports. The patient's name, number and dates are left out; what is burned into the
        pixels, and what `title` says, is not. The parameters are those of `view`.

        Raises
        ------
        InputError, UnknownFinding
            As `view`.
        """
        index = None if finding is None else self.index(finding)
        picture = self._png(int(np.argmax(self.logits)) if index is None else index)
        pieces = page(self._contents(others, title), picture, index)
        return replace_whole(Path(path), (piece.encode() for piece in pieces))

    def _contents(self, others: Sequence["VisualExplanation"], title: str) -> Contents:
        return Contents(self.image, [one.explanation for one in (self, *others)], title)

    def _png(self, index: int) -> bytes:
        buffer = io.BytesIO()
        self.overlay(index).save(buffer, "PNG")
        return buffer.getvalue()

    def __repr__(self) -> str:
        rows = ", ".join(
            f"{name} {logit:+.2f}" for name, logit in zip(self.findings, self.logits, strict=True)
        )
        grid = "×".join(map(str, self.values.shape[1:]))
        return f"<VisualExplanation {self.method} at {self.target_layer}, {grid} cells: {rows} (logits)>"

    def _repr_html_(self) -> str:
        """For notebooks: the strongest finding's overlay beside the table of all."""
        strongest = int(np.argmax(self.logits))
        rows = "".join(self._html_row(index) for index in np.argsort(-self.logits))
        source = f"data:image/png;base64,{b64encode(self._png(strongest)).decode()}"
        return (
            '<div style="display:flex;gap:1em;align-items:flex-start">'
            f'<img style="max-width:480px" src="{source}">'
            "<table><tr><th>Finding</th><th>Logit</th><th>For</th><th>Against</th><th>Residual</th></tr>"
            f"{rows}<caption>{NOTICE}</caption></table></div>"
        )

    def _html_row(self, index: int) -> str:
        saliency_map = self.explanation.saliency_map
        numbers = (
            saliency_map.logits[index],
            saliency_map.evidence_for(index),
            saliency_map.evidence_against(index),
            saliency_map.residual[index],
        )
        cells = "".join(f"<td>{number:+.2f}</td>" for number in numbers)
        return f"<tr><td>{html.escape(self.findings[index])}</td>{cells}</tr>"

    def to_json(self) -> dict[str, object]:
        """Everything but the values, as plain JSON types."""
        return to_json(self.explanation)
