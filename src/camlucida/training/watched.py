"""What is kept of watched cases, epoch by epoch: logits and maps, from which every figure follows."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlucida.saliency.saving import replace_whole

MAPS, TABLE, RECORD = "maps.npz", "watch.csv", "watch.json"


@dataclass(frozen=True, slots=True, eq=False)
class Epoch:
    """After one epoch: logits (case, finding) and signed maps (case, finding, *grid), both float32."""

    number: int
    logits: NDArray[np.float32]
    maps: NDArray[np.float32]


@dataclass(slots=True, eq=False)
class Watched:
    """All epochs of the same cases and findings, in order.

    `zones` by name: how much of each cell lies in the zone, (case, *grid), 0..1. `unit` is that of a cell:
    "logit", or "relative" where the maps have none.
    """

    cases: tuple[str, ...]
    findings: tuple[str, ...]
    zones: Mapping[str, NDArray[np.float32]]
    method: str
    target_layer: str
    unit: str
    epochs: list[Epoch] = field(default_factory=list)

    def add(self, epoch: Epoch) -> None:
        """Keep an epoch; what was kept of it and of later ones is of a training that was taken back."""
        self.epochs = [*(one for one in self.epochs if one.number < epoch.number), epoch]

    def rows(self) -> list[dict[str, Any]]:
        """A row for each epoch, case and finding: the columns of the table.

        `for` and `against` are the sums of what supports the finding and of what argues against it; of each
        zone the share of the support that lies in it (None without support), and the signed sum in it.
        """
        return [
            self.row(epoch, case, finding)
            for epoch in self.epochs
            for case in range(len(self.cases))
            for finding in range(len(self.findings))
        ]

    def save(self, folder: Path) -> None:
        """Write maps.npz, watch.csv and watch.json into a folder, each whole or not at all."""
        rows = self.rows()
        replace_whole(folder / MAPS, [self._maps()])
        replace_whole(folder / TABLE, [_as_csv(rows).encode()])
        about = {
            "method": self.method,
            "target_layer": self.target_layer,
            "unit": self.unit,
            "cases": self.cases,
            "findings": self.findings,
            "zones": list(self.zones),
            "rows": rows,
        }
        replace_whole(folder / RECORD, [json.dumps(about, indent=1, ensure_ascii=False).encode()])

    def resume(self, folder: Path) -> None:
        """Take up the epochs of a training that was interrupted, if they are of these cases and findings."""
        try:
            with np.load(folder / MAPS, allow_pickle=False) as kept:
                names = tuple(kept["cases"].tolist()), tuple(kept["findings"].tolist())
                parts = list(zip(kept["epochs"].tolist(), kept["logits"], kept["maps"], strict=True))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # none yet, or damaged
            return
        if names == (self.cases, self.findings):
            self.epochs = [Epoch(*part) for part in parts]

    def row(self, epoch: Epoch, case: int, finding: int) -> dict[str, Any]:
        """The figures of one map, as in `rows`."""
        values = epoch.maps[case, finding].astype(np.float64)
        support = np.maximum(values, 0)
        row = {
            "epoch": epoch.number,
            "case": self.cases[case],
            "finding": self.findings[finding],
            "logit": _finite(epoch.logits[case, finding]),
            "for": _finite(support.sum()),
            "against": _finite(values.sum() - support.sum()),
        }
        for name, zone in self.zones.items():
            whole = float(support.sum())
            row[f"{name}: share"] = _finite((support * zone[case]).sum() / whole) if whole > 0 else None
            row[f"{name}: sum"] = _finite((values * zone[case]).sum())
        return row

    def _maps(self) -> bytes:
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            epochs=np.array([epoch.number for epoch in self.epochs]),
            logits=np.stack([epoch.logits for epoch in self.epochs]),
            maps=np.stack([epoch.maps for epoch in self.epochs]),
            cases=np.array(self.cases),
            findings=np.array(self.findings),
        )
        return buffer.getvalue()


def _finite(value: float | np.floating[Any]) -> float | None:
    """JSON knows no NaN: a network that has diverged has no figures."""
    return float(f"{value:.6g}") if np.isfinite(value) else None


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else [])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
