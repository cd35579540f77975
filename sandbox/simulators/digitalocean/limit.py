"""The account's rate limit: so many requests in any minute and in any hour, counted over all endpoints."""

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True)
class Limits:
    """Requests that one token may send."""

    per_minute: int = 250
    per_hour: int = 5000


class RateLimit:
    """What was sent in the last hour; the clock gives seconds since 1970."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: deque[float] = deque()

    def wait(self) -> int:
        """Whole seconds until a request may come; 0 counts it as come now."""
        with self._lock:
            now = self._forget_old()
            freed = [
                self._seen[-limit] + window
                for limit, window in ((self._limits.per_minute, MINUTE), (self._limits.per_hour, HOUR))
                if len(self._seen) >= limit
            ]
            wait = math.ceil(max([each - now for each in freed], default=0))
            if wait <= 0:
                self._seen.append(now)
            return max(wait, 0)

    def headers(self) -> dict[str, str]:
        """What every answer tells: the hour's limit, what is left of it, and when its oldest request expires."""
        with self._lock:
            now = self._forget_old()
            reset = (self._seen[0] if self._seen else now) + HOUR
            return {
                "ratelimit-limit": str(self._limits.per_hour),
                "ratelimit-remaining": str(max(self._limits.per_hour - len(self._seen), 0)),
                "ratelimit-reset": str(int(reset)),
            }

    def _forget_old(self) -> float:
        now = self._clock()
        while self._seen and self._seen[0] <= now - HOUR:
            self._seen.popleft()
        return now
