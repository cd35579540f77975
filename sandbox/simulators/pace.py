"""Rate limits as vendors keep them: so many requests in any one second or minute, counted per endpoint or key."""

import threading
from collections import defaultdict, deque
from collections.abc import Callable

WINDOW_SECONDS = 1.0


class SlidingWindow:
    """At most `limit` requests per key in any `seconds`; the clock gives seconds."""

    def __init__(self, limit: int, clock: Callable[[], float], seconds: float = WINDOW_SECONDS) -> None:
        self._limit = limit
        self._clock = clock
        self._seconds = seconds
        self._lock = threading.Lock()
        self._seen: defaultdict[str, deque[float]] = defaultdict(deque)

    def admits(self, key: str) -> bool:
        """Whether one more request fits now; one that is refused does not count."""
        with self._lock:
            now = self._clock()
            seen = self._seen[key]
            while seen and seen[0] <= now - self._seconds:
                seen.popleft()
            if len(seen) >= self._limit:
                return False
            seen.append(now)
            return True
