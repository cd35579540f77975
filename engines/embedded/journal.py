"""The append-only journal of a run: one JSON record per line, each with a checksum over its content.

A record is handed to the operating system before the run goes on, so that it outlives this process. It is forced to
the disk at most five times a second and at the end: a power failure may cost the last moments, as with any file of
Pulumi's own backends.
"""

import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engines.embedded.errors import StateError

SYNC_SECONDS = 0.2
PRIVATE = 0o600
Record = Mapping[str, Any]


class Journal:
    """Appends records to a file. The caller serialises the calls."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._number = 0
        self._synced = float("-inf")
        path.unlink(missing_ok=True)
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE), "ab", buffering=0)

    def append(self, record: Record) -> None:
        """Write one record; it is complete in the file, or torn at its very end, whenever the process dies."""
        numbered = {"n": self._number, **record}
        self._file.write(json.dumps({"sum": _sum(numbered), "record": numbered}, ensure_ascii=False).encode() + b"\n")
        self._number += 1
        if self._clock() - self._synced >= SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = self._clock()

    def close(self) -> None:
        """Force everything to the disk."""
        os.fsync(self._file.fileno())
        self._file.close()


def _sum(record: Record) -> str:
    return f"{zlib.crc32(json.dumps(record, sort_keys=True).encode()):08x}"


def read_journal(path: Path) -> Iterator[Record]:
    """Read the records of a run that did not end. Only the last one may be torn; damage before it is an error."""
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines):
        record = _parse(line)
        if record is not None and record["n"] == number:
            yield record
        elif any(lines[number + 1 :]):
            raise StateError(
                f"the journal {path} is damaged in line {number + 1}: restore it, or remove it and run "
                "`tenantry resume`, which finds what it told of in the clouds"
            )
        else:
            return


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(line)
        record: dict[str, Any] = parsed["record"]
        return record if parsed["sum"] == _sum(record) else None
    except (ValueError, TypeError, KeyError):
        return None
