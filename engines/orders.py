"""What a run is asked for and how it ended, as values that go from one process to another as JSON lines."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from engines.engine import Change, Engine, EngineError, Event, Failure, Handler, Result, UserError

Verb = Literal["preview", "up", "refresh", "destroy"]


@dataclass(frozen=True)
class Order:
    """One operation of an engine, with its options."""

    verb: Verb
    refresh: bool = False
    including_data: bool = False

    def perform(self, engine: Engine, on_event: Handler) -> Result:
        """Run it. Raises EngineError."""
        if self.verb == "preview":
            # Its events would read as if something were done.
            return engine.preview(refresh=self.refresh)
        if self.verb == "up":
            return engine.up(refresh=self.refresh, on_event=on_event)
        if self.verb == "refresh":
            return engine.refresh(on_event=on_event)
        return engine.destroy(including_data=self.including_data, on_event=on_event)


@dataclass(frozen=True)
class Job:
    """An order for one stack on the catalogue in `fleet`; `parallel` operations at once, None as the engine likes."""

    order: Order
    stack: str
    engine: str
    fleet: str
    parallel: int | None = None

    def as_json(self) -> str:
        """The job as one line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(line: str) -> "Job":
        """The job of a line."""
        fields = json.loads(line)
        return Job(**{**fields, "order": Order(**fields["order"])})


@dataclass(frozen=True)
class Outcome:
    """How a stack's run ended: its result and the revision of the state that it left, or why there is none."""

    result: Result | None = None
    revision: str = ""
    error: EngineError | None = None
    interrupted: bool = False


def event_line(event: Event) -> str:
    """An event as one line of JSON."""
    return json.dumps({"event": {**asdict(event), "time": event.time.isoformat()}})


def outcome_line(outcome: Outcome) -> str:
    """An outcome as one line of JSON."""
    document: dict[str, Any] = {"revision": outcome.revision, "interrupted": outcome.interrupted}
    if outcome.result is not None:
        document["result"] = asdict(outcome.result)
    if outcome.error is not None:
        document["error"] = {"text": str(outcome.error), "user": isinstance(outcome.error, UserError)}
    return json.dumps({"outcome": document})


def parse_line(line: str) -> Event | Outcome:
    """What a child wrote. Raises ValueError for anything else."""
    document = json.loads(line)
    if not isinstance(document, dict) or not document.keys() & {"event", "outcome"}:
        raise ValueError(line)
    if "event" in document:
        event = document["event"]
        return Event(**{**event, "time": datetime.fromisoformat(event["time"])})
    return _outcome(document["outcome"])


def _outcome(document: Mapping[str, Any]) -> Outcome:
    error = None
    if told := document.get("error"):
        error = (UserError if told["user"] else EngineError)(told["text"])
    return Outcome(
        _result(document["result"]) if "result" in document else None,
        document["revision"],
        error,
        document["interrupted"],
    )


def _result(document: Mapping[str, Any]) -> Result:
    return Result(
        tuple(Change(**{**change, "fields": tuple(change["fields"])}) for change in document["changes"]),
        tuple(Failure(**failure) for failure in document["failures"]),
        tuple(document["kept"]),
        document["seconds"],
    )
