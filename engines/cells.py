"""Runs of several stacks at once, each in a child process: its events come over a pipe, signals are handed on.

No more of them start up at the same time than there are processors: a start is all work, and children that began
together would also end together, and leave a vendor's pace unused while the next ones start.

A child is a session of its own, so that a Ctrl-C at the terminal reaches it only through us, once. It holds the other
end of a pipe on its standard input: when we are gone, however that came, it reads the end and stops by itself.
"""

import os
import queue
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

from engines.engine import EngineError, Event
from engines.orders import Job, Outcome, parse_line

Watch = Callable[[str, Event], None]
Done = Callable[[str, Outcome], None]
SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Of what a child writes past its protocol, so much is kept for the case that it dies.
WORDS_KEPT = 40


@dataclass
class _Child:
    """A process at work on one stack, and what it has said so far."""

    stack: str
    process: subprocess.Popen[str]
    begun: bool = False
    outcome: Outcome | None = None
    words: deque[str] = field(default_factory=lambda: deque(maxlen=WORDS_KEPT))
    open_pipes: int = 2

    def hear(self, line: str, watch: Watch) -> None:
        """Take a line that it wrote."""
        try:
            said = parse_line(line)
        except ValueError:
            self.words.append(line.rstrip())
            return
        if isinstance(said, Outcome):
            self.outcome = said
        else:
            self.begun = True
            watch(self.stack, said)

    def end(self, *, interrupted: bool) -> Outcome:
        """What came of it, now that it has closed its pipes."""
        code = self.process.wait()
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.outcome is not None:
            return self.outcome
        if interrupted:
            # Before it had begun to listen: it had not begun to work either.
            return Outcome(interrupted=True)
        last = next((word.strip() for word in reversed(self.words) if word.strip()), "it left no word")
        ended = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        return Outcome(error=EngineError(f"the process of stack '{self.stack}' {ended}: {last}"))


@dataclass
class _Crew:
    """The children of one run; their lines come in one queue."""

    command: Sequence[str]
    environ: Mapping[str, str]
    watch: Watch
    working: dict[str, _Child] = field(default_factory=dict)
    signals: int = 0
    lines: "queue.SimpleQueue[tuple[_Child, str]]" = field(default_factory=queue.SimpleQueue)

    @property
    def starting(self) -> int:
        """How many children have not come to their first event yet."""
        return sum(not child.begun for child in self.working.values())

    def start(self, job: Job) -> None:
        """Begin a job."""
        process = subprocess.Popen(
            [*self.command, job.as_json()],
            env=dict(self.environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        child = self.working[job.stack] = _Child(job.stack, process)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                threading.Thread(target=self._read, args=(child, pipe), name=f"ear of {job.stack}").start()

    def forward(self, number: int, _frame: FrameType | None) -> None:
        """Hand a signal on to everybody at work; from the first on nothing new is begun."""
        self.signals += 1
        for child in list(self.working.values()):
            with suppress(ProcessLookupError):
                child.process.send_signal(number)

    def listen(self) -> tuple[str, Outcome] | None:
        """Wait for a line; who has ended with it, and with which outcome."""
        child, line = self.lines.get()
        if line:
            child.hear(line, self.watch)
            return None
        child.open_pipes -= 1
        if child.open_pipes:
            return None
        outcome = child.end(interrupted=self.signals > 0)
        del self.working[child.stack]
        return child.stack, outcome

    def _read(self, child: _Child, pipe: IO[str]) -> None:
        with pipe:
            for line in pipe:
                self.lines.put((child, line))
        self.lines.put((child, ""))


@contextmanager
def _handled(forward: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Signals go to the children while the block runs; only the main thread can promise that."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_jobs(
    jobs: Sequence[Job],
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    at_once: int,
    watch: Watch,
    done: Done,
) -> bool:
    """Run each job by `command` with the job as its last word; a failed one does not stop the others.

    `watch` hears every event, `done` every outcome as it comes, both in this thread. False where a signal cut the run
    short: it was handed on once each time it came, those at work were waited for, and nothing more was begun.
    """
    waiting = deque(jobs)
    crew = _Crew(command, environ, watch)
    processors = os.cpu_count() or 1
    with _handled(crew.forward):
        while crew.working or (waiting and not crew.signals):
            while waiting and not crew.signals and len(crew.working) < at_once and crew.starting < processors:
                crew.start(waiting.popleft())
            if ended := crew.listen():
                done(*ended)
    return not crew.signals
