"""A real PgBouncer on this machine, started on rendered files: the machine's own, or one unpacked by `make pooler`."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from sandbox.postgres import HOST, Account

# Where `make pooler` unpacks Debian's package and the libraries it needs.
UNPACKED = Path(sys.prefix) / "pgbouncer"
# Debian keeps it out of an ordinary user's PATH.
_SYSTEM = "/usr/sbin/pgbouncer"
_START_SECONDS = 10.0
_STOP_SECONDS = 10.0
_PORT = re.compile(r"^listen_port = (\d+)$", re.MULTILINE)


class PoolerServerError(Exception):
    """PgBouncer is missing, or it does not start or stop; one sentence."""


@dataclass(frozen=True)
class PgBouncer:
    """The program and where its libraries are, if not where the system looks."""

    program: Path
    libraries: tuple[Path, ...] = ()

    @classmethod
    def find(cls) -> Self | None:
        """The unpacked one, else the machine's own, or None."""
        unpacked = UNPACKED / "usr" / "sbin" / "pgbouncer"
        if unpacked.is_file():
            return cls(unpacked, tuple(sorted(UNPACKED.glob("**/lib/*-linux-gnu"))))
        found = shutil.which("pgbouncer") or shutil.which(_SYSTEM)
        return cls(Path(found)) if found else None

    @property
    def environ(self) -> dict[str, str]:
        """What the program needs to start."""
        paths = os.pathsep.join(map(str, self.libraries))
        return {"PATH": os.environ.get("PATH", os.defpath)} | ({"LD_LIBRARY_PATH": paths} if paths else {})

    @cached_property
    def version(self) -> str:
        """Such as `1.18.0`."""
        said = subprocess.run([self.program, "--version"], env=self.environ, capture_output=True, text=True, check=True)
        return said.stdout.split()[1]


class PoolerServer:
    """One PgBouncer on the configuration in `folder`, which stays the caller's; its log is `log`."""

    def __init__(self, folder: Path, log: Path, pgbouncer: PgBouncer) -> None:
        self._configuration = folder.resolve() / "pgbouncer.ini"
        self._log = log
        self._pgbouncer = pgbouncer
        self._account = Account.detect()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        match = _PORT.search(self._configuration.read_text())
        if match is None:
            raise PoolerServerError(f"{self._configuration} has no listen_port")
        return int(match[1])

    def start(self) -> None:
        """Start, and wait until it listens. Raises `PoolerServerError` with its own last words."""
        user = self._account.user
        if user:
            for path in (self._configuration.parent, *self._configuration.parent.iterdir()):
                shutil.chown(path, user)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._account.prefix, str(self._pgbouncer.program), str(self._configuration)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for us to answer, by stop()
                env=self._pgbouncer.environ,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PoolerServerError(f"PgBouncer does not start: {self.words()[-500:]}")
            time.sleep(0.02)

    def reload(self) -> None:
        """Have it read its files again: connections stay."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def words(self) -> str:
        """What it has logged."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def stop(self) -> None:
        """End it at once; one that does not run is no error."""
        process, self._process = self._process, None
        if process is None:
            return
        # From 1.23 on the first SIGTERM waits for the clients to go, and the second does not.
        for end, seconds in ((process.terminate, 0.2), (process.terminate, _STOP_SECONDS), (process.kill, None)):
            end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                return

    def _listens(self) -> bool:
        try:
            socket.create_connection((HOST, self.port), timeout=1).close()
        except OSError:
            return False
        return True
