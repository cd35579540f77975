"""The state of one stack on disk: `<stack>.json`, Pulumi's deployment document, and `<stack>.journal` during a run."""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engines.embedded.document import read_document
from engines.embedded.errors import StateError
from engines.embedded.journal import Journal, Record, read_journal
from engines.embedded.passphrase import Crypter
from engines.embedded.properties import Properties
from engines.embedded.resource import Resource, decode, encode
from engines.embedded.state import Kept, State
from engines.engine import same_state

# The engine that wrote a document, in the form Pulumi checks: the magic is the digest of the version.
VERSION = "3.0.0-embedded"
LOAD_ATTEMPTS = 20
PRIVATE = 0o600


class Store:
    """State in memory; with a journal every change is on disk before the run goes on. Used from every thread."""

    def __init__(self, state: State, crypter: Crypter, journal: Journal | None = None) -> None:
        self.state = state
        self._crypter = crypter
        self._journal = journal
        self._lock = threading.RLock()
        self._operations = 0

    def live(self, urn: str) -> tuple[int, Resource] | None:
        """Find what was there before this run under a URN."""
        with self._lock:
            return self.state.live(urn)

    def before(self) -> dict[int, Resource]:
        """What was there before and is neither settled nor gone, in order."""
        with self._lock:
            return {key: kept.resource for key, kept in self.state.before.items()}

    def settled(self) -> dict[str, Resource]:
        """What this run has settled, in order."""
        with self._lock:
            return {urn: kept.resource for urn, kept in self.state.after.items()}

    def begin(self, operation: str, resource: Resource) -> int:
        """Note an operation before the provider is called; the number ends it."""
        with self._lock:
            self._operations += 1
            number = self._operations
            entry = self._encode(resource)
            self._write({"do": "begin", "number": number, "operation": operation, "entry": entry})
            self.state.begin(number, operation, entry)
            return number

    def end(self, number: int | None) -> None:
        """Note that the provider's call came to an end."""
        if number is None:
            return
        with self._lock:
            self._write({"do": "end", "number": number})
            self.state.end(number)

    def settle(
        self,
        resource: Resource,
        supersedes: int | None = None,
        *,
        condemns: int | None = None,
        ends: int | None = None,
    ) -> None:
        """Record a resource, in the place of one of before, or beside one that is to be deleted at the end.

        An unchanged one keeps its entry and costs a short record.
        """
        with self._lock:
            old = None if supersedes is None else self.state.before.get(supersedes)
            if old is not None and old.resource == resource:
                kept = old
                self._write({"do": "keep", "key": supersedes, "ends": ends})
            else:
                kept = Kept(resource, self._encode(resource))
                self._write(
                    {"do": "settle", "entry": kept.entry, "key": supersedes, "condemns": condemns, "ends": ends}
                )
            self.state.settle(kept, supersedes, ends, condemns)

    def alter(self, key: int, resource: Resource) -> None:
        """Record what a refresh or a flag makes of a resource of before."""
        with self._lock:
            if self.state.before[key].resource == resource:
                return
            kept = Kept(resource, self._encode(resource))
            self._write({"do": "alter", "key": key, "entry": kept.entry})
            self.state.alter(key, kept)

    def outputs(self, urn: str, outputs: Properties) -> None:
        """Record the outputs that a component or the stack registers at its end."""
        with self._lock:
            kept = self.state.after.get(urn)
            if kept is None or kept.resource.outputs == outputs:
                return
            resource = replace(kept.resource, outputs=outputs)
            entry = self._encode(resource)
            self._write({"do": "settle", "entry": entry, "key": None, "condemns": None, "ends": None})
            self.state.settle(Kept(resource, entry))

    def forget(self, key: int, ends: int | None = None) -> None:
        """Record that a resource of before is gone."""
        with self._lock:
            self._write({"do": "forget", "key": key, "ends": ends})
            self.state.forget(key, ends)

    def clear_pending(self) -> None:
        """Record that the pending operations of earlier runs are dealt with."""
        with self._lock:
            self._write({"do": "clear_pending"})
            self.state.clear_pending()

    def close(self) -> None:
        """End the journal; the document takes over."""
        if self._journal:
            self._journal.close()

    def _encode(self, resource: Resource) -> dict[str, Any]:
        # A preview throws its state away: no entry, no encryption.
        return encode(resource, self._crypter.encrypt) if self._journal else {}

    def _write(self, record: Record) -> None:
        if self._journal:
            self._journal.append(record)


def _repeat(state: State, record: Record, decrypt: Callable[[str], str]) -> None:
    """Do to a state what a record says was done to it."""
    entry = record.get("entry")
    kept = None if entry is None else Kept(decode(entry, decrypt), entry)
    match record["do"]:
        case "begin":
            state.begin(record["number"], record["operation"], record["entry"])
        case "end":
            state.end(record["number"])
        case "keep":
            state.settle(state.before[record["key"]], record["key"], record["ends"])
        case "settle" if kept:
            state.settle(kept, record["key"], record["ends"], record["condemns"])
        case "alter" if kept:
            state.alter(record["key"], kept)
        case "forget":
            state.forget(record["key"], record["ends"])
        case "clear_pending":
            state.clear_pending()
        case other:
            raise StateError(f"the journal holds a record of an unknown kind '{other}'")


class Folder:
    """The files of one stack: the document, its version before the last change, and the journal of a run."""

    def __init__(
        self,
        folder: Path,
        stack: str,
        now: Callable[[], datetime],
        open_journal: Callable[[Path], Journal] = Journal,
    ) -> None:
        self._json = folder / f"{stack}.json"
        self._backup = folder / f"{stack}.json.bak"
        self._journal = folder / f"{stack}.journal"
        self._now = now
        self._open_journal = open_journal

    def load(self, crypter: Crypter) -> State:
        """Read the document and what a run that did not end has journalled. Needs no lock.

        Raises StateError for what is damaged, and where a state is gone that has been there.
        """
        for _ in range(LOAD_ATTEMPTS):
            content = self._read()
            records = self._journalled(content)
            # A run may end between the two reads.
            if content == self._read():
                break
        state = State() if content is None else self._parse(content, crypter.decrypt)
        for record in records:
            _repeat(state, record, crypter.decrypt)
        return state

    def revision(self) -> str:
        """Answer which state this is; empty where there is none, a run died, or operations were cut off."""
        content = self._read() or b""
        cut_off = self._journal.exists() or b'"pending_operations"' in content
        return "" if cut_off or not content else _digest(content)

    def journal(self) -> Journal:
        """Start the journal of a run on what the document says now. Needs the lock."""
        journal = self._open_journal(self._journal)
        journal.append({"base": _digest(self._read() or b"")})
        return journal

    def save(self, state: State, salt: str) -> None:
        """Write the document in one step, keep the one before, and drop the journal. Needs the lock."""
        document = self.document(state, salt)
        if not self._holds(document):
            draft = self._json.with_suffix(".json.new")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(document, file, indent=4, ensure_ascii=False)
                file.flush()
                os.fsync(file.fileno())
            self._keep()
            draft.replace(self._json)
        self._journal.unlink(missing_ok=True)

    def _holds(self, document: Mapping[str, Any]) -> bool:
        """Whether the document on disk says the same already."""
        try:
            return same_state(json.loads(self._read() or b""), document)
        except (ValueError, KeyError, TypeError):
            return False

    def _keep(self) -> None:
        """Make the document on disk the version before; both names are there at every moment."""
        if not self._json.exists():
            return
        link = self._backup.with_suffix(".bak.new")
        link.unlink(missing_ok=True)
        link.hardlink_to(self._json)
        link.replace(self._backup)

    def _journalled(self, content: bytes | None) -> list[Record]:
        """What was done on top of this document; a journal on an older one is already part of it."""
        records = read_journal(self._journal)
        if (first := next(records, None)) is None or first.get("base") != _digest(content or b""):
            if content is None and (first or self._backup.exists()):
                raise StateError(f"the state {self._json} is gone{self._way_back()}")
            return []
        return list(records)

    def _parse(self, content: bytes, decrypt: Callable[[str], str]) -> State:
        try:
            return read_document(json.loads(content), f"the state {self._json}", decrypt)
        except ValueError as error:
            what = "is not JSON" if content.strip() else "is empty"
            raise StateError(f"the state {self._json} {what}{self._way_back()}") from error

    def _way_back(self) -> str:
        anew = "or remove its files to begin anew, and then run `tenantry resume`"
        if self._backup.exists():
            return f": put back {self._backup.name}, its version before the last change, {anew}"
        return f": restore it from a backup of yours, {anew}"

    def document(self, state: State, salt: str) -> dict[str, Any]:
        """Answer Pulumi's deployment document, version 3."""
        deployment: dict[str, Any] = {
            "manifest": {
                "time": timestamp(self._now()),
                "magic": hashlib.sha256(VERSION.encode()).hexdigest(),
                "version": VERSION,
            },
            "secrets_providers": {"type": "passphrase", "state": {"salt": salt}},
            "resources": [dict(kept.entry) for kept in state.resources()],
            "metadata": {},
        }
        if pending := state.pending():
            deployment["pending_operations"] = [dict(operation) for operation in pending]
        return {"version": 3, "deployment": deployment}

    def _read(self) -> bytes | None:
        """The document as it is on disk; None where there is none."""
        try:
            return self._json.read_bytes()
        except FileNotFoundError:
            return None


def revisions(folder: Path) -> dict[str, str]:
    """Answer the revision of each stack whose state lies in a folder."""
    found = (file.stem for file in folder.glob("*.json"))
    return {stack: Folder(folder, stack, lambda: datetime.now(UTC)).revision() for stack in found}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def timestamp(moment: datetime) -> str:
    """Write a moment (UTC) as Pulumi does."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
