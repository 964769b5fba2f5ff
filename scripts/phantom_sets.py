"""Sets of phantom films and volumes for training and measuring, prepared as the models' cards say."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from fitting import progress
from numpy.typing import NDArray
from torch import Tensor

from camlucida.examples.phantom.lesions import FINDINGS
from camlucida.examples.phantom.radiograph import Radiograph, radiograph
from camlucida.examples.phantom.volume import CT_FINDINGS, Volume, ct_volume
from camlucida.images.prepare import Fit, Intensity, Preparation, prepare
from camlucida.records import Image

RADIOGRAPH = Preparation(
    2, 1, (128, 128), Fit.STRETCH, Intensity.PERCENTILE, low=1, high=99, mean=(0.5,), std=(0.25,)
)
CT = Preparation(
    3, 1, (32, 96, 96), Fit.STRETCH, Intensity.RANGE, low=-1000, high=400, mean=(0.5,), std=(0.25,)
)

Half = NDArray[np.float16]

# Held-out phantoms begin where no training set reaches.
HELD_OUT = 1_000_000
_SHARE = {"Nodule": 0.4}  # of phantoms that have a finding, 0.3 for the others
_TAGGED = 0.05  # share of films with the corner tag, whatever they show: no shortcut to learn


@dataclass(frozen=True)
class PhantomSet:
    """Prepared phantoms `(n, 1, *space)` with labels `(n, finding)`.

    `cells (n, finding, *native)` say of CTs in which cells of 8 × 8 × 8 input voxels a finding lies.
    """

    values: Tensor
    labels: NDArray[np.float64]
    cells: Tensor


def findings_of(seed: int, names: Sequence[str]) -> list[str]:
    """What phantom patient `seed` has: each finding by its own chance."""
    chance = np.random.default_rng([seed, 99]).random(len(names))
    return [name for name, draw in zip(names, chance, strict=True) if draw < _SHARE.get(name, 0.3)]


def film_of(seed: int, rows: int) -> Radiograph:
    """One film of a set."""
    tagged = bool(np.random.default_rng([seed, 98]).random() < _TAGGED)
    return radiograph(seed, findings_of(seed, FINDINGS), rows=rows, marker=tagged)


def volume_of(seed: int, slices: int, rows: int) -> Volume:
    """One CT of a set."""
    return ct_volume(seed, findings_of(seed, CT_FINDINGS), slices=slices, rows=rows)


def film_image(film: Radiograph) -> Image:
    """The film as the library reads it from a file."""
    return Image(film.values, modality="DX", bits_stored=12, spacing=(film.spacing, film.spacing))


def volume_image(volume: Volume) -> Image:
    """The volume as the library reads it from a series."""
    return Image(volume.values, modality="CT", bits_stored=12, unit="HU", spacing=volume.spacing)


def films(first: int, count: int, *, rows: int, workers: int) -> PhantomSet:
    """`count` films from phantom patient `first` on, `rows` high before they are prepared."""
    return _drawn(partial(_prepared_film, rows=rows), first, count, FINDINGS, workers)


def volumes(first: int, count: int, *, slices: int, rows: int, workers: int) -> PhantomSet:
    """`count` CTs from phantom patient `first` on."""
    return _drawn(partial(_prepared_volume, slices=slices, rows=rows), first, count, CT_FINDINGS, workers)


def _prepared_film(seed: int, rows: int) -> tuple[Half, Half]:
    prepared = prepare(film_image(film_of(seed, rows)), RADIOGRAPH)
    return prepared.values.astype(np.float16), np.zeros(0, np.float16)


def _prepared_volume(seed: int, slices: int, rows: int) -> tuple[Half, Half]:
    volume = volume_of(seed, slices, rows)
    prepared = prepare(volume_image(volume), CT)
    native = [size // 8 for size in CT.size]
    cells = np.zeros((len(CT_FINDINGS), *native), np.float16)
    geometry = prepared.geometry(native)
    for name, mask in volume.masks.items():
        inside, counts = np.unique(
            np.round(geometry.pixel_to_cell(np.argwhere(mask))).astype(int), axis=0, return_counts=True
        )
        # A cell that the finding only touches is left out.
        for cell in inside[counts >= 0.25 * counts.max()]:
            cells[(CT_FINDINGS.index(name), *cell)] = 1
    return prepared.values.astype(np.float16), cells


def _drawn(
    draw: Callable[[int], tuple[Half, Half]], first: int, count: int, names: Sequence[str], workers: int
) -> PhantomSet:
    seeds, values, cells = range(first, first + count), [], []
    with ProcessPoolExecutor(workers) as pool, progress() as bar:
        task = bar.add_task("drawing phantoms", total=count)
        for one, where in pool.map(draw, seeds, chunksize=16):
            values.append(torch.as_tensor(one))
            cells.append(torch.as_tensor(where))
            bar.update(task, advance=1)
    labels = [[name in findings_of(seed, names) for name in names] for seed in seeds]
    return PhantomSet(torch.stack(values), np.array(labels, np.float64), torch.stack(cells))
