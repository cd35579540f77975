"""One run per stack at a time: a lock that the operating system drops with its owner, and a note of who that is."""

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any

from engines.embedded.errors import StateError


@contextmanager
def locked(path: Path, now: Callable[[], datetime], warn: Callable[[str], None]) -> Iterator[None]:
    """Hold the stack's lock during the block. Raises StateError when another run has it.

    The file stays, empty, when nobody holds it: removing it would let two runs lock two files of one name. A note in
    a file that can be locked is that of a run which died; on this host it is broken, from another host it is not,
    because a shared folder may not carry locks.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"the stack is locked by another run{_described(_note(file))}: wait for it") from None
        _break(_note(file), path, warn)
        _write(file, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now().isoformat()}))
        try:
            yield
        finally:
            _write(file, "")


def break_lock(path: Path, now: Callable[[], datetime], *, only_look: bool = False) -> str:
    """Break the lock of a run that died on this host and say whose it was; "" where nobody left one.

    Raises StateError for a run that goes on, and for one on another host.
    """
    if not path.exists():
        return ""
    with path.open("r+", encoding="utf-8") as file:
        note = _note(file)
        owner = _described(note, now())
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"the stack is locked by another run{owner}, which is alive: wait for it") from None
        if note and note.get("host") != socket.gethostname():
            raise StateError(_elsewhere(owner, path))
        if not only_look:
            _write(file, "")
    return owner.strip(" ()")


def _elsewhere(owner: str, path: Path) -> str:
    return f"the stack is locked{owner}: if that run is dead, empty the file {path}"


def _note(file: IO[str]) -> Mapping[str, Any]:
    file.seek(0)
    try:
        note = json.loads(file.read() or "{}")
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}


def _break(note: Mapping[str, Any], path: Path, warn: Callable[[str], None]) -> None:
    if not note:
        return
    if note.get("host") != socket.gethostname():
        raise StateError(_elsewhere(_described(note), path))
    warn(f"the last run{_described(note)} died without an end: its lock is broken and its journal replayed")


def _described(note: Mapping[str, Any], now: datetime | None = None) -> str:
    """Say in brackets who wrote a note, and with `now` also how long ago."""
    if not note:
        return ""
    age = "" if now is None else _age(str(note.get("since")), now)
    return f" (process {note.get('pid')} on {note.get('host')}, since {note.get('since')}{age})"


def _age(since: str, now: datetime) -> str:
    try:
        seconds = (now - datetime.fromisoformat(since)).total_seconds()
    except (ValueError, TypeError):
        return ""
    return f", {timedelta(seconds=max(0, round(seconds)))} ago"


def _write(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
