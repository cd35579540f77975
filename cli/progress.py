"""Progress of a run: a live line on a terminal, plain lines otherwise, JSON lines where asked for."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.text import Text

from cli.terminal import counts_text, diagnostics, emit, results
from engines.engine import Event, Handler, Operation

DONE: Mapping[Operation, str] = {
    "create": "created",
    "update": "updated",
    "replace": "replaced",
    "delete": "deleted",
}


@contextmanager
def shown(title: str, *, json_lines: bool) -> Iterator[Handler]:
    """A handler of events that shows them while the block runs."""
    if json_lines:
        yield _write_json
    elif results.is_terminal:
        with _live(title) as handler:
            yield handler
    else:
        yield _write_line


def _write_json(event: Event) -> None:
    emit(
        {
            "time": event.time.isoformat(),
            "event": event.kind,
            "urn": event.urn,
            "name": event.name,
            "operation": event.operation,
            "message": event.message,
        },
        indent=None,
    )


def _write_line(event: Event) -> None:
    if event.kind == "message":
        diagnostics.print(event.message, markup=False, soft_wrap=True)
    elif event.kind == "failed":
        results.print(f"failed   {event.name} {event.message}".rstrip(), markup=False, soft_wrap=True)
    elif event.kind == "finished" and event.operation is not None and event.operation in DONE:
        results.print(f"{DONE[event.operation]:<8} {event.name}", markup=False, soft_wrap=True)


@contextmanager
def _live(title: str) -> Iterator[Handler]:
    running: dict[str, str] = {}
    finished: Counter[str] = Counter()
    # Events come from the engine's worker threads.
    lock = threading.Lock()

    with results.status(title) as status:

        def handle(event: Event) -> None:
            with lock:
                if event.kind == "started" and event.operation in DONE:
                    running[event.urn] = event.name
                elif event.kind in {"finished", "failed"}:
                    running.pop(event.urn, None)
                    if event.operation:
                        finished["failed" if event.kind == "failed" else event.operation] += 1
                if event.kind in {"failed", "message"}:
                    results.print(Text(f"{event.name} {event.message}".strip()))
                names = ", ".join(list(running.values())[:4])
                status.update(Text(f"{title}: {counts_text(finished)}  {names}"))

        yield handle
