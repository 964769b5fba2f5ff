"""`camlucida compare`: methods side by side on a model and one's own images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import data_options, messages, options
from camlucida.cli.writing import whole

if TYPE_CHECKING:
    from camlucida.evaluation.comparison import Comparison

app = typer.Typer(add_completion=False)

REPORT, SHEET, PROOF = "compare.html", "sheet.png", "proof.json"
NARROW = (0, 1, 2, 3, 4, 6, 8, 9, 11)
"""The columns that a terminal has room for; the report has all."""
CASES = 12
"""Cases, if nothing is said: a method that asks the network 500 times takes seconds for each."""


@app.command(epilog="Example: camlucida compare --model my-model --data films.csv --out methods")
def compare(
    model: options.Model,
    data: data_options.Data,
    out: data_options.Out,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Methods to compare; may be given several times. Default: twelve, Grad-CAM to occlusion."
        ),
    ] = None,
    images: data_options.Images = None,
    annotations: data_options.Annotations = None,
    label_name: data_options.LabelNames = None,
    image_column: data_options.ImageColumn = "",
    label_column: data_options.LabelColumn = "",
    patient_column: data_options.PatientColumn = "",
    patient_pattern: data_options.PatientPattern = "",
    limit: Annotated[
        int, typer.Option(min=1, help="At most so many cases, drawn without looking at labels.")
    ] = CASES,
    sanity: Annotated[
        bool, typer.Option(help="Randomise the weights as well, and look whether maps change.")
    ] = True,
    seed: data_options.Seed = 0,
) -> None:
    """Compare methods on your model and images: what their maps cost, and what they are worth.

    Time, passes and memory are measured side by side with plain inference. Then: whether maps hang together,
    whether they lie inside what readers marked, whether the network's answers bear them out, and whether they
    change when the network forgets what it learnt; with the same cases by every method as a picture. What was
    computed is kept in the folder: a run that was ended goes on. A method that fails is a result: the exit
    code is 0 when methods were compared.
    """
    from camlucida.evaluation.comparison import METHODS  # noqa: PLC0415 - `--help` must be fast
    from camlucida.evaluation.comparison import compare as compared  # noqa: PLC0415
    from camlucida.models.load import load_model  # noqa: PLC0415

    data_options.refuse_unwritable(out)
    classifier = load_model(model)
    columns = (image_column, label_column, patient_column, patient_pattern)
    dataset = data_options.read_cases(
        classifier.card, data, images, annotations, label_name, columns, limit, seed
    )
    with data_options.going_on(out) as kept, messages.progress() as progress:
        task = progress.add_task("Timing methods", total=None)
        found = compared(
            classifier,
            dataset.cases,
            method or METHODS,
            sanity=sanity,
            seed=seed,
            progress=lambda stage, done, total: progress.update(
                task, description=stage, completed=done, total=total
            ),
            kept_in=kept,
        )
    _told(found)
    _written(found, data, out)
    messages.note(messages.NOTICE)


def _told(found: "Comparison") -> None:
    from camlucida.evaluation.comparison.words import table, verdicts  # noqa: PLC0415
    from camlucida.records.method_name import spelling  # noqa: PLC0415

    for refused in found.cohort.refused:
        messages.complain(f"{refused.case}: {refused.reason}")
    for one in found.costs:
        if one.error:
            messages.note(f"  {spelling(one.method)}: {one.error}")
    shown = table(found)
    messages.table(
        f"{found.cohort.model}: {shown.caption[0].lower()}{shown.caption[1:]}",
        [shown.columns[place] for place in NARROW],
        [[row[place] for place in NARROW] for row in shown.rows],
        right=len(NARROW) - 2,
    )
    for verdict in verdicts(found):
        messages.say(f"{verdict.title}. {verdict.why}")


def _written(found: "Comparison", data: Path, out: Path) -> None:
    from camlucida.evaluation.comparison.contact_sheet import contact_sheet  # noqa: PLC0415
    from camlucida.evaluation.comparison.words import document  # noqa: PLC0415
    from camlucida.evaluation.report.page import write_page  # noqa: PLC0415
    from camlucida.evaluation.report.tables import REPORT as JSON  # noqa: PLC0415
    from camlucida.evaluation.report.tables import write_json, write_tables  # noqa: PLC0415
    from camlucida.evaluation.sanity.words import as_json  # noqa: PLC0415

    report = document(found, data.name)
    names = [path.name for path in write_tables(out, found.cohort, found.estimates)]
    names.append(write_page(report, out / REPORT).name)
    sheet = contact_sheet(found.cohort.observed, found.methods)
    if sheet is not None:
        with whole(out / SHEET) as unfinished:
            sheet.save(unfinished, "PNG")
        names.append(SHEET)
    if found.sanity is not None:
        proof = json.dumps(as_json(found.sanity, found.cohort.model, found.cohort.digest), indent=1)
        with whole(out / PROOF) as unfinished:
            unfinished.write_text(f"{proof}\n", "utf-8")
        names.append(PROOF)
    write_json(out / JSON, report, found.cohort, found.estimates)  # the last: where it is, the others are
    messages.say(f"Kept in {out}: {', '.join([*names, JSON])}.")
