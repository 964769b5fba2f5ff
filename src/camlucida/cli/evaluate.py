"""`camlucida evaluate`: a model on the user's cases, as one report and its tables."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import data_options, messages, options

if TYPE_CHECKING:
    from camlucida.evaluation.data.observing import Progress
    from camlucida.evaluation.evaluation import Evaluation, Plan
    from camlucida.evaluation.measures import Topic
    from camlucida.evaluation.report.document import Document

app = typer.Typer(add_completion=False)

PARTS = "classification, localisation, faithfulness, sanity, robustness"


@app.command(epilog="Example: camlucida evaluate --model paediatric-pneumonia --data films/ --out evaluation")
def evaluate(
    model: options.Model,
    data: data_options.Data,
    images: data_options.Images = None,
    annotations: data_options.Annotations = None,
    label_name: data_options.LabelNames = None,
    image_column: data_options.ImageColumn = "",
    label_column: data_options.LabelColumn = "",
    patient_column: data_options.PatientColumn = "",
    patient_pattern: data_options.PatientPattern = "",
    method: Annotated[
        list[str] | None,
        typer.Option(help="Method of the maps; may be given several times. Default: Grad-CAM."),
    ] = None,
    subgroup: Annotated[
        list[str] | None,
        typer.Option(
            help="Column by which subgroups are made; may be given several times. Default: age, sex, view, "
            "scanner and site, where they are there.",
            show_default=False,
        ),
    ] = None,
    only: Annotated[
        str, typer.Option(help=f"Parts, separated by commas: {PARTS}.", show_default="all")
    ] = PARTS,
    limit: data_options.Limit = None,
    sample: Annotated[
        int, typer.Option(min=0, help="Cases for what is dear: faithfulness, robustness, randomisation.")
    ] = 32,
    seed: data_options.Seed = 0,
    runtime: Annotated[
        str | None,
        typer.Option(help="eager, onnxruntime, openvino, inductor or auto. Default: CAMLUCIDA_RUNTIME."),
    ] = None,
    out: data_options.Out = Path("evaluation"),
) -> None:
    """Evaluate a model on your cases: what it says, where its evidence lies, and whom it serves less well.

    Writes report.html, whose first page says whether the model may be used on images like these; report.json;
    and cases, measurements and estimates as Parquet tables. A run that was stopped goes on where it was when
    it is called again; a case that cannot be used is told, and the others go on.
    """
    from camlucida.evaluation.evaluation import Plan  # noqa: PLC0415 - `--help` must not load torch
    from camlucida.evaluation.evaluation import evaluate as evaluate_model  # noqa: PLC0415
    from camlucida.evaluation.words import as_document  # noqa: PLC0415
    from camlucida.models.load import load_model  # noqa: PLC0415

    plan = Plan(
        methods=tuple(method or ("grad-cam",)),
        parts=_parts(only),
        subgroups=None if subgroup is None else tuple(subgroup),
        sample=sample,
        seed=seed,
        runtime=runtime,
    )
    data_options.refuse_unwritable(out)
    classifier = load_model(model)
    columns = (image_column, label_column, patient_column, patient_pattern)
    cases = data_options.read_cases(
        classifier.card, data, images, annotations, label_name, columns, limit, seed
    )
    with data_options.going_on(out) as kept, messages.progress() as progress:

        def stage(name: str) -> "Progress":
            task = progress.add_task(name, total=None)
            return lambda done, whole: progress.update(task, completed=done, total=whole)

        found = evaluate_model(classifier, cases, plan, stage=stage, kept_in=kept)
    for one in found.cohort.refused:
        messages.complain(f"{one.case}: {one.reason}")
    document = as_document(found, classifier, cases, data.name, f"{datetime.now(UTC):%Y-%m-%d}")
    _keep(found, document, found.plan, out)
    _say(found, document, out)


def _parts(only: str) -> "tuple[Topic, ...]":
    from camlucida.evaluation.evaluation import PARTS as KNOWN  # noqa: PLC0415

    asked = [name.strip().casefold() for name in only.split(",") if name.strip()]
    unknown = next((name for name in asked if name not in set(KNOWN)), None)
    if unknown is not None or not asked:
        raise typer.BadParameter(f"“{unknown or only}” is no part; there are: {PARTS}.", param_hint="--only")
    return tuple(part for part in KNOWN if part in asked)


def _keep(found: "Evaluation", document: "Document", plan: "Plan", out: Path) -> None:
    from camlucida.evaluation.report.page import write_page  # noqa: PLC0415
    from camlucida.evaluation.report.tables import write_json, write_tables  # noqa: PLC0415

    write_tables(out, found.cohort, found.estimates, plan.subgroups or ())
    write_json(out / "report.json", document, found.cohort, found.estimates)
    write_page(document, out / "report.html")  # the last: where it is, the others are


def _say(found: "Evaluation", document: "Document", out: Path) -> None:
    """The verdicts, and a line for each finding."""
    for verdict in document.verdicts:
        messages.say(f"{verdict.title}. {verdict.why}")
    messages.table(
        f"{found.cohort.model}: {messages.count(len(found.cohort.observed), 'case')}",
        ("Finding", "Cases", "With it", "AUC", "Sensitivity", "Specificity"),
        [
            (
                one.answers.finding,
                len(one.answers.present),
                int(one.answers.present.sum()),
                *(
                    one.estimates[key].text() if key in one.estimates else "–"
                    for key in (
                        "classification.auc",
                        "classification.sensitivity",
                        "classification.specificity",
                    )
                ),
            )
            for one in found.findings
        ],
        right=5,
    )
    messages.say(
        f"Kept in {out}: report.html, report.json, and cases, measurements and estimates as Parquet."
    )
    messages.note(messages.NOTICE)
