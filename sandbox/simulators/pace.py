"""Rate limits as vendors keep them: so many requests in any one second, counted per endpoint."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable

WINDOW_SECONDS = 1.0


class SlidingWindow:
    """At most `limit` requests per key in any second; the clock gives seconds."""

    def __init__(self, limit: int, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: defaultdict[str, deque[float]] = defaultdict(deque)

    def admits(self, key: str) -> bool:
        """Whether one more request fits now; one that is refused does not count."""
        with self._lock:
            now = self._clock()
            seen = self._seen[key]
            while seen and seen[0] <= now - WINDOW_SECONDS:
                seen.popleft()
            if len(seen) >= self._limit:
                return False
            seen.append(now)
            return True
