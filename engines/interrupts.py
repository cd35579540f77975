"""Signals that ask a run to end, taken as Python takes a Ctrl-C: the first in order, a second one at once."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What an exit by a signal adds to its number, as shells tell it.
SIGNALLED = 128
AT_ONCE = "stopped at once: what was under way may be half done, run `tenantry resume`\n"
UNHANDLED = (signal.SIG_DFL, signal.default_int_handler)


@contextmanager
def terminable() -> Iterator[None]:
    """Take a SIGTERM for a Ctrl-C, where nobody else handles it and this thread may."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt in this block at the first SIGINT or SIGTERM; a second one ends the process.

    Nothing is closed then: the journal is whole at every moment, the lock falls with the process, and the notes of
    what was under way stay. A signal that somebody else handles is theirs, and so is every signal of another thread.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    if threading.current_thread() is not threading.main_thread():
        before = {}
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            os.write(sys.stderr.fileno(), AT_ONCE.encode())
            os._exit(SIGNALLED + number)
        raise KeyboardInterrupt

    mine = {number: handler for number, handler in before.items() if handler in UNHANDLED}
    for number in mine:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in mine.items():
            signal.signal(number, handler)
