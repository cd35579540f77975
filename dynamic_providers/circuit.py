"""Failing fast: what one call has waited for in vain, others in this run do not wait for once more.

A key names what may be away: an endpoint's host, one endpoint of it, a database server, a token. It opens when a call
has used up its deadline there without an answer, or when the answer is final for all. While it is open calls fail at
once with the sentence of the first; after a pause one of them tries, a single time; an answer closes it.
"""

import threading
import time
import weakref
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from pulumi.runtime.settings import SETTINGS

from dynamic_providers.errors import AwayError

PAUSE_SECONDS = 30.0


@dataclass
class _Open:
    sentence: str
    tried: float


class Circuit:
    """What is known to be away. Thread-safe."""

    def __init__(self, pause: float = PAUSE_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._pause = pause
        self._heard: dict[Hashable, float] = {}
        self._open: dict[Hashable, _Open] = {}
        self._lock = threading.Lock()

    def check(self, *keys: Hashable) -> None:
        """Lets a call pass, or raises AwayError; one call in each pause is let through to try."""
        with self._lock:
            now = self.clock()
            waiting = [found for key in keys if (found := self._open.get(key))]
            for found in waiting:
                if now - found.tried < self._pause:
                    raise AwayError(found.sentence)
            for found in waiting:
                found.tried = now

    def answered(self, *keys: Hashable) -> None:
        """Something came back: it is not away."""
        with self._lock:
            for key in keys:
                self._heard[key] = self.clock()
                self._open.pop(key, None)

    def lost(self, key: Hashable, since: float, sentence: str) -> None:
        """A call that began at `since` ends without an answer; opens, unless another one was answered meanwhile."""
        with self._lock:
            if self._heard.get(key, since) <= since and key not in self._open:
                self._open[key] = _Open(sentence, self.clock())

    def refused(self, key: Hashable, sentence: str) -> None:
        """An answer that is the same for every call: opens at once."""
        with self._lock:
            self._open[key] = _Open(sentence, self.clock())


# A key is kept as long as its circuit, which is as long as a provider of that run.
_SHARED: "weakref.WeakValueDictionary[Hashable, Circuit]" = weakref.WeakValueDictionary()
_SHARED_LOCK = threading.Lock()


def shared(account: Hashable) -> Circuit:
    """The circuit of an account in this run, for all providers that are configured in it.

    A run has SDK settings of its own, whether it is a plugin process or one of several in an engine's process.
    """
    run = SETTINGS.rpc_manager
    with _SHARED_LOCK:
        return _SHARED.setdefault((run, account), Circuit())
