"""The locks that the CLI's file backend keeps: a JSON file for each run, which a killed run leaves behind."""

import json
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engines.engine import EngineError
from engines.leftovers import PROC, process

# How the CLI tells of a lock that it met, whatever the backend.
MET = re.compile(r"created by (?P<user>\S+)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)")
# A lock is written a little after its process began, on clocks that are read with different precision.
TOLERANCE = timedelta(seconds=2)


@dataclass(frozen=True)
class Owner:
    """Whose run holds a lock."""

    pid: int
    user: str
    host: str
    since: datetime

    def told(self, now: datetime) -> str:
        """`process 7 of ann on web-1, since 2026-11-21 04:38 UTC (3 min)`."""
        minutes = int((now - self.since).total_seconds() // 60)
        age = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"  # noqa: PLR2004 - below two hours minutes tell more
        return f"process {self.pid} of {self.user} on {self.host}, since {self.since:%Y-%m-%d %H:%M} UTC ({age})"

    @property
    def here(self) -> bool:
        """Whether it ran on this host."""
        return self.host == socket.gethostname()

    @property
    def alive(self) -> bool:
        """Whether that process still runs on this host; another that was given its id later is not it."""
        if not (PROC / str(self.pid)).exists():
            return False
        found = process(self.pid)
        return found is None or _began(found.started) <= self.since + TOLERANCE


def folder_of(backend: str, project: Path) -> Path | None:
    """The folder of a file backend, given its URL; None for any other."""
    if not backend.startswith("file://"):
        return None
    return project / Path(backend.removeprefix("file://")).expanduser()


def locks(folder: Path, project: str, stack: str) -> list[Path]:
    """The lock files of a stack, one for each run."""
    return sorted((folder / ".pulumi" / "locks" / "organization" / project / stack).glob("*.json"))


def read_owner(file: Path) -> Owner:
    """Whose lock a file is. Raises `EngineError` where it cannot be read."""
    try:
        note = json.loads(file.read_text(encoding="utf-8"))
        return Owner(int(note["pid"]), note["username"], note["hostname"], _time(note["timestamp"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineError(f"the lock {file} does not say whose it is: if no run is under way, remove it") from error


def require_dead(owner: Owner, file: Path, now: Callable[[], datetime]) -> str:
    """Say whose lock it is. Raises `EngineError` unless its process has ended on this host."""
    told = owner.told(now())
    if not owner.here:
        raise EngineError(f"the stack is locked by {told}: if that run is dead, remove the file {file}")
    if owner.alive:
        raise EngineError(f"the stack is locked by {told}, which is alive: wait for it")
    return told


def met_lock(text: str, now: datetime) -> str:
    """Whose lock the CLI met, by its own words; "another run" where it does not say."""
    owners = [
        Owner(int(found["pid"]), found["user"], found["host"], _time(found["since"])) for found in MET.finditer(text)
    ]
    return "; ".join(owner.told(now) for owner in owners) or "another run"


def _time(text: str) -> datetime:
    """A time as Go writes it, with more digits than Python reads."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)


def _began(ticks: int) -> datetime:
    boot = re.search(r"^btime (\d+)$", (PROC / "stat").read_text(encoding="utf-8"), re.MULTILINE)
    since_boot = ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromtimestamp(int(boot[1]) if boot else 0, UTC) + timedelta(seconds=since_boot)
