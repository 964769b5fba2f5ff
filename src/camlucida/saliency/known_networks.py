"""What is remembered of a network between explanations: where it is cut, as long as it stays as it is.

A cut is found once per network, input shape and layer. Its place follows from the structure; that the head
pools by its mean may cease to hold with training. So all is forgotten when a module was replaced, or a weight
written to or replaced. Whether that happened is asked at every explanation, without Python code per module.
"""

from collections.abc import Callable
from itertools import chain, compress
from operator import attrgetter
from threading import Lock, RLock
from weakref import ReferenceType, WeakKeyDictionary, ref

from torch import nn

from camlucida.errors import CamlucidaError, MissingExtra, UnsuitableRuntime
from camlucida.models.cut import Cut, modules
from camlucida.models.limits import explainable, unwrapped
from camlucida.models.runtimes.fast import Eager, Fast

_MOST_CUTS = 64
_MOST_RUNTIMES = 16


class KnownNetwork:
    """One network's modules, the state in which its cuts were found, and these cuts.

    `alone` lets explanations of one network wait for each other: they set its flags and hooks, and put them
    back. Modules are held weakly: what is known of a network goes when the network goes.
    """

    def __init__(self) -> None:
        self.alone = RLock()
        self._modules: tuple[ReferenceType[nn.Module], ...] = ()
        self._structure: list[int] = []
        self._weights: list[int] = []
        self._cuts: dict[tuple[object, ...], Cut] = {}
        self._runtimes: dict[tuple[object, ...], Fast | Eager | CamlucidaError] = {}

    def look_again(self, network: nn.Module) -> tuple[nn.Module, ...]:
        """Forget the cuts where the network has changed; gives its modules that are in training mode."""
        found = [module for reference in self._modules if (module := reference()) is not None]
        if not found or len(found) < len(self._modules) or _structure(found) != self._structure:
            found = list(dict.fromkeys(modules(network)))
            self._modules = tuple(map(ref, found))
            self._structure = _structure(found)
            self.forget()
        weights = _weights(found)
        if weights != self._weights:
            self._weights = weights
            self.forget()
        return tuple(compress(found, map(attrgetter("training"), found)))

    def cut(self, key: tuple[object, ...], find: Callable[[], Cut]) -> Cut:
        """The cut that is remembered under this key, or found now."""
        if key not in self._cuts:
            if len(self._cuts) >= _MOST_CUTS:  # a new lambda at every call
                self._cuts.clear()
            self._cuts[key] = find()
        return self._cuts[key]

    def forget(self) -> None:
        """What was known of the structure is out of date."""
        self._cuts.clear()
        self._runtimes.clear()

    def runtime(self, key: tuple[object, ...], load: Callable[[], Fast | Eager]) -> Fast | Eager:
        """The runtime that is remembered under this key, or loaded now; a refusal is remembered too."""
        if key not in self._runtimes:
            if len(self._runtimes) >= _MOST_RUNTIMES:
                self._runtimes.clear()
            try:
                self._runtimes[key] = load()
            except (UnsuitableRuntime, MissingExtra) as error:
                self._runtimes[key] = type(error)(str(error))  # a traceback would keep the network
        known = self._runtimes[key]
        if isinstance(known, CamlucidaError):
            raise type(known)(str(known))
        return known


def admitted(network: nn.Module) -> nn.Module:
    """The network out of its wrappers; one that cannot be explained is refused when it is first seen.

    Raises
    ------
    UnsupportedNetwork
        As `explainable`.
    """
    return original if (original := unwrapped(network)) in _NETWORKS else explainable(network)


def known(network: nn.Module) -> KnownNetwork:
    """What is known of a network; nothing yet, if it is new."""
    with _NEW:
        return _NETWORKS.setdefault(network, KnownNetwork())


_NETWORKS: WeakKeyDictionary[nn.Module, KnownNetwork] = WeakKeyDictionary()
_NEW = Lock()


def _structure(found: list[nn.Module]) -> list[int]:
    """Which modules are in which: other numbers after any was added, moved, replaced or taken away."""
    children = [module._modules for module in found]  # noqa: SLF001 - torch's own table; children() is slow
    return [*map(len, children), *map(id, chain.from_iterable(map(dict.values, children)))]


def _weights(found: list[nn.Module]) -> list[int]:
    """Other numbers after any parameter or buffer (a batch norm's statistics) was written to or replaced."""
    parameters = [module._parameters for module in found]  # noqa: SLF001 - torch's own tables; parameters() is slow
    buffers = [module._buffers for module in found]  # noqa: SLF001
    values = chain(map(dict.values, parameters), map(dict.values, buffers))
    tensors = [one for one in chain.from_iterable(values) if one is not None]
    try:
        versions = list(map(attrgetter("_version"), tensors))  # torch's count of writes
    except RuntimeError:  # made in inference mode, where writes are not counted; find_cut refuses it
        versions = []
    return [*map(id, tensors), *versions]
