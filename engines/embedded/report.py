"""What a run tells: events while it goes on, changes and failures at its end. Every text is masked here."""

import threading
from collections.abc import Callable
from datetime import datetime

from engines.embedded.masking import Masker
from engines.embedded.urns import STACK_TYPE, name_of, type_of
from engines.engine import Change, Event, Failure, Handler, Kind, Operation


class Report:
    """Collects one change or failure per resource. Used from every thread; the handler is called by one at a time."""

    def __init__(self, handler: Handler, masker: Masker, now: Callable[[], datetime]) -> None:
        self._handler = handler
        self._masker = masker
        self._now = now
        self._lock = threading.RLock()
        self._changes: dict[str, Change] = {}
        self._failures: dict[str, Failure] = {}

    @property
    def changes(self) -> tuple[Change, ...]:
        """Changes in the order they were finished."""
        return tuple(self._changes.values())

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Failures in the order they occurred."""
        return tuple(self._failures.values())

    def started(self, urn: str, operation: Operation) -> None:
        """A provider is about to be called."""
        self._tell("started", urn, operation)

    def finished(self, urn: str, operation: Operation, fields: tuple[str, ...] = ()) -> None:
        """An operation ended well, or would take place."""
        with self._lock:
            if type_of(urn) != STACK_TYPE:
                self._changes[urn] = Change(urn, type_of(urn), name_of(urn), operation, fields)
            self._tell("finished", urn, operation)

    def read(self, urn: str) -> None:
        """A resource was read on the way to something else."""
        self._tell("finished", urn, "refresh")

    def failed(self, urn: str, message: str, operation: Operation | None = None) -> None:
        """A resource failed; with an empty URN, the run as a whole."""
        with self._lock:
            text = self._masker.mask(message)
            self._failures[urn] = Failure(urn, name_of(urn) if urn else "", text)
            self._changes.pop(urn, None)
            self._tell("failed", urn, operation, text)

    def message(self, text: str, urn: str = "") -> None:
        """A remark to the user."""
        self._tell("message", urn, None, self._masker.mask(text))

    def _tell(self, kind: Kind, urn: str, operation: Operation | None, text: str = "") -> None:
        if urn and type_of(urn) == STACK_TYPE and kind != "message":
            return
        with self._lock:
            self._handler(Event(self._now(), kind, urn, name_of(urn) if urn else "", operation, text))
