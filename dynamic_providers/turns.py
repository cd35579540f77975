"""One caller at a time for an object whose vendor refuses overlapping work, for all processes of a host (G21).

Whose turn it is says a lock on a file beside the request budgets of `limiter`; a killed holder's lock falls with it.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dynamic_providers.errors import DeadlineError
from dynamic_providers.private_folder import make_private
from dynamic_providers.waiting import Pace

LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Turns:
    """Shared by all processes that use the same folder. Thread-safe: every turn opens its file anew."""

    folder: Path

    def __post_init__(self) -> None:
        make_private(self.folder, " or set TENANTRY_RATE_DIR")

    @contextmanager
    def take(self, what: str, pace: Pace) -> Iterator[None]:
        """Holds the turn of an object. Raises DeadlineError when others have held it until the deadline."""
        name = f"turn-{hashlib.sha256(what.encode()).hexdigest()[:32]}"
        descriptor = os.open(self.folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            end = pace.clock() + pace.deadline
            while not _locked(descriptor):
                if pace.clock() >= end:
                    raise DeadlineError(f"{what} was worked on by others for {pace.deadline:g} s: run again later")
                pace.sleep(LOOK_SECONDS)
            yield
        finally:
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
