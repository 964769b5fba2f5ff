"""`camlucida layers`: one image, one method, every layer that could carry the maps."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import messages, options
from camlucida.cli.writing import whole
from camlucida.errors import InputError

if TYPE_CHECKING:
    from camlucida.records import Geometry, Image
    from camlucida.saliency.layers import LayerSweep

app = typer.Typer(add_completion=False)


@app.command(epilog="Example: camlucida layers chest.dcm --model phantom-radiograph --out layers.png")
def layers(
    path: Annotated[
        Path, typer.Argument(metavar="FILE|FOLDER", help="One image, or the folder of one series.")
    ],
    model: options.Model,
    method: options.Method = "grad-cam",
    variant: options.Variant = None,
    finding: Annotated[
        list[str] | None, typer.Option(help="A finding; may be given several times. Default: the strongest.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where the picture goes: one row of maps per layer.")
    ] = Path("layers.png"),
) -> None:
    """Compare target layers: one row of maps for each layer that could carry them, early to late.

    Early layers are fine and noisy, late layers coarse and semantic. Prints for each layer its grid, the size
    of a cell, the evidence for and against, and the share of the evidence that is not on the map.
    """
    from camlucida.models.load import load_model  # noqa: PLC0415 - `--help` must not load torch
    from camlucida.saliency.layers import sweep  # noqa: PLC0415

    loaded, image = load_model(model), _image(path)
    with messages.errors().status("Explaining by each layer …"):
        result = sweep(loaded, image, method=method, variant=variant, finding=finding or None)
        picture = result.picture(finding or None)
    last = result.rows[result.chosen]
    chosen = [last.index(one) for one in finding] if finding else [result.strongest]
    for index in chosen:
        messages.table(
            f"{path.name}: {last.explanation.provenance.model_name}, {last.method}, {last.findings[index]}",
            ("Layer", "Grid", "Cell", "For", "Against", "Not on\nthe map", "Half of it\nwithin"),
            _rows(result, index),
            right=4,
        )
    with whole(out) as unfinished:
        picture.save(unfinished, "PNG")
    messages.say(f"Kept in {out}.")
    messages.note(f"* is taken when no layer is named: {result.why}.")
    messages.note("Early layers are fine and noisy, late layers coarse and semantic.")
    messages.note(messages.NOTICE)


def _image(path: Path) -> "Image":
    from camlucida.images.read import find_images, read  # noqa: PLC0415

    found = find_images([path])
    if len(found) != 1:
        raise InputError(f"“{path}” holds {len(found)} images and series; `layers` takes one: name its file.")
    first: Image = next(iter(read(found[0])))
    return first


def _rows(result: "LayerSweep", index: int) -> Iterator[tuple[str, ...]]:
    """One row for each layer, early to late."""
    for number, row in enumerate(result.rows):
        saliency_map, trust = row.explanation.saliency_map, row.explanation.trust.findings[index]
        in_logits = saliency_map.unit == "logit"
        yield (
            f"{'* ' if number == result.chosen else '  '}{row.target_layer}",
            "×".join(map(str, saliency_map.geometry.native_shape)),
            _cell(row.explanation.saliency_map.geometry),
            f"{saliency_map.evidence_for(index):+.2f}" if in_logits else "–",
            f"{saliency_map.evidence_against(index):+.2f}" if in_logits else "–",
            f"{trust.residual_share:.0%}" if in_logits else "–",
            "–" if trust.focality is None else f"{trust.focality:.0%}",
        )


def _cell(geometry: "Geometry") -> str:
    sizes, unit = geometry.cell_size_mm(), "mm"
    if sizes is None:
        sizes, unit = geometry.cell_size_pixels(), "px"
    return f"{'×'.join(f'{size:.3g}' for size in sizes)} {unit}"
