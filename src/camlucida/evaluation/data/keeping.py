"""One observed case as one small file, so that a run that was stopped goes on where it was.

safetensors with JSON in its header, compressed by zstd. The case itself is not in it: who it is of stays in
the user's table.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import zstandard
from safetensors import SafetensorError
from safetensors.numpy import load, save

from camlucida.evaluation.data.case import Case
from camlucida.evaluation.data.cohort import Observed
from camlucida.records import Measurement
from camlucida.records.encoding import map_from_json, map_to_json, prediction_from_json, prediction_to_json
from camlucida.saliency.saving import replace_whole

FORMAT = 1
MOST_BYTES = 512 * 2**20  # of one case, unpacked
ENDING = ".case"


def keep(observed: Observed, path: Path) -> None:
    """Write the case's file whole; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(path, [zstandard.ZstdCompressor(level=3).compress(encode(observed))])


def kept(path: Path, case: Case) -> Observed | None:
    """What was kept of this case; None where nothing was, or the file is damaged."""
    try:
        blob = path.read_bytes()
        if zstandard.frame_content_size(blob) > MOST_BYTES:
            return None
        return decode(zstandard.ZstdDecompressor().decompress(blob, max_output_size=MOST_BYTES), case)
    except FileNotFoundError:
        return None
    except (OSError, zstandard.ZstdError, SafetensorError, KeyError, TypeError, ValueError, RecursionError):
        return None


def encode(observed: Observed) -> bytes:
    """All but the case, uncompressed."""
    header = {
        "format": FORMAT,
        "prediction": prediction_to_json(observed.prediction),
        "maps": {key: map_to_json(one) for key, one in observed.maps.items()},
        "measurements": [_unnamed(asdict(one)) for one in observed.measurements],
        "slice_index": observed.slice_index,
        "notes": observed.notes,
    }
    arrays: dict[str, Any] = {
        f"map {key}": np.ascontiguousarray(one.values) for key, one in observed.maps.items()
    }
    arrays |= {"thumbnail": observed.thumbnail, "embedding": observed.embedding}
    return bytes(save(arrays, {"camlucida": json.dumps(header, sort_keys=True)}))


def _unnamed(row: dict[str, Any]) -> dict[str, Any]:
    """A file's name may be a patient's."""
    return {key: value for key, value in row.items() if key != "case"}


def decode(content: bytes, case: Case) -> Observed:
    """What `encode` was given; raises what the parts raise."""
    length = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["camlucida"])
    if header["format"] != FORMAT:
        raise ValueError(f"format {header['format']} is not {FORMAT}")
    arrays = load(content)
    return Observed(
        case=case,
        prediction=prediction_from_json(header["prediction"]),
        maps={key: map_from_json(one, arrays[f"map {key}"]) for key, one in header["maps"].items()},
        measurements=tuple(Measurement(**one | {"case": case.name}) for one in header["measurements"]),
        thumbnail=arrays["thumbnail"],
        embedding=arrays["embedding"],
        slice_index=header["slice_index"],
        notes=tuple(header["notes"]),
    )
