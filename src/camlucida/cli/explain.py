"""`camlucida explain`: images on disk in; a table, maps with provenance, and overlays out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from camlucida.cli import messages, options
from camlucida.cli.trust_lines import say_statements, say_trust
from camlucida.errors import CamlucidaError

if TYPE_CHECKING:
    from camlucida.images.read import ImageFiles
    from camlucida.models.classifier import Classifier
    from camlucida.records import Image
    from camlucida.saliency.visual_explanation import VisualExplanation

app = typer.Typer(add_completion=False)

COLUMNS = ("Finding", "Reported", "Prob.", "Operating\npoint", "Logit", "For", "Against", "Bias", "Residual")


@app.command(epilog="Example: camlucida explain chest.dcm --model phantom-radiograph --out maps")
def explain(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="FILE|FOLDER…", help="DICOM, NIfTI, PNG or JPEG; folders are searched."),
    ],
    model: options.Model,
    method: options.Method = "grad-cam",
    variant: options.Variant = None,
    finding: Annotated[
        list[str] | None, typer.Option(help="Only this finding; may be given several times. Default: all.")
    ] = None,
    contrast: Annotated[
        str | None, typer.Option(help="Explain why the findings rather than this one.")
    ] = None,
    target_layer: Annotated[
        list[str] | None,
        typer.Option(help="Layer that carries the maps; several are fused by LayerCAM. Default: found."),
    ] = None,
    scalar: Annotated[
        bool, typer.Option("--scalar", help="The model's outputs are numbers, no findings (a regression).")
    ] = False,
    check: Annotated[
        list[str] | None,
        typer.Option(help="Check the maps: causal, stability, agreement or all; may be given several times."),
    ] = None,
    prior: Annotated[
        Path | None, typer.Option(help="The prior image: say how far the maps are from its maps.")
    ] = None,
    zones: Annotated[
        bool, typer.Option("--zones", help="Draw the body's outline, and count what lies outside it.")
    ] = False,
    runtime: Annotated[
        str | None,
        typer.Option(help="eager, onnxruntime, openvino, inductor or auto. Default: CAMLUCIDA_RUNTIME."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for maps, provenance and overlay PNGs.")
    ] = None,
) -> None:
    """Explain every finding of images on disk: a table, the maps, and overlays.

    Prints probability, operating point, and the evidence for and against each finding in logits. With
    --out, each image gets a folder: map.safetensors, explanation.json, and an overlay PNG per finding.
    A file that cannot be read or does not suit the model is named, and the others are done.
    """
    from camlucida.images.read import find_images  # noqa: PLC0415 - `--help` must not load torch
    from camlucida.models.card import Task  # noqa: PLC0415
    from camlucida.models.load import load_model  # noqa: PLC0415
    from camlucida.saliency.asked import choose_method  # noqa: PLC0415
    from camlucida.saliency.trust import asked  # noqa: PLC0415

    choose_method(method, variant)  # a wrong name is one line, not one for each file
    checks = asked(check or ())
    files = find_images(paths)
    question = {
        "method": method,
        "variant": variant,
        "finding": finding or None,
        "contrast": contrast,
        "target_layer": target_layer or None,
        "scalar": scalar,
        "runtime": runtime,
    }
    loaded = load_model(model)
    if scalar and loaded.card.task is not Task.REGRESSION:
        raise typer.BadParameter(
            f"{loaded.card.name} is a classification, whose logits are explained without it; --scalar is for "
            "regressions.",
            param_hint="--scalar",
        )
    run = _Run(loaded, question, out, zones=zones)
    if prior is not None:
        run.compare_with(prior)
    run.question["checks"] = checks
    with messages.progress() as progress:
        task = progress.add_task("Explaining", total=len(files))
        for one in files:
            run.explain_files(one, progress)
            progress.advance(task)
    run.conclude()


class _Run:
    """One call of the command: what was asked for, and what came of it."""

    def __init__(
        self, model: "Classifier", question: dict[str, Any], out: Path | None, *, zones: bool
    ) -> None:
        self.model, self.question, self.out, self.zones = model, question, out, zones
        self.done, self.failed = 0, 0
        self.names: set[str] = set()

    def compare_with(self, prior: Path) -> None:
        """Explain the prior image; every map is then held against its own."""
        from camlucida.images.read import read_image  # noqa: PLC0415
        from camlucida.saliency.explain import explain as explain_image  # noqa: PLC0415

        try:
            image = read_image(prior)
        except CamlucidaError as error:
            raise type(error)(f"The prior, {prior}: {error}") from error
        self.question["prior"] = explain_image(self.model, image, **self.question)

    def explain_files(self, files: "ImageFiles", progress: Progress) -> None:
        """Explain all images of one file or series; a fault is said, counted, and stops nothing."""
        from camlucida.images.read import read  # noqa: PLC0415

        try:
            for image in read(files):
                self._explain_image(files.name, image, progress)
                self.done += 1
        except (CamlucidaError, OSError, MemoryError) as error:
            self.failed += 1
            messages.complain(f"{files.name}: {error or type(error).__name__}")

    def conclude(self) -> None:
        """Say where the results are; end with exit code 1 if anything could not be done."""
        if self.out is not None and self.done:
            messages.say(
                f"Kept in {self.out}: maps, provenance and overlays of {messages.count(self.done, 'image')}."
            )
        if self.done:
            unit = "the unit of the model's output" if self.question["scalar"] else "logits"
            messages.note(f"Logit = For + Against + Bias + Residual, in {unit}.")
        messages.note(messages.NOTICE)
        if self.failed:
            messages.complain(
                f"{self.failed} of {messages.count(self.done + self.failed, 'input')} could not be explained."
            )
            raise typer.Exit(1)

    def _explain_image(self, name: str, image: "Image", progress: Progress) -> None:
        from camlucida.saliency.explain import explain as explain_image  # noqa: PLC0415

        task = progress.add_task(self.question["method"], total=None, visible=False)

        def step(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, visible=True)

        try:
            result = explain_image(self.model, image, **self.question, progress=step)
        finally:
            progress.remove_task(task)
        self._show(name, result)
        if self.out is not None:
            result.save(self.out, name=self._unused(result.name), zones=self.zones)

    def _show(self, name: str, result: "VisualExplanation") -> None:
        provenance = result.explanation.provenance
        frame = result.image.source.frame_number
        messages.table(
            f"{name}{f' (frame {frame})' if frame else ''}: {provenance.model_name} "
            f"{provenance.model_version}, {result.method} at {result.target_layer}",
            COLUMNS,
            _rows(result),
            right=7,
        )
        if result.explanation.saliency_map.contrasts:
            messages.note("  Logit is that of the finding less that of the other; the rest likewise.")
        if self.zones or self.question["checks"] or "prior" in self.question:
            say_trust(result)
        else:
            say_statements(result)
        if provenance.runtime != "eager" or provenance.runtime_reason:
            messages.note(f"  Computed in {provenance.runtime}. {provenance.runtime_reason}".rstrip())
        for remark in (*result.image.notes, *result.explanation.trust.cautions):
            messages.note(f"  Note: {remark}")

    def _unused(self, name: str) -> str:
        """The name, numbered where two inputs of one call have the same."""
        candidate, number = name, 1
        while candidate in self.names:
            number += 1
            candidate = f"{name}-{number}"
        self.names.add(candidate)
        return candidate


def _rows(result: "VisualExplanation") -> Iterator[tuple[str, ...]]:
    """One row per finding, strongest first."""
    saliency_map, prediction = result.explanation.saliency_map, result.explanation.prediction
    in_logits = saliency_map.unit == "logit"
    for index in sorted(range(len(saliency_map.findings)), key=lambda index: -saliency_map.logits[index]):
        whole = prediction.index(saliency_map.findings[index])
        operating_point = prediction.findings[whole].operating_point
        yield (
            saliency_map.label(index),
            {True: "yes", False: "no", None: "–"}[prediction.reported(whole)],
            f"{prediction.probabilities[whole]:.3f}",
            "–" if operating_point is None else f"{operating_point:.3f}",
            f"{saliency_map.logits[index]:+.2f}",
            f"{saliency_map.evidence_for(index):+.2f}" if in_logits else "–",
            f"{saliency_map.evidence_against(index):+.2f}" if in_logits else "–",
            f"{saliency_map.bias[index]:+.2f}" if in_logits else "–",
            f"{saliency_map.residual[index]:+.0e}" if in_logits else "–",
        )
