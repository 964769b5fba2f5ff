"""`camlucida prove`: the randomisation test of methods on a model."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import messages
from camlucida.cli.writing import whole
from camlucida.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from camlucida.evaluation.sanity import SanityReport
    from camlucida.models.card import ModelCard
    from camlucida.models.classifier import Classifier
    from camlucida.records import Image

app = typer.Typer(add_completion=False)

METHODS = ("grad-cam", "hirescam", "grad-cam++", "xgrad-cam", "layercam")
EXAMPLES = 6  # phantoms, where no images are given
MOST_IMAGES = 32  # maps of all steps are held
FEW_IMAGES = 16  # below which other images may well turn the verdict


@app.command(epilog="Example: camlucida prove phantom-radiograph --out proof")
def prove(
    model: Annotated[str, typer.Argument(help="A registered or shipped model, or a model's folder.")],
    images: Annotated[
        list[Path] | None,
        typer.Option(help="Images to test on: files or folders. Default: phantoms that camlucida draws."),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help=f"Methods to test; may be given several times. Default: {', '.join(METHODS)}."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the random weights and pairs.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for proof.json, proof.md and cascade.png.")
    ] = None,
) -> None:
    """Prove the head on images, and test whether methods' maps depend on what the model has learnt.

    The head's proof says how far maps are from adding up to the logit. In the test the weights are randomised
    layer by layer from the head downwards, and each method's maps are compared with those of the trained
    model, by SSIM and rank correlation. The model is afterwards as it was. A method that fails is a result,
    not an error: the exit code is 0 when the test was done.
    """
    from camlucida.evaluation.sanity import randomisation_test  # noqa: PLC0415 - `--help` must not load torch
    from camlucida.evaluation.sanity.words import COLUMNS, head_in_words, rows  # noqa: PLC0415
    from camlucida.models.load import load_model  # noqa: PLC0415
    from camlucida.saliency.known_networks import admitted  # noqa: PLC0415
    from camlucida.saliency.subject import of_classifier  # noqa: PLC0415

    classifier = load_model(model)
    network = admitted(classifier.module)
    found = _read(images) if images else _examples(classifier.card)
    subjects = [
        of_classifier(classifier, network, [image], None, scalar=True) for image in _suited(classifier, found)
    ]
    with messages.progress() as progress:
        task = progress.add_task("Randomising", total=None)
        report = randomisation_test(
            subjects,
            method or METHODS,
            seed,
            lambda done, whole: progress.update(task, completed=done, total=whole),
        )
    key = f"{classifier.card.name}@{classifier.card.version}"
    messages.table(
        f"{key}: {report.images} images, SSIM and rank correlation", COLUMNS, rows(report), right=5
    )
    messages.say(head_in_words(report))
    for one in report.methods:
        messages.say(f"{one.method}: {one.verdict}.")
    if report.images < FEW_IMAGES:
        messages.note(
            f"  On {report.images} images only: other images may turn a close verdict. --images takes yours."
        )
    if out is not None:
        _keep(report, key, classifier.digest, out)
    messages.note(messages.NOTICE)


def _keep(report: "SanityReport", key: str, digest: str, out: Path) -> None:
    from camlucida.evaluation.sanity.film_strip import film_strip  # noqa: PLC0415
    from camlucida.evaluation.sanity.words import as_json, as_markdown  # noqa: PLC0415

    out.mkdir(parents=True, exist_ok=True)
    content = json.dumps(as_json(report, key, digest), indent=1, ensure_ascii=False)
    with whole(out / "cascade.png") as unfinished:
        film_strip(report).save(unfinished, "PNG")
    with whole(out / "proof.md") as unfinished:
        unfinished.write_text(as_markdown(report, key), "utf-8")
    with whole(out / "proof.json") as unfinished:  # the last: where it is, the others are
        unfinished.write_text(f"{content}\n", "utf-8")
    messages.say(f"Kept in {out}: proof.json, proof.md, cascade.png.")


def _suited(classifier: "Classifier", found: "Iterator[tuple[str, Image]]") -> "Iterator[Image]":
    """The images that the model takes, 32 at most; what it does not take is told."""
    taken = 0
    for name, image in found:
        if taken == MOST_IMAGES:
            messages.note(f"  The first {MOST_IMAGES} images are taken.")
            return
        try:
            classifier.prepare(image)
        except InputError as error:
            messages.complain(f"{name}: {error}")
            continue
        taken += 1
        yield image


def _read(paths: list[Path]) -> "Iterator[tuple[str, Image]]":
    from camlucida.images.read import find_images, read  # noqa: PLC0415

    for files in find_images(paths):
        try:
            for image in read(files):
                yield files.name, image
        except (InputError, OSError) as error:
            messages.complain(f"{files.name}: {error}")


def _examples(card: "ModelCard") -> "Iterator[tuple[str, Image]]":
    """Phantoms of as many axes as the model takes; of no modality, so that every model takes them."""
    from camlucida.examples.phantom.lesions import FINDINGS  # noqa: PLC0415
    from camlucida.examples.phantom.radiograph import radiograph  # noqa: PLC0415
    from camlucida.examples.phantom.volume import CT_FINDINGS, ct_volume  # noqa: PLC0415
    from camlucida.records import Image  # noqa: PLC0415

    for seed in range(EXAMPLES):
        if card.preparation.space == 3:
            ct = ct_volume(seed, [CT_FINDINGS[seed % len(CT_FINDINGS)]], slices=48, rows=128)
            yield f"phantom {seed}", Image(ct.values, bits_stored=16, spacing=ct.spacing, unit="HU")
            continue
        film = radiograph(seed, [FINDINGS[seed % len(FINDINGS)]], rows=512)
        yield f"phantom {seed}", Image(film.values, bits_stored=12, spacing=(film.spacing, film.spacing))
