"""Options of the commands that write copies without identity, said once."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from camlucida.dicom.deidentifying.deidentify import Sharing
from camlucida.dicom.deidentifying.profile import Retained
from camlucida.dicom.deidentifying.pseudonyms import Key, read_key


class Kept(StrEnum):
    """What may be retained beyond the basic profile (PS3.15 E.3)."""

    MODIFIED_DATES = "modified-dates"
    PATIENT_CHARACTERISTICS = "patient-characteristics"
    DEVICE_IDENTITY = "device-identity"


Retain = Annotated[
    list[Kept] | None,
    typer.Option(
        "--retain",
        help="Keep what the basic profile removes: `modified-dates` (moved by as many days for all of a "
        "patient), `patient-characteristics` (age, sex, size, weight …), `device-identity`; may be given "
        "several times.",
        show_default=False,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key",
        help="File with the secret that pseudonyms follow from, made if it is not there: with it a later run "
        "replaces the same by the same. By default a secret that nobody keeps.",
        show_default=False,
    ),
]
PixelsChecked = Annotated[
    bool,
    typer.Option(
        "--pixels-checked", help="I have looked: no image that is refused for its pixels shows a name."
    ),
]


def sharing_of(retain: Sequence[Kept] | None, key: Path | None, *, pixels_checked: bool) -> Sharing:
    """What the options say.

    Raises
    ------
    InputError
        The key file is no key, or others may read it.
    """
    kept = set(retain or ())
    retained = Retained(
        modified_dates=Kept.MODIFIED_DATES in kept,
        patient_characteristics=Kept.PATIENT_CHARACTERISTICS in kept,
        device_identity=Kept.DEVICE_IDENTITY in kept,
    )
    return Sharing(Key() if key is None else read_key(key), retained, pixels_checked)
