"""`camlucida certify-repair`: is a repaired model really repaired?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import data_options, messages
from camlucida.cli.writing import whole
from camlucida.errors import InputError
from camlucida.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from camlucida.evaluation.certification import Certificate
    from camlucida.evaluation.certification.counterfactual import Twin
    from camlucida.evaluation.data.case import Case
    from camlucida.evaluation.data.cohort import Refused
    from camlucida.evaluation.report.document import Picture
    from camlucida.images.artefact import Artefact
    from camlucida.models.classifier import Classifier

app = typer.Typer(add_completion=False)

YES = {"1", "1.0", "yes", "true", "y", "ja", "oui", "present"}
PICTURES = 3  # cases of which the maps are shown


@app.command(name="certify-repair")
def certify_repair(
    before: Annotated[str, typer.Argument(help="The model that relies on the artefact: a name or a folder.")],
    after: Annotated[str, typer.Argument(help="The model that is said to be repaired.")],
    data: data_options.Data,
    artefact: Annotated[
        Path,
        typer.Option(
            help="The artefact: a PNG laid over the whole image, transparent where there is none. Without "
            "transparency it says only where the artefact lies; it is then taken out, not pasted."
        ),
    ],
    out: data_options.Out = Path("certificate"),
    finding: Annotated[
        str, typer.Option(help="The finding that the artefact stands for.", show_default="the only one")
    ] = "",
    column: Annotated[
        str,
        typer.Option(
            help="Column that says which images carry the artefact (1 or yes). Default: none does, or all "
            "where it can only be taken out.",
            show_default=False,
        ),
    ] = "",
    images: data_options.Images = None,
    annotations: data_options.Annotations = None,
    label_name: data_options.LabelNames = None,
    image_column: data_options.ImageColumn = "",
    label_column: data_options.LabelColumn = "",
    patient_column: data_options.PatientColumn = "",
    patient_pattern: data_options.PatientPattern = "",
    method: Annotated[str, typer.Option(help="Whose maps are shown and held against marks.")] = "grad-cam",
    limit: data_options.Limit = None,
    seed: data_options.Seed = 0,
) -> None:
    """Certify or reject a repair: does the artefact still move the logit?

    Every image is shown to both models without the artefact and with it. The repair is certified if at most
    20 % of the artefact's effect is left, the worst of four groups fares better, AUC on images without the
    artefact falls by 0.01 at most, and the evidence lies inside readers' marks as before: each by its 95 %
    interval. What a heatmap shows passes nobody. Exit code: 0 certified, 3 rejected, 4 undecided.
    """
    from camlucida.evaluation.certification import certify  # noqa: PLC0415 - `--help` must not load torch
    from camlucida.evaluation.data.cohort import Refused  # noqa: PLC0415
    from camlucida.images.artefact import read_artefact  # noqa: PLC0415
    from camlucida.models.load import load_model  # noqa: PLC0415

    data_options.refuse_unwritable(out)
    models = load_model(before), load_model(after)
    patch = read_artefact(artefact)
    asked = _finding(models, finding)
    columns = (image_column, label_column, patient_column, patient_pattern)
    dataset = data_options.read_cases(
        models[0].card, data, images, annotations, label_name, columns, limit, seed
    )
    carrying = _carrying(dataset.cases, column, only_removed=patch.brightness is None)
    cases = _usable(dataset.cases, carrying, patch)
    seen = _seen(models, cases, patch, asked, carrying, method)
    refused = [one for one in seen if isinstance(one, Refused)]
    for one in refused:
        messages.complain(f"{one.case}: {one.reason}")
    certificate = certify([one for one in seen if not isinstance(one, Refused)], seed=seed)
    _told(certificate, patch, asked)
    facts = _facts(models, data, patch, asked, certificate)
    pictures = list(_pictures(models, cases, seen, patch, asked, method))
    _written(certificate, facts, patch, asked, pictures, refused, out)
    messages.note(messages.NOTICE)
    raise typer.Exit({"certified": 0, "rejected": 3, "undecided": 4}[certificate.verdict])


def _seen(
    models: "tuple[Classifier, Classifier]",
    cases: "Sequence[Case]",
    artefact: "Artefact",
    finding: str,
    carrying: set[str],
    method: str,
) -> "list[Twin | Refused]":
    """Every case without the artefact and with it, by both models."""
    from camlucida.evaluation.certification.counterfactual import twins  # noqa: PLC0415

    with messages.progress() as progress:
        task = progress.add_task("Comparing", total=None)
        pairs = twins(
            *models,
            cases,
            artefact,
            finding,
            lambda case: case.name in carrying,
            method=method,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
        return list(pairs)


def _told(certificate: "Certificate", artefact: "Artefact", finding: str) -> None:
    from camlucida.evaluation.certification.words import (  # noqa: PLC0415
        COLUMNS,
        TITLES,
        points_in_words,
        reasons,
        rows,
    )

    messages.table(f"Repair of {artefact.name} for {finding}", COLUMNS, rows(certificate), right=4)
    messages.say(f"{TITLES[certificate.verdict]}. {reasons(certificate)}")
    messages.say(points_in_words(certificate))


def _written(
    certificate: "Certificate",
    facts: list[tuple[str, str]],
    artefact: "Artefact",
    finding: str,
    pictures: "list[Picture]",
    refused: "list[Refused]",
    out: Path,
) -> None:
    from camlucida.evaluation.certification.words import as_json, document  # noqa: PLC0415
    from camlucida.evaluation.report.page import write_page  # noqa: PLC0415

    report = document(certificate, facts, finding, artefact.name, pictures, refused)
    write_page(report, out / "certificate.html")
    with whole(out / "certificate.json") as unfinished:
        unfinished.write_text(f"{json.dumps(as_json(certificate), indent=1, allow_nan=False)}\n", "utf-8")
    messages.say(f"Kept in {out}: certificate.html, certificate.json.")


def _facts(
    models: "tuple[Classifier, Classifier]",
    data: Path,
    artefact: "Artefact",
    finding: str,
    certificate: "Certificate",
) -> list[tuple[str, str]]:
    told = [
        (when, f"{model.card.name}@{model.card.version}, digest {model.digest[:12]}")
        for when, model in zip(("Before", "After"), models, strict=True)
    ]
    cases = messages.count(certificate.cases, "case")
    return [
        *told,
        ("Data", f"{data.name}: {cases} of {messages.count(certificate.patients, 'patient')}"),
        ("Finding", finding),
        ("Artefact", f"{artefact.name}, on {certificate.carrying} of the images as they are"),
        ("camlucida", __version__),
    ]


def _finding(models: "tuple[Classifier, Classifier]", asked: str) -> str:
    """The finding's name in both models."""
    names = [{one.name.casefold(): one.name for one in model.card.findings} for model in models]
    common = [name for key, name in names[0].items() if key in names[1]]
    if not asked and len(common) == 1:
        return common[0]
    if asked.casefold() in {name.casefold() for name in common}:
        return names[0][asked.casefold()]
    if not common:
        old, new = (", ".join(one.values()) for one in names)
        raise InputError(
            f"The models have no finding in common: before {old}; after {new}. Give the repaired version of "
            "the same model."
        )
    said = f"“{asked}” is none of them" if asked else "say which one with --finding"
    raise InputError(f"Both models have the findings {', '.join(common)}; {said}.")


def _carrying(cases: "Sequence[Case]", column: str, *, only_removed: bool) -> set[str]:
    """Names of the cases whose image carries the artefact."""
    if not column:
        return {case.name for case in cases} if only_removed else set()
    if not any(column in case.columns for case in cases):
        known = sorted({name for case in cases for name in case.columns})
        raise InputError(f"The data have no column “{column}”; they have: {', '.join(known) or 'none'}.")
    return {case.name for case in cases if case.columns.get(column, "").strip().casefold() in YES}


def _usable(cases: "Sequence[Case]", carrying: set[str], artefact: "Artefact") -> "list[Case]":
    """Where the artefact can only be taken out, the cases that carry it."""
    if artefact.brightness is not None:
        return list(cases)
    left = [case for case in cases if case.name in carrying]
    messages.note(
        f"  The artefact can only be taken out: {messages.count(len(left), 'image')} of {len(cases)} are "
        "used, those that carry it. A PNG with transparency can be pasted into the others too."
    )
    return left


def _pictures(
    models: "tuple[Classifier, Classifier]",
    cases: "Sequence[Case]",
    seen: "Sequence[Twin | Refused]",
    artefact: "Artefact",
    finding: str,
    method: str,
) -> "Iterator[Picture]":
    """The images without the finding on which the artefact does most: both models' maps, both versions."""
    from camlucida.evaluation.certification.counterfactual import Twin  # noqa: PLC0415
    from camlucida.evaluation.certification.words import version_pictures  # noqa: PLC0415

    twins = [one for one in seen if isinstance(one, Twin) and not one.present]
    most = sorted(twins, key=lambda twin: -twin.before.effect)[:PICTURES]
    by_name = {case.name: case for case in cases}
    for twin in most:
        yield from version_pictures(
            models, by_name[twin.case], artefact, finding, method, carries=twin.carries
        )
