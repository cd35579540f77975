"""One request pace per API endpoint for all processes of a host (A5, design rule 8).

The state of an endpoint is a file of three numbers under a per-user folder, changed under `flock`: a killed holder's
lock falls with it, and the slot it had taken is at most one slot lost. Time is CLOCK_MONOTONIC, the same in every
process of a host; a reboot sets it back, so the file's name holds the boot's id, and where a system has none, a slot
further ahead than any queue is taken for a leftover.

Slots are spaced evenly, with no burst (GCRA with a burst of one): a bucket that may be emptied at once lets twice its
rate through within a second that spans a refill.
"""

import fcntl
import hashlib
import logging
import os
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

from dynamic_providers.private_folder import make_private, user_folder

log = logging.getLogger(__name__)

# Slots lie 5 % further apart than the rate says: a process woken late must not push two calls into one second.
MARGIN = 1.05
QUEUE_LIMIT_SECONDS = 600.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
ALERT_SHARE = 0.5
ALERT_EVERY_SECONDS = 60.0
PACKED = struct.Struct("<3d")


class Limiter(Protocol):
    """What paces calls."""

    def acquire(self, endpoint: str) -> None:
        """Returns when a call to the endpoint may be sent."""


class State(NamedTuple):
    """Next free slot, the load meter's mark, and when the alert was last raised; seconds of CLOCK_MONOTONIC."""

    slot: float
    load: float
    alerted: float


FRESH = State(0.0, 0.0, float("-inf"))


class HostLimiter:
    """Shared by all processes that use the same folder. Thread-safe and fork-safe: every call opens the file anew."""

    def __init__(
        self,
        folder: Path,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        boot: str | None = None,
    ) -> None:
        make_private(folder, " or set TENANTRY_RATE_DIR")
        self._boot = boot or (BOOT_ID.read_text() if BOOT_ID.exists() else "")
        self._folder = folder
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep

    def acquire(self, endpoint: str) -> None:
        """Takes the endpoint's next slot and sleeps until it comes."""
        slot, alert = self._take(endpoint)
        if alert:
            log.warning(
                "calls queue: %s is asked more than %g times a second, half of its budget",
                endpoint.rsplit(" ", 1)[0],
                self._per_second * ALERT_SHARE,
            )
        while (ahead := slot - self._clock()) > 0:
            self._sleep(ahead)

    def _take(self, endpoint: str) -> tuple[float, bool]:
        name = hashlib.sha256(f"{self._boot}{endpoint}".encode()).hexdigest()[:32]
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Not before: who waited long for the lock would take the others' calls for a queue.
            now = self._clock()
            slot, after, alert = next_slot(_read(descriptor), now, self._per_second)
            os.pwrite(descriptor, PACKED.pack(*after), 0)
        finally:
            os.close(descriptor)
        return slot, alert


@dataclass(frozen=True)
class AccountLimiter:
    """A budget of all calls of an account together, and within it one of each endpoint: Neon's 700 a minute and 40/s.

    The account's slot is taken last, so that calls leave in its even pace.
    """

    account: Limiter
    endpoints: Limiter

    def acquire(self, endpoint: str) -> None:
        """Takes a slot of both."""
        self.endpoints.acquire(endpoint)
        self.account.acquire(_account(endpoint))


def _account(endpoint: str) -> str:
    """`any call to console.neon.tech <account>` of `GET https://console.neon.tech/api/v2/projects <account>`."""
    called, _, account = endpoint.rpartition(" ")
    return f"any call to {urlsplit(called.partition(' ')[2]).netloc} {account}"


def next_slot(before: State, now: float, per_second: float) -> tuple[float, State, bool]:
    """When a call that asks at `now` may go, the state that it leaves behind, and whether to raise the alert.

    The load meter is a second GCRA at half the rate that tolerates a second's worth of calls: it fires when more than
    half of the budget is asked for over a while, not on every short burst.
    """
    if not 0 <= before.slot <= now + QUEUE_LIMIT_SECONDS:
        before = FRESH
    half = per_second * ALERT_SHARE
    slot = max(before.slot, now)
    load = max(before.load, now) + 1 / half
    alert = load - now > 1 + 1 / half and not 0 <= now - before.alerted < ALERT_EVERY_SECONDS
    return slot, State(slot + MARGIN / per_second, load, now if alert else before.alerted), alert


def default_folder() -> Path:
    """A folder per user, so that users of one host do not meet in it."""
    return user_folder("rate")


def _read(descriptor: int) -> State:
    raw = os.pread(descriptor, PACKED.size, 0)
    return State(*PACKED.unpack(raw)) if len(raw) == PACKED.size else FRESH
