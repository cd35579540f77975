"""What the CLI's event stream says of each resource: changes and failures, errors in the provider's own words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pulumi.automation.events import EngineEvent, OpType, StepEventMetadata

from engines.engine import Change, Event, Failure, Handler, Kind, Operation, Result

# What each of the engine's steps means for a user; a step that is not here is bookkeeping.
OPERATIONS: Mapping[OpType, Operation] = {
    OpType.SAME: "same",
    OpType.CREATE: "create",
    OpType.UPDATE: "update",
    OpType.DELETE: "delete",
    OpType.REPLACE: "replace",
    OpType.CREATE_REPLACEMENT: "replace",
    OpType.READ: "read",
    OpType.REFRESH: "refresh",
}
# What the CLI says after a program's own sentence.
CLOSING_WORDS = "an unhandled error occurred: program exited"
# A plugin's traceback, up to the line that names the exception.
TRACEBACK = re.compile(r"^.*Traceback \(most recent call last\):\n(?:[ \t]+.*\n)+", re.MULTILINE)
STACK_TYPE = "pulumi:pulumi:Stack"


@dataclass
class Recorder:
    """Turns the CLI's events into changes and failures, one of each per resource."""

    on_event: Handler
    changes: dict[str, Change] = field(default_factory=dict)
    messages: dict[str, list[str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    # Resources whose refresh has begun: its outcome comes with the event that ends it.
    reading: set[str] = field(default_factory=set)

    def __call__(self, event: EngineEvent) -> None:
        """Take in one event."""
        if event.resource_pre_event is not None:
            self._step("started", event.resource_pre_event.metadata)
        elif event.res_outputs_event is not None:
            self._step("finished", event.res_outputs_event.metadata)
        elif event.res_op_failed_event is not None:
            metadata = event.res_op_failed_event.metadata
            self.failed[metadata.urn] = name_of(metadata.urn)
            self._step("failed", metadata)
        elif event.diagnostic_event is not None and event.diagnostic_event.severity == "error":
            urn = event.diagnostic_event.urn or ""
            self.messages.setdefault(urn, []).append(event.diagnostic_event.message)

    def _step(self, kind: Kind, metadata: StepEventMetadata) -> None:
        operation = OPERATIONS.get(metadata.op)
        if operation is None or metadata.type == STACK_TYPE:
            return
        if metadata.op is OpType.REFRESH:
            # A refresh before an `up` ends in the same words; what the `up` then does is what counts.
            (self.reading.add if kind == "started" else self.reading.discard)(metadata.urn)
        elif metadata.urn in self.reading:
            self.reading.discard(metadata.urn)
            self._record(metadata, refreshed(operation, metadata))
        elif kind == "started":
            self._record(metadata, operation)
        self.on_event(Event(utc_now(), kind, metadata.urn, name_of(metadata.urn), operation))

    def _record(self, metadata: StepEventMetadata, operation: Operation) -> None:
        known = self.changes.get(metadata.urn)
        # A replacement's parts are told one by one; and after a refresh, that the program changes nothing about it.
        if known is not None and (known.operation == "replace" or operation == "same"):
            return
        fields = tuple(sorted(metadata.diffs or ()))
        self.changes[metadata.urn] = Change(metadata.urn, metadata.type, name_of(metadata.urn), operation, fields)

    def failures(self) -> tuple[Failure, ...]:
        """One for each resource that failed; one without a name where only the run as a whole did."""
        urns = dict.fromkeys([*self.failed, *(urn for urn in self.messages if urn)])
        named = [Failure(urn, name_of(urn), sentence(self.messages.get(urn, []))) for urn in urns if not is_stack(urn)]
        if named:
            return tuple(named)
        whole = [message for urn, messages in self.messages.items() if not urn or is_stack(urn) for message in messages]
        return (Failure("", "", sentence(whole)),) if whole else ()


def refreshed(found: Operation, metadata: StepEventMetadata) -> Operation:
    """What a refresh found, by the operation on the state that ends it.

    Components and providers are nothing that could be looked at, yet the CLI says "update" of each.
    """
    if not metadata.provider or metadata.type.startswith("pulumi:providers:"):
        return "same"
    return "refresh" if found == "update" else found


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


def name_of(urn: str) -> str:
    """The logical name in a URN."""
    return urn.rpartition("::")[2]


def is_stack(urn: str) -> bool:
    """Whether a URN is the stack's own."""
    return f"::{STACK_TYPE}::" in urn


def sentence(messages: Sequence[str]) -> str:
    """The last line of the provider's own error; the traceback before it is the plugin's, not the user's."""
    if not messages:
        return "failed without a message"
    own = [message for message in messages if not message.lstrip().startswith(CLOSING_WORDS)]
    text = re.sub(r"<\{%.*?%\}>|\x1b\[[0-9;]*m", "", "\n".join(own or messages)).strip()
    before, *after = TRACEBACK.split(text)
    lines = [line.strip() for line in (after[-1] if after else before).splitlines() if line.strip()]
    told = " ".join(lines) or "failed without a message"
    return re.sub(r"^[A-Za-z_][\w.]*: " if after else r"^[\w.]+(Error|Exception): ", "", told)


def blamed(failures: tuple[Failure, ...], deployment: Mapping[str, Any]) -> tuple[Failure, ...]:
    """Failures with their causes: a resource that lacks what a failed one did not deliver was only not attempted."""
    needs = {resource["urn"]: resource.get("dependencies") or [] for resource in deployment.get("resources") or []}
    failed = {failure.urn for failure in failures}

    def told(failure: Failure) -> Failure:
        missing = [urn for urn in needs.get(failure.urn, []) if urn in failed]
        if not missing or "has a problem" not in failure.message:
            return failure
        return replace(failure, message=f"not attempted: it needs '{name_of(missing[0])}', which failed")

    return tuple(told(failure) for failure in failures)


def merged(first: Result, second: Result) -> Result:
    """Two runs of one `up` as one: what the second found unchanged keeps what the first did to it."""
    changes = {change.urn: change for change in second.changes}
    changes |= {change.urn: change for change in first.changes if change.operation != "same"}
    return Result(tuple(changes.values()), first.failures + second.failures, (), first.seconds + second.seconds)
