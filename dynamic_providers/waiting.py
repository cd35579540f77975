"""Waiting for an object to become what was asked for: one loop, always with a way out."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from dynamic_providers.errors import AbsentError, DeadlineError

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Pace:
    """Seconds between two looks, seconds until giving up, and where time comes from."""

    poll: float = 5.0
    deadline: float = 1800.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


def wait_until(look: Callable[[], Seen], pending: Callable[[Seen], str], *, what: str, pace: Pace) -> Seen:
    """Looks until `pending` has nothing to say about what was seen.

    `pending` answers why it is not done yet, or raises when waiting is pointless. Raises DeadlineError with the last
    reason; the first look is at once and the last one after the deadline.
    """
    end = pace.clock() + pace.deadline
    while True:
        late = pace.clock() >= end
        seen = look()
        if not (reason := pending(seen)):
            return seen
        if late:
            raise DeadlineError(f"{what} is not finished after {pace.deadline:g} s: {reason}")
        pace.sleep(pace.poll)


def found_by(read: Callable[[], Seen]) -> Seen | None:
    """What `read` finds; None only for proven absence."""
    try:
        return read()
    except AbsentError:
        return None
