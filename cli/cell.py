"""The child process of a run over several cells: `python -m cli.cell JOB` runs one stack and writes JSON lines.

It ends as its parent ends: standard input is a pipe from it, and where that closes, the run stops as on a Ctrl-C.
"""

import logging
import os
import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

from cli.runs import engine_at
from engines.engine import EngineError, Event, Handler
from engines.interrupts import terminable
from engines.orders import Job, Outcome, event_line, outcome_line

_WRITING = threading.Lock()


class _Told(logging.Handler):
    """Hands what providers warn of to the parent, as a message."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as an event."""
        write(event_line(Event(datetime.now(UTC), "message", message=record.getMessage())))


def write(line: str) -> None:
    """One line in one piece: events come from several threads."""
    rest = f"{line}\n".encode()
    try:
        with _WRITING:
            while rest:
                rest = rest[os.write(1, rest) :]
    except BrokenPipeError:
        # The parent is gone; what is under way is ended and recorded all the same.
        return


def stop_with_parent() -> None:
    """Interrupt this process once its standard input ends."""
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGINT)


def run_job(job: Job, on_event: Handler) -> Outcome:
    """Run one stack's order; whatever can be said of its end is in the outcome."""
    try:
        engine = engine_at(job.engine, job.stack, Path(job.fleet), job.parallel)
        result = job.order.perform(engine, on_event)
        return Outcome(result, engine.revision())
    except EngineError as error:
        return Outcome(error=error)
    except KeyboardInterrupt:
        return Outcome(interrupted=True)


def main() -> None:
    """Run the job of the first argument; the exit code says nothing, the last line everything."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Told()])
    threading.Thread(target=stop_with_parent, daemon=True, name="lifeline").start()
    job = Job.from_json(sys.argv[1])
    with terminable():
        outcome = run_job(job, lambda event: write(event_line(event)))
    write(outcome_line(outcome))


if __name__ == "__main__":
    main()
