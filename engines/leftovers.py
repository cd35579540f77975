"""Plugins and language hosts that go on working after their engine was killed, and their end.

A killed CLI leaves them with another parent, each the head of a process group of its own, in the project's folder, the
address of the engine that is gone as its last argument (facts 2.2). Whatever has a living engine is nobody's leftover.
"""

import os
import re
import select
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PROGRAM = re.compile(r"(?:.*/)?(pulumi-(?:language|resource)-[\w-]+)")
ENGINE_ADDRESS = re.compile(r"127\.0\.0\.1:\d+")
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class Process:
    """A process as the kernel shows it. `started` is in clock ticks since boot: with it a pid names one process."""

    pid: int
    parent: int
    group: int
    started: int
    command: tuple[str, ...]
    folder: Path

    @property
    def plugin(self) -> str:
        """`pulumi-resource-hcloud`; "" for what is neither plugin nor language host."""
        named = [found[1] for word in self.command[:2] if (found := PROGRAM.fullmatch(word))]
        return named[0] if named and ENGINE_ADDRESS.fullmatch(self.command[-1]) else ""


def process(pid: int) -> Process | None:
    """The process with this id; None for one that has ended or is another user's."""
    try:
        fields = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        command = (PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace").rstrip("\0").split("\0")
        folder = (PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None
    if fields[0] == "Z":
        return None
    return Process(pid, int(fields[1]), int(fields[2]), int(fields[19]), tuple(command), folder)


def processes() -> Iterator[Process]:
    """Every process that may be looked at."""
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit() and (found := process(int(entry.name))):
            yield found


def leftovers(project: Path) -> list[Process]:
    """Plugins and hosts of this project without an engine, each followed by the processes it has started."""
    living = {each.pid: each for each in processes()}
    folder = project.resolve()
    heads = [
        each
        for each in living.values()
        if each.plugin and each.pid == each.group and each.folder == folder and not _has_engine(each, living.get)
    ]
    return [each for head in heads for each in [head, *_members(head, living.values())]]


def named(found: Sequence[Process]) -> str:
    """`pulumi-language-python (71), pulumi-resource-hcloud (74)`."""
    return ", ".join(f"{each.plugin} ({each.pid})" for each in found if each.plugin)


def end_all(found: Sequence[Process], grace: float = GRACE_SECONDS) -> None:
    """End processes: SIGTERM, a while to leave, then SIGKILL."""
    handles = [(each, handle) for each in found if (handle := _handle(each)) is not None]
    try:
        deadline = time.monotonic() + grace
        waiting = _told(handles, signal.SIGTERM)
        while waiting and (left := deadline - time.monotonic()) > 0:
            gone, _, _ = select.select(waiting, [], [], left)
            waiting = [handle for handle in waiting if handle not in gone]
        if stubborn := [pair for pair in handles if pair[1] in waiting]:
            # What SIGKILL was sent to ends as soon as the kernel gets to it.
            select.select(_told(stubborn, signal.SIGKILL), [], [], grace)
    finally:
        for _, handle in handles:
            os.close(handle)


def _has_engine(plugin: Process, find: Callable[[int], Process | None]) -> bool:
    parent = find(plugin.parent)
    return parent is not None and Path(parent.command[0]).name == "pulumi"


def _members(head: Process, living: Iterable[Process]) -> list[Process]:
    return [each for each in living if each.group == head.group and each.pid != head.pid]


def _handle(found: Process) -> int | None:
    """A handle that keeps meaning this process when its id is given to another."""
    try:
        handle = os.pidfd_open(found.pid)
    except OSError:
        return None
    now = process(found.pid)
    if now is None or now.started != found.started:
        os.close(handle)
        return None
    return handle


def _told(handles: Sequence[tuple[Process, int]], number: signal.Signals) -> list[int]:
    """The handles of processes that a signal was sent to."""
    told = []
    for _, handle in handles:
        try:
            signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            continue
        told.append(handle)
    return told
