"""Where shards are computed: in processes of this machine, or on Ray.

Both call the same `shard.Explainer`, made once in each process, and both are torn down at any moment without
harm: a shard's folder is whole or not there.
"""

import logging
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import cache
from itertools import islice
from multiprocessing import get_context, parent_process
from typing import Any, TypeAlias

import structlog

from camlucida.cohorts.shard import Done, Explainer, Setup, Shard
from camlucida.errors import CohortInterrupted, MissingExtra

Engine: TypeAlias = Callable[[Setup, Iterable[Shard], int], Iterator[Done]]

AHEAD = 2
"""Shards that wait for each process: enough that none idles."""
STARTS = 3  # of Ray

_log = structlog.get_logger()


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def explain_here(setup: Setup, shards: Iterable[Shard], workers: int) -> Iterator[Done]:
    """Compute shards in so many processes, one in this one; what is done comes in the shards' order.

    Raises
    ------
    CohortInterrupted
        A process has ended: killed, or out of memory.
    """
    if workers == 1:
        yield from map(Explainer(setup), shards)
        return
    context = get_context("spawn")  # forked processes would share torch's threads
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(setup,))
    with ExitStack() as stack:
        stack.callback(pool.shutdown, wait=True, cancel_futures=True)
        rest = iter(shards)
        waiting: deque[Future[Done]] = deque(
            pool.submit(_explain, shard) for shard in islice(rest, workers * AHEAD)
        )
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(pool.submit(_explain, shard) for shard in islice(rest, 1))
        except BrokenProcessPool as error:
            raise CohortInterrupted from error


_setup: Setup


def _begin(setup: Setup) -> None:
    global _setup  # noqa: PLW0603 - a process of the pool has one
    _setup = setup
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who waits for the results
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A process whose parent was killed would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@cache
def _explainer() -> Explainer:
    return Explainer(_setup)


def _explain(shard: Shard) -> Done:
    return _explainer()(shard)


def explain_on_ray(setup: Setup, shards: Iterable[Shard], workers: int) -> Iterator[Done]:
    """Compute shards by Ray Data with so many actors, as they are done; RAY_ADDRESS names a cluster.

    All machines see the cohort's folder, the images and the model under the same paths. One core is left to
    Ray's own tasks, without which the actors would wait for ever.

    Raises
    ------
    MissingExtra
        Ray is not installed.
    """
    ray = _ray()
    alone = not ray.is_initialized()
    if alone:
        _start(ray)
    logging.getLogger("ray").setLevel(logging.ERROR)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        wanted = list(shards)
        ray.data.DataContext.get_current().enable_progress_bars = False
        actors = max(1, min(workers, int(ray.cluster_resources().get("CPU", 2)) - 1))
        rows = ray.data.from_items([{"shard": shard} for shard in wanted], override_num_blocks=len(wanted))
        done = rows.map(
            _OnRay, fn_constructor_args=(setup,), num_cpus=1, compute=ray.data.ActorPoolStrategy(size=actors)
        )
        for row in done.iter_rows():
            yield row["done"]
    finally:
        if alone:
            ray.shutdown()


def _start(ray: Any) -> None:
    """Start Ray, which gives up where its own processes take 15 s to begin, as they may the first time."""
    for left in reversed(range(STARTS)):
        try:
            ray.init(log_to_driver=False, include_dashboard=False, logging_level="error")
        except Exception as error:  # it raises no other class than this
            ray.shutdown()
            if not left:
                raise
            _log.warning("Ray did not start and is started again", reason=str(error))
        else:
            return


class _OnRay:
    """The same callable on rows of Ray Data."""

    def __init__(self, setup: Setup) -> None:
        self.explain = Explainer(setup)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"done": self.explain(row["shard"])}


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
    try:
        import ray.data  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "--engine ray needs the Python package ray. Install with `pip install 'camlucida[ray]'`."
        ) from error
    return ray


ENGINES: dict[str, Engine] = {"local": explain_here, "ray": explain_on_ray}
