"""Measure the shipped models and print the tables of their cards: `python scripts/measure_models.py`.

Phantoms are drawn afresh, from numbers that no training set reaches. The real radiographs are needed for
paediatric-pneumonia (`--data`). With `--write` the tables go into the README.md of each model's folder.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from fitting import logits_of, progress, shipped
from kermany import read_films, validation_part
from numpy.typing import NDArray
from phantom_sets import HELD_OUT, film_image, film_of, volume_image, volume_of
from scipy.special import expit
from scipy.stats import rankdata

from camlucida.images.prepare import prepare
from camlucida.models.classifier import Classifier
from camlucida.models.load import load_model
from camlucida.records import FileFormat, Geometry, Image, Source
from camlucida.saliency.explain import explain

Numbers = NDArray[np.float64]
Table = list[Sequence[str]]
MODELS = ("phantom-radiograph", "phantom-ct-nodule", "paediatric-pneumonia")
_PLACE = re.compile(r"(?<=<!-- measured -->\n).*(?=<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Located:
    """For true positives of one finding: how far the map's centroid lies from it, in native cells."""

    cells: list[float]

    def __str__(self) -> str:
        """The share within one cell."""
        near = sum(distance <= 1 for distance in self.cells)
        return f"{near} of {len(self.cells)} ({near / max(len(self.cells), 1):.1%})"


def auc(labels: Numbers, scores: Numbers) -> float:
    """Area under the ROC curve, by ranks (Mann-Whitney)."""
    positives = int(labels.sum())
    ranks = rankdata(scores)
    above = ranks[labels == 1].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(labels) - positives)))


def sensitivity(labels: Numbers, reported: Numbers) -> float:
    """Share of the present that is reported."""
    return float(reported[labels == 1].mean())


def specificity(labels: Numbers, reported: Numbers) -> float:
    """Share of the absent that is not reported."""
    return float(1 - reported[labels == 0].mean())


def calibration_error(labels: Numbers, probabilities: Numbers) -> float:
    """Expected calibration error over ten equal bins of probability (Guo et al., ICML 2017, eq. 3)."""
    bins = np.minimum((probabilities * 10).astype(int), 9)
    gaps = [
        abs(probabilities[bins == b].mean() - labels[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    return float(sum(gaps))


def interval(
    figure: Callable[[Numbers, Numbers], float], labels: Numbers, values: Numbers, patients: NDArray[np.str_]
) -> str:
    """The figure with its 95 % interval from 1,000 resamples of patients (percentile bootstrap)."""
    rng = np.random.default_rng(0)
    names, member = np.unique(patients, return_inverse=True)
    films = [np.flatnonzero(member == index) for index in range(len(names))]
    drawn: list[float] = []
    while len(drawn) < 1000:
        chosen = np.concatenate([films[index] for index in rng.integers(len(names), size=len(names))])
        if 0 < labels[chosen].sum() < len(chosen):
            drawn.append(figure(labels[chosen], values[chosen]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{figure(labels, values):.3f} ({low:.3f} to {high:.3f})"


def scores(labels: Numbers, probabilities: Numbers, point: float, patients: NDArray[np.str_]) -> list[str]:
    """AUC, sensitivity and specificity with intervals, and the calibration error."""
    reported = (probabilities >= point).astype(float)
    return [
        interval(auc, labels, probabilities, patients),
        interval(sensitivity, labels, reported, patients),
        interval(specificity, labels, reported, patients),
        f"{calibration_error(labels, probabilities):.3f}",
    ]


def cells_away(values: NDArray[np.float32], geometry: Geometry, mask: NDArray[np.bool_]) -> float:
    """From the centroid of the supporting evidence to the nearest pixel of the finding, in native cells.

    Distances count along the axis where they are largest; without supporting evidence it is infinite.
    """
    weights = np.maximum(values, 0).astype(np.float64)
    if not weights.any():
        return float("inf")
    cells = np.stack(np.meshgrid(*[np.arange(n) for n in values.shape], indexing="ij"), -1).reshape(
        -1, values.ndim
    )
    centroid = geometry.cell_to_pixel((cells * weights.reshape(-1, 1)).sum(0) / weights.sum())
    away = np.abs(np.argwhere(mask) - centroid) / np.array(geometry.cell_size_pixels())
    return float(away.max(axis=1).min())


def measure_phantoms(
    model: Classifier, cases: Iterable[tuple[Image, dict[str, NDArray[np.bool_]]]], count: int
) -> Table:
    """Draw, explain and compare with the truth; one row a finding."""
    names = [finding.name for finding in model.card.findings]
    points = [finding.operating_point or 0.5 for finding in model.card.findings]
    logits, labels, located = [], [], {name: Located([]) for name in names}
    with progress() as bar:
        for image, masks in bar.track(cases, total=count, description=model.card.name):
            result = explain(model, image)
            logits.append(result.logits)
            labels.append([name in masks for name in names])
            geometry = result.explanation.saliency_map.geometry
            for index, name in enumerate(names):
                if name in masks and expit(result.logits[index]) >= points[index]:
                    located[name].cells.append(cells_away(result.values[index], geometry, masks[name]))
    probabilities, truth = expit(np.array(logits, np.float64)), np.array(labels, np.float64)
    patients = np.arange(count).astype(str)
    table: Table = [
        ("finding", "present", "AUC", "sensitivity", "specificity", "calibration error", "centroid ≤ 1 cell")
    ]
    for index, name in enumerate(names):
        figures = scores(truth[:, index], probabilities[:, index], points[index], patients)
        table.append((name, f"{int(truth[:, index].sum())} of {count}", *figures, str(located[name])))
    return table


def radiographs(count: int, rows: int) -> Table:
    """The table of phantom-radiograph on held-out films of this height."""
    model = load_model(shipped("phantom-radiograph"))
    films = (film_of(HELD_OUT + number, rows) for number in range(count))
    return measure_phantoms(model, ((film_image(film), dict(film.masks)) for film in films), count)


def volumes(count: int) -> Table:
    """The table of phantom-ct-nodule on held-out volumes."""
    model = load_model(shipped("phantom-ct-nodule"))
    drawn = (volume_of(HELD_OUT + number, 48, 144) for number in range(count))
    return measure_phantoms(model, ((volume_image(volume), dict(volume.masks)) for volume in drawn), count)


def children(data: Path) -> Table:
    """The table of paediatric-pneumonia on validation, official test, and adults."""
    model = load_model(shipped("paediatric-pneumonia"))
    point = model.card.findings[0].operating_point or 0.5
    films = read_films(data, "train", model.card.preparation)
    table: Table = [("films", "n (pneumonia)", "AUC", "sensitivity", "specificity", "calibration error")]
    sets = {
        "validation (children, patients apart)": films.of(validation_part(films)),
        "official test (children)": read_films(data, "test", model.card.preparation),
    }
    for name, some in sets.items():
        probabilities = expit(logits_of(model.module, some.values))[:, 0]
        count = f"{len(some.labels)} ({int(some.labels.sum())})"
        table.append((name, count, *scores(some.labels, probabilities, point, some.patients)))
    return [*table, *(_adults(data, model, point, findings) for findings in (("Pneumonia",), _OPACITIES))]


_OPACITIES = ("Pneumonia", "Consolidation", "Infiltration")


def _adults(data: Path, model: Classifier, point: float, findings: Sequence[str]) -> Sequence[str]:
    """NIH ChestX-ray14: adults with one of the findings against adults with none at all."""
    with np.load(data / "nih" / "nih64.npz", allow_pickle=False) as nih:
        names, present = list(nih["L"]), nih["y"].astype(bool)
        pixels, patients, age = nih["x"], nih["pid"].astype(str), nih["age"]
    ill = present[:, [names.index(finding) for finding in findings]].any(axis=1)
    chosen = (ill | present[:, names.index("No Finding")]) & (age >= 18)
    inputs = [
        prepare(Image(film, source=Source(format=FileFormat.PICTURE)), model.card.preparation).values
        for film in pixels[chosen]
    ]
    probabilities = expit(logits_of(model.module, torch.as_tensor(np.stack(inputs))))[:, 0]
    labels = ill[chosen].astype(np.float64)
    name = f"adults, NIH at 64 px: {' or '.join(findings).lower()} against no finding"
    return (
        name,
        f"{len(labels)} ({int(labels.sum())})",
        *scores(labels, probabilities, point, patients[chosen]),
    )


def markdown(table: Table) -> str:
    """The table as Markdown."""
    head, *rows = (f"| {' | '.join(row)} |\n" for row in table)
    return head + "|---" * len(table[0]) + "|\n" + "".join(rows)


def main() -> None:
    """Measure what is asked for, print it, and write it where it belongs."""
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    measured = {
        "phantom-radiograph": lambda: (
            markdown(radiographs(arguments.films, 288))
            + f"\nThe same at full resolution (1200 × 1060 pixels), {arguments.films // 5} films:\n\n"
            + markdown(radiographs(arguments.films // 5, 1200))
        ),
        "phantom-ct-nodule": lambda: markdown(volumes(arguments.volumes)),
        "paediatric-pneumonia": lambda: markdown(children(arguments.data)),
    }
    for name in arguments.models:
        text = measured[name]()
        print(f"{name}\n\n{text}")
        if arguments.write:
            _write(shipped(name) / "README.md", text)


def _write(readme: Path, text: str) -> None:
    before, after = _PLACE.split(readme.read_text(encoding="utf-8"))
    readme.write_text(f"{before}\n{text}\n{after}", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"some of {', '.join(MODELS)}; all")
    parser.add_argument("--data", type=Path, help="folder that holds kermany224/ and nih/")
    parser.add_argument("--films", type=int, default=300, help="held-out phantom films")
    parser.add_argument("--volumes", type=int, default=120, help="held-out phantom CTs")
    parser.add_argument("--threads", type=int, default=2, help="processor threads")
    parser.add_argument("--write", action="store_true", help="write the tables into the models' README.md")
    arguments = parser.parse_args()
    arguments.models = arguments.models or list(MODELS)
    for name in arguments.models:
        if name not in MODELS:
            parser.error(f"“{name}” does not ship; it is one of {', '.join(MODELS)}")
    if "paediatric-pneumonia" in arguments.models and arguments.data is None:
        parser.error(
            "paediatric-pneumonia is measured on real radiographs: give --data, or name other models"
        )
    return arguments


if __name__ == "__main__":
    main()
