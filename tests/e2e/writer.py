"""A tenant's application under load: a process that writes numbered rows and objects with the tenant's own credentials.

Each number is written once: what is refused is tried again with the credentials of the outputs as they are then, and
what may have been written although the answer was lost is looked for first. What was acknowledged is noted in a file.
Nothing in the table keeps a number from coming twice, so that a doubled row shows.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self

import psycopg
from botocore.exceptions import BotoCoreError, ClientError

from components.outputs import TenantOutputs, parse_tenants
from engines.embedded import EmbeddedEngine
from tests.e2e.world import PROJECT, STACK, bucket_of, connect

PAUSE = 0.05
RETRY = 0.3
# Every so many numbers is an object too.
OBJECT_EVERY = 10
ROWS, OBJECTS, REFUSED = "rows", "objects", "refused"


class Write(Protocol):
    """One attempt; `uncertain` where an earlier one may have done it."""

    def __call__(self, number: int, *, uncertain: bool) -> None:
        """Raise where it is not acknowledged."""


def outputs(tenant: str) -> TenantOutputs:
    """The tenant's outputs now, as its application would be told them."""
    engine = EmbeddedEngine(PROJECT, STACK, Path(os.environ["TENANTRY_STATE"]), os.environ)
    return parse_tenants(engine.outputs(show_secrets=True)["tenants"])[tenant]


@dataclass
class Writer:
    """The process; `folder` holds its notes."""

    process: subprocess.Popen[bytes]
    folder: Path

    @classmethod
    def start(cls, tenant: str, folder: Path, environ: Mapping[str, str]) -> Self:
        """Start to write."""
        folder.mkdir()
        arguments = [sys.executable, "-m", "tests.e2e.writer", tenant, str(folder)]
        return cls(subprocess.Popen(arguments, cwd=PROJECT, env=dict(environ)), folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Let it end what it is at, and look at its own end."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0

    def acknowledged(self, what: str) -> list[int]:
        """The numbers that were acknowledged, in order."""
        path = self.folder / what
        return [int(line) for line in path.read_text().splitlines()] if path.exists() else []

    def check(self, tenant: TenantOutputs) -> tuple[int, int]:
        """No acknowledged row or object is lost and no row is doubled; answers how many there are."""
        rows, objects = self.acknowledged(ROWS), self.acknowledged(OBJECTS)
        assert tenant.database is not None
        with connect(tenant.database) as session:
            found = Counter(number for (number,) in session.execute("SELECT n FROM written"))
        assert sorted(set(rows) - found.keys()) == [], "acknowledged rows are lost"
        assert [number for number, times in found.items() if times > 1] == [], "rows are doubled"
        if objects:
            assert tenant.storage is not None
            client = bucket_of(tenant.storage)
            for number in objects:
                body = client.get_object(Bucket=tenant.storage.bucket, Key=f"written/{number}")["Body"].read()
                assert body == str(number).encode()
            client.close()
        return len(rows), len(objects)

    def refused_seconds(self) -> float:
        """The longest time between two acknowledged rows."""
        path = self.folder / REFUSED
        return max((float(line) for line in path.read_text().splitlines()), default=0.0) if path.exists() else 0.0


class Application:
    """The writing itself."""

    def __init__(self, tenant: str, folder: Path) -> None:
        self.tenant = tenant
        self.folder = folder
        self.stopped = False
        self.last = time.monotonic()
        self.told = outputs(tenant)
        signal.signal(signal.SIGTERM, self._stop)

    def run(self) -> None:
        """Write until told to stop."""
        number = 0
        while not self.stopped:
            number += 1
            if not self._until_done(number, self._row):
                return
            self._note(ROWS, str(number))
            now = time.monotonic()
            self._note(REFUSED, f"{now - self.last:.3f}")
            self.last = now
            if number % OBJECT_EVERY == 0 and self._until_done(number, self._object):
                self._note(OBJECTS, str(number))
            time.sleep(PAUSE)

    def _until_done(self, number: int, write: Write) -> bool:
        """Try until it is acknowledged; False when told to stop first."""
        uncertain = False
        while not self.stopped:
            try:
                write(number, uncertain=uncertain)
            except (psycopg.Error, ClientError, BotoCoreError):
                uncertain = True
                time.sleep(RETRY)
                self.told = outputs(self.tenant)
            else:
                return True
        return False

    def _row(self, number: int, *, uncertain: bool) -> None:
        database = self.told.database
        assert database is not None
        # A session each: the smallest plan has one, and it is looked into beside us.
        with connect(database) as session:
            if uncertain and session.execute("SELECT FROM written WHERE n = %s", [number]).fetchone() is not None:
                return
            session.execute("INSERT INTO written VALUES (%s)", [number])

    def _object(self, number: int, *, uncertain: bool) -> None:  # noqa: ARG002 - the same object again is the same
        storage = self.told.storage
        if storage is None:
            return
        client = bucket_of(storage)
        try:
            client.put_object(Bucket=storage.bucket, Key=f"written/{number}", Body=str(number).encode())
        finally:
            client.close()

    def _note(self, what: str, line: str) -> None:
        with (self.folder / what).open("a") as file:
            file.write(f"{line}\n")

    def _stop(self, _signal: int, _frame: object) -> None:
        self.stopped = True


if __name__ == "__main__":
    Application(sys.argv[1], Path(sys.argv[2])).run()
