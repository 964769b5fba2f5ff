"""The watch as a callback of Lightning; only who asks for it needs Lightning."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from camlucida.errors import MissingExtra
from camlucida.training.watch import Watch

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as missing:
    raise MissingExtra(
        "The callback needs Lightning. Install with `pip install lightning`, or use Watch in your own loop."
    ) from missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


class WatchCallback(Callback):
    """Keeps maps of the same few cases after every epoch of a Lightning training.

    >>> Trainer(callbacks=[WatchCallback(cases, "watched")])  # doctest: +SKIP

    Where several processes train, the first watches.

    Parameters
    ----------
    cases, out, options
        As in `Watch`.
    part
        The module of the LightningModule that is watched, by its path ("model"); the LightningModule itself,
        by its `forward`, if empty.

    Attributes
    ----------
    watch
        The `Watch`, once the training has begun.
    """

    def __init__(
        self, cases: "Mapping[str, Tensor]", out: Path | str, *, part: str = "", **options: Any
    ) -> None:
        super().__init__()
        self.watch: Watch | None = None
        self._cases, self._out, self._part, self._options = cases, out, part, options

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what cannot be watched before the training begins."""
        if trainer.is_global_zero:
            network = pl_module.get_submodule(self._part)
            self.watch = Watch(network, self._cases, self._out, **self._options)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the maps of this epoch, counted from 0 as Lightning does."""
        if self.watch is not None:
            self.watch.after_epoch(pl_module.get_submodule(self._part), trainer.current_epoch)
