"""What radiologists outlined when they flagged a map, as regions in which evidence must not lie."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from camlucida.errors import UnreadableFile
from camlucida.images.prepare import Prepared
from camlucida.records import Flag, FlagReason, Region
from camlucida.rendering.outline import NOT_HERE, flag_mask, outlined
from camlucida.rendering.upsample import resample

__all__ = ["NOT_HERE", "flag_mask", "on_input", "outlined", "read_flags"]

MOST_BYTES = 32 * 2**20
"""Of a file of flags."""


def on_input(mask: NDArray[np.bool_], prepared: Prepared) -> Tensor:
    """A mask on the pixel grid as the network's input has it: float32 (*size), the share of each pixel."""
    size = prepared.values.shape[1:]
    shares = resample(mask.astype(np.float32), prepared.input_to_pixel, size, antialias=True)
    return torch.from_numpy(shares)


def read_flags(path: Path) -> list[Flag]:
    """The flags of one explanation, as the station's `/explanations/{key}/flags` tells them.

    Raises
    ------
    UnreadableFile
        The file is no such answer, or larger than 32 MB.
    """
    if path.stat().st_size > MOST_BYTES:
        raise UnreadableFile(
            f"{path.name} is larger than {MOST_BYTES // 2**20} MB; an answer has one image's flags."
        )
    try:
        return [_flag(one) for one in json.loads(path.read_text("utf-8"))["flags"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableFile(
            f"{path.name} holds no flags; save what the station answers at /explanations/KEY/flags."
        ) from error


def _flag(said: dict[str, Any]) -> Flag:
    region = said.get("region")
    places = tuple((float(row), float(column)) for row, column in region["places"]) if region else ()
    where = Region(int(region["axis"]), int(region["at"]), places) if region else None
    return Flag(str(said["finding"]), FlagReason(said["reason"]), region=where)
