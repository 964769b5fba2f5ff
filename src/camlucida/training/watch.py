"""Maps of the same few cases after every epoch: where a network looks while it learns."""

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from camlucida.errors import CamlucidaError, InputError, NoTargetLayer, sentence
from camlucida.models.cut import Cut, Logits, as_it_was, run_whole
from camlucida.models.limits import explainable
from camlucida.models.target_layer import find_cut
from camlucida.saliency.known_networks import known
from camlucida.saliency.method import Grid
from camlucida.saliency.methods import find_method
from camlucida.saliency.recording import Recording
from camlucida.saliency.saving import distinct_names, replace_whole
from camlucida.training.film_strip import film_strip
from camlucida.training.regions import on_cells, stacked
from camlucida.training.watched import Epoch, Watched

AT_ONCE = 8
"""Cases that are run together."""

_NOTHING: Mapping[str, Tensor] = {}


class Watch:
    """Keeps maps, logits and shares in zones of fixed cases after every epoch.

    >>> watch = Watch(network, cases, "watched", zones={"tag": mask})  # doctest: +SKIP
    >>> watch.after_epoch(network, epoch)  # doctest: +SKIP

    Into `out` it writes `strip-FINDING.png` (a row for each case, a column for each epoch), `watch.csv` and
    `watch.json` (`Watched.rows`), and `maps.npz`. A training that is taken up again goes on in the same
    folder. The network is left as it was found: modes, gradients, hooks and the state of chance.

    The target layer is found once, as its place follows from the structure; that the head still answers as it
    did is asked of one case after every epoch, and the layer found anew where it does not.

    Parameters
    ----------
    network
        Any `torch.nn.Module`; also in DistributedDataParallel, where one process watches.
    cases
        Images as the network takes them, (channel, *space), all of one shape, by their names.
    out
        A folder; made if it is not there.
    zones
        By name, masks (*space) for all cases or (case, *space): where evidence is of interest.
    findings
        Names of the logits, in the network's order; "output 0" and so on if none are given.
    only
        Names of the findings to watch; all if none are given.
    method
        A key of `camlucida.METHODS` whose maps are on the target layer's cells.
    target_layer, logits
        As in `camlucida.explain`. A network whose last layer is still zero needs its target layer named.

    Raises
    ------
    InputError
        There is no case, cases or zones are of different shapes, or names are too many or too few.
    UnknownMethod, NoTargetLayer, UnsupportedNetwork
        As `camlucida.explain`: at once, not after the first epoch.
    """

    def __init__(
        self,
        network: nn.Module,
        cases: Mapping[str, Tensor],
        out: Path | str,
        *,
        zones: Mapping[str, Tensor | NDArray[np.generic]] = _NOTHING,
        findings: Sequence[str] = (),
        only: Sequence[str] = (),
        method: str = "grad-cam",
        target_layer: str | None = None,
        logits: Logits | None = None,
    ) -> None:
        key, self._method = find_method(method)
        if self._method.grid is not Grid.CELLS:
            raise InputError(f"{self._method.name} draws no map on the target layer's cells; watch grad-cam.")
        self._images, self._logits, self._layer = _as_batch(cases), logits, target_layer
        self._cut = self._find(network)
        names = tuple(findings) or tuple(f"output {index}" for index in range(self._cut.findings))
        self._indices = _chosen(names, only, self._cut.findings)
        self.watched = Watched(
            cases=tuple(cases),
            findings=tuple(names[index] for index in self._indices),
            zones=_on_grid(zones, self._images, self._cut.grid),
            method=key,
            target_layer=self._cut.name,
            unit=self._method.unit.value,
        )
        self.out = Path(out)
        self.out.mkdir(parents=True, exist_ok=True)
        self.watched.resume(self.out)

    def after_epoch(self, network: nn.Module, epoch: int) -> None:
        """Keep the maps of a network, the one watched or one built like it (an average of its weights).

        What was kept of this epoch and of later ones is replaced. A training is not ended by its watcher:
        where the maps cannot be made or written, it warns.
        """
        try:
            logits, maps = self._look(network)
            self.watched.add(Epoch(epoch, logits, maps))
            self.watched.save(self.out)
            self._draw()
        except (CamlucidaError, OSError) as error:
            warnings.warn(f"Epoch {epoch} could not be watched: {sentence(error)}", stacklevel=2)

    def _find(self, network: nn.Module) -> Cut:
        example = self._images[:2].to(_device(network))
        return find_cut(explainable(network), example, self._layer, logits=self._logits)

    def _look(self, network: nn.Module) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Logits (case, finding) and maps (case, finding, *grid)."""
        network = explainable(network)
        with known(network).alone:
            if not self._still_holds(network):
                self._cut = self._find(network)
            parts = [self._of(network, images) for images in torch.split(self._images, AT_ONCE)]
        logits, maps = zip(*parts, strict=True)
        return np.concatenate(logits), np.concatenate(maps)

    def _of(self, network: nn.Module, images: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        recording = self._recording(network, images)
        maps = self._method.compute(recording, variant=self._method.variants[0], progress=None)
        logits = recording.logits[:, list(self._indices)]
        return logits.float().cpu().numpy(), maps.detach().float().cpu().numpy()

    def _recording(self, network: nn.Module, images: Tensor) -> Recording:
        given = images.to(_device(network))
        return Recording(network, given, self._cut, self._indices, self._logits)

    def _still_holds(self, network: nn.Module) -> bool:
        """Whether the network cut in two says what the whole one says, of the first case."""
        try:
            parted = self._recording(network, self._images[:1]).logits
        except NoTargetLayer:
            return False
        with as_it_was(network), torch.no_grad():
            said = run_whole(network, self._images[:1].to(_device(network)), self._logits).logits
        return torch.allclose(parted, said, rtol=1e-3, atol=1e-4, equal_nan=True)

    def _draw(self) -> None:
        images = self._images.float().mean(dim=1).cpu().numpy()
        for number, name in enumerate(distinct_names(self.watched.findings)):
            written = io.BytesIO()
            film_strip(self.watched, number, images).save(written, "PNG")
            replace_whole(self.out / f"strip-{name}.png", [written.getvalue()])


def _as_batch(cases: Mapping[str, Tensor]) -> Tensor:
    shapes = sorted({tuple(image.shape) for image in cases.values()})
    if len(shapes) != 1 or len(shapes[0]) not in {3, 4}:
        raise InputError(
            f"The cases to watch have the shapes {shapes or 'of none'}; give one or more, each (channel, "
            "*space) as the network takes it, all of one shape."
        )
    return torch.stack([image.detach().clone() for image in cases.values()])


def _chosen(names: Sequence[str], only: Sequence[str], count: int) -> tuple[int, ...]:
    if len(names) != count or len(set(names)) != count:
        raise InputError(f"The network has {count} logits and {len(set(names))} names; name each once.")
    unknown = [name for name in only if name not in names]
    if unknown:
        raise InputError(f"There is no finding “{unknown[0]}” to watch; there are: {', '.join(names)}.")
    return tuple(names.index(name) for name in only or names)


def _on_grid(
    zones: Mapping[str, Tensor | NDArray[np.generic]], images: Tensor, grid: Sequence[int]
) -> dict[str, NDArray[np.float32]]:
    """Each zone as a share of each cell: (case, *grid)."""
    found = {}
    for name, mask in zones.items():
        given = torch.as_tensor(mask).to(images.device)
        if given.ndim == images.ndim - 2:
            given = given.expand(len(images), *given.shape)
        found[name] = on_cells(stacked(given, images), grid)[:, 0].cpu().numpy()
    return found


def _device(network: nn.Module) -> torch.device:
    parameter = next(network.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
