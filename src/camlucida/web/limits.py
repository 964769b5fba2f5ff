"""How often somebody may do what costs: a bucket of tokens each, in this process."""

import threading
from collections import OrderedDict
from time import monotonic

from camlucida.settings import settings

MOST_KNOWN = 10_000
SIGN_INS = 60  # a minute, from one address
REFUSALS_NOTED = 6  # a minute, from one address: the audit trail is no place to write into from outside


class Limiter:
    """Lets each key through `per_minute` times a minute, as many of them at once."""

    def __init__(self, per_minute: float) -> None:
        self._most, self._rate = per_minute, per_minute / 60
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, when
        self._lock = threading.Lock()

    def wait(self, key: str) -> float:
        """0: go on, it is counted; otherwise the seconds until it may."""
        with self._lock:
            moment = monotonic()
            left, since = self._buckets.pop(key, (self._most, moment))
            left = min(self._most, left + (moment - since) * self._rate)
            through = left >= 1
            self._buckets[key] = (left - through, moment)
            if len(self._buckets) > MOST_KNOWN:
                self._buckets.popitem(last=False)
        return 0.0 if through else (1 - left) / self._rate


class Limits:
    """Those of one application."""

    def __init__(self) -> None:
        self.writes = Limiter(settings().writes_per_minute)
        self.sign_ins = Limiter(SIGN_INS)
        self.refusals_noted = Limiter(REFUSALS_NOTED)
