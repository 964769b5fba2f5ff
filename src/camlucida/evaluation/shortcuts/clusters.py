"""Films on which the network looks at the same places: spectral clusters of maps.

Spectral relevance analysis (Lapuschkin et al., Nature Communications 2019): maps are normalised, joined to
their nearest neighbours, and clustered by the eigenvectors of the graph's Laplacian; how many clusters there
are is read from the largest gap between its eigenvalues (von Luxburg, Statistics and Computing 2007, section
8.3). A cluster is a place to look, no verdict: a finding that is always at the same place has one, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from camlucida.errors import MissingExtra
from camlucida.evaluation.data.cohort import Cohort, Observed

NEIGHBOURS = 10
MOST_CLUSTERS = 8
LEAST_MAPS = 20
MOST_MAPS = 1500
"""Maps that are clustered; of more, every n-th is taken."""

FINEST = 16
"""Cells along an axis at most."""

PROBABILITY = 0.05


@dataclass(frozen=True, slots=True)
class Association:
    """A group that is more frequent in a cluster than outside it; `p` by Fisher's exact test, corrected.

    Films count each for itself: where patients have many, `p` is too small.
    """

    name: str
    inside: float
    outside: float
    p: float


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Films with like maps, the most typical first; `mean` (*grid): the mean of their normalised support."""

    members: tuple[Observed, ...]
    mean: NDArray[np.float64]
    associations: tuple[Association, ...]


def clusters(cohort: Cohort, finding: str, method: str) -> tuple[Cluster, ...]:
    """Clusters of a finding's maps, the largest first; none where fewer than 20 maps have support.

    Raises
    ------
    MissingExtra
        scikit-learn is not installed.
    """
    known = [one for one in cohort.observed if _support(one, finding, method) is not None]
    known = known[:: max(1, -(-len(known) // MOST_MAPS))]
    if len(known) < LEAST_MAPS:
        return ()
    maps = np.stack([_support(one, finding, method) for one in known])  # type: ignore[misc]  # none is None
    labels, embedded = spectral(maps.reshape(len(maps), -1))
    found = []
    for number in range(labels.max() + 1):
        inside = labels == number
        middle = embedded[inside].mean(axis=0)
        order = np.argsort(np.linalg.norm(embedded[inside] - middle, axis=1), kind="stable")
        members = [one for one, is_in in zip(known, inside, strict=True) if is_in]
        found.append(
            Cluster(
                tuple(members[place] for place in order),
                maps[inside].mean(axis=0),
                associations(known, inside, finding, labels.max() + 1),
            )
        )
    return tuple(sorted(found, key=lambda one: -len(one.members)))


def spectral(rows: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cluster numbers (row,) from 0 on, and the rows in the eigenvectors' space (row, cluster).

    The number of clusters is that of the largest gap between the smallest eigenvalues, 1 to 8.

    Raises
    ------
    MissingExtra
        scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import KMeans  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "Clusters need the Python package scikit-learn. "
            "Install with `pip install 'camlucida[development]'`."
        ) from error
    values, vectors = np.linalg.eigh(_laplacian(rows))
    most = min(MOST_CLUSTERS, len(rows) - 1)
    count = int(np.diff(values[: most + 1]).argmax()) + 1
    embedded = vectors[:, :count]
    lengths = np.linalg.norm(embedded, axis=1, keepdims=True)
    embedded = embedded / np.where(lengths > 0, lengths, 1)
    if count == 1:
        return np.zeros(len(rows), np.int64), embedded
    labels = KMeans(count, n_init=10, random_state=0).fit_predict(embedded)
    return labels.astype(np.int64), embedded


def _laplacian(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric normalised Laplacian of the graph that joins each row to its nearest ones."""
    squares = (rows**2).sum(axis=1)
    distances = squares[:, None] + squares[None] - 2 * rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, : min(NEIGHBOURS, len(rows) - 1)]
    joined = np.zeros(distances.shape)
    np.put_along_axis(joined, nearest, 1, axis=1)
    joined = (joined + joined.T) / 2
    root = 1 / np.sqrt(joined.sum(axis=1))
    return np.asarray(np.eye(len(rows)) - root[:, None] * joined * root[None])


def associations(
    known: Sequence[Observed], inside: NDArray[np.bool_], finding: str, count: int
) -> tuple[Association, ...]:
    """Labels and columns' values that are more frequent inside, p < 0.05 after Bonferroni's correction.

    It is for all of them, in each of `count` clusters.
    """
    from scipy.stats import fisher_exact  # noqa: PLC0415 - half a second that few need

    flags = _flags(known, finding)
    found = []
    for name, flag in flags.items():
        within, beyond = flag[inside], flag[~inside]
        if not len(beyond) or within.mean() <= beyond.mean():
            continue
        table = [[within.sum(), (~within).sum()], [beyond.sum(), (~beyond).sum()]]
        p = min(1.0, float(fisher_exact(table, alternative="greater").pvalue) * len(flags) * count)
        if p < PROBABILITY:
            found.append(Association(name, float(within.mean()), float(beyond.mean()), p))
    return tuple(sorted(found, key=lambda one: one.p))


def _flags(known: Sequence[Observed], finding: str) -> Mapping[str, NDArray[np.bool_]]:
    """What is said of the films, yes or no: labels, and columns with few values."""
    cases = [one.case for one in known]
    flags = {
        f"{finding}: {word}": np.array([case.labels.get(finding) is there for case in cases])
        for word, there in (("yes", True), ("no", False))
    }
    for column in dict.fromkeys(name for case in cases for name in case.columns):
        values = [case.columns.get(column, "") for case in cases]
        different = sorted(set(filter(None, values)))
        if len(different) <= MOST_CLUSTERS:
            for value in different:
                flags[f"{column}: {value}"] = np.array([one == value for one in values])
    return flags


def _support(one: Observed, finding: str, method: str) -> NDArray[np.float64] | None:
    """The map's support on at most 16 cells along an axis, its sum 1; None without any."""
    maps = one.maps.get(method)
    if maps is None or finding not in maps.findings:
        return None
    support = np.clip(maps.values[maps.findings.index(finding)], 0, None).astype(np.float64)
    if not support.any():
        return None
    coarse: NDArray[np.float64] = _coarse(support) / support.sum()
    return coarse


def _coarse(support: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of neighbouring cells, so that no axis has more than 16."""
    for axis, size in enumerate(support.shape):
        starts = np.unique(np.linspace(0, size, min(size, FINEST), endpoint=False).astype(np.intp))
        support = np.add.reduceat(support, starts, axis=axis)
    return support
