"""A clock that a test holds: it runs by itself and can be moved forward."""

import time


class MovableClock:
    """Seconds since 1970, plus what it was advanced by."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        """The time now."""
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        """Let this many seconds pass at once."""
        self._ahead += seconds
