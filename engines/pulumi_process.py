"""The CLI as a child that ends in order: a signal to us becomes one to it, and we wait for what it had begun.

Told once, the engine finishes and records the operations that run; told twice, it cuts them off and leaves creates that
nobody recorded (facts 2.2). It is started in a session of its own, so that a terminal's Ctrl-C reaches it through us,
once.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import IO

from pulumi import automation
from pulumi.automation.errors import create_command_error

OnOutput = Callable[[str], object]

ASKS_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A terminal and a parent may both pass on one Ctrl-C: what comes this close together is one request.
ONE_REQUEST_SECONDS = 3.0


class PulumiProcess(automation.PulumiCommand):
    """Runs commands of the `pulumi` on PATH. `interrupted` says whether one was asked to end; its reader resets it."""

    interrupted = False

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> automation.CommandResult:
        """Run a command without questions. Raises `automation.CommandError` unless it exits with 0."""
        child = subprocess.Popen(
            [self.command, "--non-interactive", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env={**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"},
            encoding="utf-8",
            start_new_session=True,
        )
        with child, self._passing_on(child):
            texts = _both(child, on_output, on_error)
            code = child.wait()
        result = automation.CommandResult(stdout=texts[0], stderr=texts[1], code=code)
        if code:
            raise create_command_error(result)
        return result

    @contextmanager
    def _passing_on(self, child: subprocess.Popen[str]) -> Iterator[None]:
        """During the block, what asks us to end asks the child. Only the main thread may set that up."""
        last = 0.0

        def pass_on(_number: int, _frame: FrameType | None) -> None:
            nonlocal last
            now = time.monotonic()
            if not last or now - last > ONE_REQUEST_SECONDS:
                child.send_signal(signal.SIGINT)
                last = now
            self.interrupted = True

        if threading.current_thread() is not threading.main_thread():
            yield
            return
        heard = [number for number in ASKS_TO_END if signal.getsignal(number) != signal.SIG_IGN]
        before = {number: signal.signal(number, pass_on) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _both(child: subprocess.Popen[str], *callbacks: OnOutput | None) -> list[str]:
    """All that a child writes to its two streams, line by line to the callbacks on the way."""
    lines: list[list[str]] = [[], []]

    def read(stream: IO[str], kept: list[str], callback: OnOutput | None) -> None:
        for line in stream:
            kept.append(line.rstrip())
            if callback:
                callback(kept[-1])

    streams = [stream for stream in (child.stdout, child.stderr) if stream is not None]
    readers = [
        threading.Thread(target=read, args=arguments) for arguments in zip(streams, lines, callbacks, strict=True)
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return ["\n".join(each) for each in lines]
