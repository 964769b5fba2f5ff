"""`camlucida shortcuts`: where does evidence lie that disease cannot explain?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from camlucida.cli import data_options, messages, options
from camlucida.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from camlucida.evaluation.shortcuts.looking import Shortcuts
    from camlucida.evaluation.shortcuts.zones import Zone

app = typer.Typer(add_completion=False)

REPORT = "shortcuts.html"


@app.command(epilog="Example: camlucida shortcuts --model my-model --data films.csv --out shortcuts")
def shortcuts(
    model: options.Model,
    data: data_options.Data,
    out: data_options.Out,
    finding: Annotated[
        list[str] | None,
        typer.Option(help="Look at this finding; may be given several times. Default: all."),
    ] = None,
    method: Annotated[str, typer.Option(help="Whose maps are summed up, clustered and shown.")] = "hirescam",
    zone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MASK.png",
            help="A zone of yours, white on black, stretched over every image; may be given several times.",
        ),
    ] = None,
    images: data_options.Images = None,
    annotations: data_options.Annotations = None,
    label_name: data_options.LabelNames = None,
    image_column: data_options.ImageColumn = "",
    label_column: data_options.LabelColumn = "",
    patient_column: data_options.PatientColumn = "",
    patient_pattern: data_options.PatientPattern = "",
    limit: data_options.Limit = None,
    seed: data_options.Seed = 0,
) -> None:
    """Find evidence from where the disease cannot be, over many images.

    Zones (outside the body, corners, letters, devices, shutters, masks of yours) are taken out of each image,
    and the network is asked again: what moves the logit between films is told, with a verdict for each
    finding. Beside it: the cases to look at first, clusters of maps, what else the features know, and the AUC
    without the body. A network that relies on a shortcut is a result, not an error: the exit code is 0 when
    the cases were looked at. What was computed is kept in the folder: a run that was ended goes on.
    """
    from camlucida.evaluation.data.observing import cohort as observed  # noqa: PLC0415 - `--help` must be fast
    from camlucida.evaluation.shortcuts.looking import look  # noqa: PLC0415
    from camlucida.evaluation.shortcuts.measuring import ZoneMeasuring  # noqa: PLC0415
    from camlucida.models.load import load_model  # noqa: PLC0415
    from camlucida.saliency.methods import find_method  # noqa: PLC0415

    data_options.refuse_unwritable(out)
    classifier = load_model(model)
    zones = _zones(zone or [])
    key = find_method(method)[0]
    names = [one.name for one in classifier.card.findings]
    wrong = next((name for name in finding or () if name not in names), None)
    if wrong is not None:
        raise InputError(f"This model has no finding “{wrong}”; it has: {', '.join(names)}.")
    columns = (image_column, label_column, patient_column, patient_pattern)
    dataset = data_options.read_cases(
        classifier.card, data, images, annotations, label_name, columns, limit, seed
    )
    with data_options.going_on(out) as kept, messages.progress() as progress:
        task = progress.add_task("Looking at cases", total=len(dataset.cases))
        cohort = observed(
            classifier,
            dataset.cases,
            [key],
            [ZoneMeasuring(key, zones)],
            progress=lambda done, whole: progress.update(task, completed=done, total=whole),
            kept_in=kept,
        )
    for refused in cohort.refused:
        messages.complain(f"{refused.case}: {refused.reason}")
    if not cohort.observed:
        raise InputError("Not one case could be used; the lines above say why.")
    found = look(cohort, zones, key, finding)
    _told(found)
    _written(found, data, out)
    messages.note(messages.NOTICE)


def _zones(given: list[str]) -> "Mapping[str, Zone]":
    from camlucida.evaluation.shortcuts.zones import ZONES, zone_of_mask  # noqa: PLC0415

    zones = dict(ZONES)
    for one in given:
        name, sign, mask = one.partition("=")
        if not sign:
            raise typer.BadParameter(f"“{one}” has no “=”; give NAME=MASK.png.", param_hint="--zone")
        zones[name.strip()] = zone_of_mask(name.strip(), Path(mask.strip()))
    return zones


def _told(found: "Shortcuts") -> None:
    from camlucida.evaluation.shortcuts.verdict import FALSE_ALARMS, NOT_DETECTABLE  # noqa: PLC0415
    from camlucida.evaluation.shortcuts.words import as_rows, lines  # noqa: PLC0415

    scores = [one.score for one in found.findings]
    title = f"{found.cohort.model}: {len(found.cohort.observed)} cases, scores in logits"
    messages.table(title, ("Finding", "Verdict", "Zone", "Score", "Reliant from"), as_rows(scores), right=2)
    for line in lines(found):
        messages.say(line)
    messages.note(f"  {NOT_DETECTABLE}")
    messages.note(f"  {FALSE_ALARMS}")


def _written(found: "Shortcuts", data: Path, out: Path) -> None:
    from camlucida.evaluation.report.page import write_page  # noqa: PLC0415
    from camlucida.evaluation.report.tables import REPORT as JSON  # noqa: PLC0415
    from camlucida.evaluation.report.tables import write_json, write_tables  # noqa: PLC0415
    from camlucida.evaluation.shortcuts.words import document  # noqa: PLC0415

    report, estimates = document(found, data.name), found.estimates()
    tables = write_tables(out, found.cohort, estimates)
    page = write_page(report, out / REPORT)
    write_json(out / JSON, report, found.cohort, estimates)  # the last: where it is, the others are
    messages.say(f"Kept in {out}: {', '.join(path.name for path in (page, *tables))}, {JSON}.")
