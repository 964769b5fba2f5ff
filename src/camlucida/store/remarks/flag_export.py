"""Flags as files for training: the outlined regions as masks, and tables of what was flagged; no patient.

masks.csv      image, finding and mask: what `camlucida evaluate --annotations` reads
masks/         PNG of an image, NIfTI of a volume that lies in a patient, NPZ (`mask`) of any other
flags.csv      a line for each flag, without what readers wrote freely and without their names
flags/         what `camlucida.training.read_flags` reads, a file for each image

Images are named by the beginning of their key, which says nothing outside of the station.
"""

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from camlucida.errors import StoreError
from camlucida.records import EventKind, FlagReason, ViewState
from camlucida.rendering.outline import NOT_HERE, flag_mask
from camlucida.store.audit import events
from camlucida.store.home import Home
from camlucida.store.remarks import flag_queue
from camlucida.store.remarks.flag_queue import Queued, Sought
from camlucida.store.remarks.flags import as_record
from camlucida.store.tables import ImageRow

SHOWN_OF_KEY = 16
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
MASKS = ("image", "finding", "mask", "reasons", "flags")
FLAGS = (
    *("flag", "image", "finding", "reason", "state", "outlined", "model", "method"),
    *("map_sha256", "pixels_sha256", "created"),
)
KEYS = ("image", "study", "series_instance_uid", "sop_instance_uids", "frame")


class Exported(NamedTuple):
    """What was written."""

    flags: int
    images: int
    masks: int


def export(
    home: Home, folder: Path, sought: Sought, who: str, reasons: Iterable[FlagReason] = NOT_HERE
) -> Exported:
    """Write flags and their masks into an empty folder; masks are made of outlines with these reasons.

    The trail is told before anything is written: what leaves is known to have left.

    Raises
    ------
    StoreError
        The folder is not empty, or no flag is meant.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StoreError(f"{folder} is not empty; name another folder with --to.")
    found = _all(home, sought)
    if not found:
        raise StoreError("No flag is meant by these filters; `camlucida flags list` shows what there is.")
    with home.database.write() as session:
        view: ViewState = {"what": "flags", "flags": len(found), "model": sought.model[:100]}
        events.note(session, EventKind.EXPORTED, who, view)
    for name in ("masks", "flags"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    groups = [list(group) for _, group in groupby(found, key=lambda one: one.flag.explanation.image.id)]
    masks = [line for group in groups for line in _of_image(folder, group, frozenset(reasons))]
    _write(folder / "flags.csv", FLAGS, (_line(one) for one in found))
    _write(folder / "masks.csv", MASKS, masks)
    return Exported(len(found), len(groups), len(masks))


def write_keys(home: Home, path: Path, sought: Sought) -> None:
    """Which image each name means: for whoever may know it, never beside the masks."""
    images = {one.flag.explanation.image.id: one.flag.explanation.image for one in _all(home, sought)}
    _write(path, KEYS, (_key(image) for image in images.values()))


def name_of(image: ImageRow) -> str:
    """What an image is called outside of the station."""
    return image.key[:SHOWN_OF_KEY]


def _all(home: Home, sought: Sought) -> list[Queued]:
    """By image, each oldest first."""
    with home.database.read() as session:
        found: list[Queued] = []
        while part := flag_queue.page(session, sought, before=found[-1].flag.id if found else None):
            found += part
    return sorted(found, key=lambda one: (one.flag.explanation.image.id, one.flag.id))


def _of_image(folder: Path, group: Sequence[Queued], reasons: frozenset[FlagReason]) -> Iterator[list[str]]:
    """Write the flags and masks of one image; the lines of its masks."""
    image = group[0].flag.explanation.image
    name, space = name_of(image), tuple(image.header["space"])
    flags = [as_record(one.flag) for one in group]
    told = [
        {"finding": one.finding, "reason": one.reason, "region": asdict(one.region) if one.region else None}
        for one in flags
    ]
    (folder / "flags" / f"{name}.json").write_text(json.dumps({"flags": told}, indent=1), encoding="utf-8")
    for number, finding in enumerate(sorted({one.finding for one in flags})):
        mask = flag_mask(flags, finding, space, reasons=reasons)
        if mask is None:
            continue
        file = _write_mask(folder / "masks" / f"{name}-{number}", mask, image)
        used = [
            one.flag
            for one in group
            if one.flag.finding == finding and one.flag.region and one.flag.reason in reasons
        ]
        yield [
            name,
            finding,
            f"masks/{file.name}",
            "|".join(sorted({one.reason for one in used})),
            "|".join(str(one.id) for one in used),
        ]


def _write_mask(path: Path, mask: NDArray[np.bool_], image: ImageRow) -> Path:
    if mask.ndim == 2:
        file = path.with_name(f"{path.name}.png")
        PIL.Image.fromarray(np.where(mask, np.uint8(255), np.uint8(0))).save(file, "PNG", optimize=True)
        return file
    to_patient = image.header["pixel_to_patient"]
    if to_patient is None:
        file = path.with_name(f"{path.name}.npz")
        np.savez_compressed(file, mask=mask)
        return file
    file = path.with_name(f"{path.name}.nii.gz")
    file.write_bytes(gzip.compress(_nifti(mask, np.asarray(to_patient)), mtime=0))
    return file


def _nifti(mask: NDArray[np.bool_], to_patient: NDArray[np.float64]) -> bytes:
    """(slice, row, column) as they are; the affine leads to the patient, in NIfTI's own directions (RAS)."""
    from nibabel import nifti1  # noqa: PLC0415 - 0.2 s, for volumes alone

    library: Any = nifti1  # it has no types
    made = library.Nifti1Image(mask.astype(np.uint8), LPS_TO_RAS @ to_patient)
    made.header.set_xyzt_units("mm")
    content: bytes = made.to_bytes()
    return content


def _line(queued: Queued) -> list[object]:
    row, explanation = queued.flag, queued.flag.explanation
    return [
        row.id,
        name_of(explanation.image),
        row.finding,
        row.reason,
        queued.state,
        int(row.region is not None),
        f"{explanation.model.name}@{explanation.model.version}",
        explanation.method,
        row.digest,
        explanation.image.pixel_digest,
        row.created.isoformat(timespec="seconds"),
    ]


def _key(image: ImageRow) -> list[object]:
    return [
        name_of(image),
        image.study.key,
        image.series_instance_uid,
        "|".join(image.source.get("sop_instance_uids", ())),
        "" if image.frame_number is None else image.frame_number,
    ]


def _write(path: Path, heading: Sequence[str], lines: Iterable[Sequence[object]]) -> None:
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    table.writerows([heading, *lines])
    path.write_text(written.getvalue(), encoding="utf-8")
