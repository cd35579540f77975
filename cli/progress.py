"""Progress of a run: a live table on a terminal, plain lines otherwise, JSON lines where asked for."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.terminal import counts_text, diagnostics, emit, results
from engines.engine import Event, Operation

DONE: Mapping[Operation, str] = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
}


Watch = Callable[[str, Event], None]
NAMES_SHOWN = 4


@contextmanager
def shown(title: str, stacks: Sequence[str], *, json_lines: bool) -> Iterator[Watch]:
    """A watch that shows the events of these stacks while the block runs; of several, each says whose it is."""
    if json_lines:
        yield _write_json
    elif results.is_terminal:
        with _live(title, stacks) as watch:
            yield _each_reason_once(watch)
    else:
        yield _each_reason_once(partial(_write_line, several=len(stacks) > 1))


def _each_reason_once(watch: Watch) -> Watch:
    """The same watch, told why something failed only the first time: a provider that is away fails every resource."""
    told: set[str] = set()
    lock = threading.Lock()

    def once(stack: str, event: Event) -> None:
        if event.kind == "failed" and event.message:
            with lock:
                known = event.message in told
                told.add(event.message)
            event = replace(event, message="for the same reason") if known else event
        watch(stack, event)

    return once


def _write_json(stack: str, event: Event) -> None:
    emit(
        {
            "time": event.time.isoformat(),
            "stack": stack,
            "event": event.kind,
            "urn": event.urn,
            "name": event.name,
            "operation": event.operation,
            "message": event.message,
        },
        indent=None,
    )


def _write_line(stack: str, event: Event, *, several: bool) -> None:
    prefix = f"{stack}: " if several else ""
    if event.kind == "message":
        diagnostics.print(f"{prefix}{event.message}", markup=False, soft_wrap=True)
    elif event.kind == "failed":
        results.print(f"{prefix}failed   {event.name} {event.message}".rstrip(), markup=False, soft_wrap=True)
    elif event.kind == "finished" and event.operation is not None and event.operation in DONE:
        results.print(f"{prefix}{DONE[event.operation]:<8} {event.name}", markup=False, soft_wrap=True)


@dataclass
class _Board:
    """What each stack at work has done, and what it is doing; a stack that waits or has ended has no row."""

    title: str
    stacks: Sequence[str]
    running: dict[str, dict[str, str]] = field(default_factory=dict)
    finished: dict[str, Counter[str]] = field(default_factory=dict)

    def take(self, stack: str, event: Event) -> None:
        running = self.running.setdefault(stack, {})
        finished = self.finished.setdefault(stack, Counter())
        if event.kind == "started" and event.operation in DONE:
            running[event.urn] = event.name
        elif event.kind in {"finished", "failed"}:
            running.pop(event.urn, None)
            if event.operation:
                finished["failed" if event.kind == "failed" else event.operation] += 1

    def __rich__(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for stack in self.stacks:
            if self.running.get(stack):
                names = list(self.running[stack].values())
                more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
                table.add_row(
                    Text(stack), Text(counts_text(self.finished[stack])), Text(", ".join(names[:NAMES_SHOWN]) + more)
                )
        whole = sum(self.finished.values(), Counter())
        begun = f", {len(self.finished)} of {len(self.stacks)} stacks begun" if len(self.stacks) > 1 else ""
        return Group(table, Spinner("dots", Text(f"{self.title}: {counts_text(whole)}{begun}")))


@contextmanager
def _live(title: str, stacks: Sequence[str]) -> Iterator[Watch]:
    board = _Board(title, stacks)
    # Events come from the engine's worker threads.
    lock = threading.Lock()
    with Live(board, console=results, refresh_per_second=8, transient=True):

        def watch(stack: str, event: Event) -> None:
            with lock:
                board.take(stack, event)
            if event.kind in {"failed", "message"}:
                prefix = f"{stack}: " if len(stacks) > 1 else ""
                results.print(Text(f"{prefix}{event.name} {event.message}".strip()))

        yield watch
