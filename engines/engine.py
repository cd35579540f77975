"""The protocol every engine keeps: what a run can do, what it answers, and the one error it raises."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Operation = Literal["same", "create", "update", "replace", "delete", "read", "refresh"]
Kind = Literal["started", "finished", "failed", "message"]


class EngineError(Exception):
    """A run that could not be done; its text is one sentence for the user and holds no secret."""


class UserError(EngineError):
    """A run that the user asked for in a way that cannot be, before anything was begun."""


class InterruptionError(Exception):
    """A run that a signal ended in order; its text says how far it came."""


@dataclass(frozen=True)
class Change:
    """What a run did, or would do, with one resource.

    A refresh reports "refresh" for a resource whose outputs changed, "delete" for one that is gone, else "same".
    """

    urn: str
    type: str
    name: str
    operation: Operation
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failure:
    """A resource that could not be brought to its wanted state, with the provider's own message."""

    urn: str
    name: str
    message: str


@dataclass(frozen=True)
class Result:
    """The outcome of a run: one change per resource, failures by resource, protected URNs that a destroy kept."""

    changes: tuple[Change, ...] = ()
    failures: tuple[Failure, ...] = ()
    kept: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def counts(self) -> Mapping[Operation, int]:
        """How many resources met each operation; an operation that did not occur counts 0."""
        return Counter(change.operation for change in self.changes)

    @property
    def changed(self) -> bool:
        """Whether anything but "same" (or a read that found nothing new) occurred."""
        return any(change.operation not in {"same", "read"} for change in self.changes)

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures


@dataclass(frozen=True)
class Event:
    """Progress of a run. `urn`, `name` and `operation` are empty for a message about the whole run."""

    time: datetime
    kind: Kind
    urn: str = ""
    name: str = ""
    operation: Operation | None = None
    message: str = ""


Handler = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Handle an event by doing nothing."""


class Engine(Protocol):
    """Runs the program of one stack. Every method raises EngineError when the run could not be done at all."""

    def preview(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """Say what `up` would do, changing nothing."""
        ...

    def up(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """Bring the resources to what the program declares; `refresh` reads every resource first."""
        ...

    def refresh(self, *, on_event: Handler = ignore) -> Result:
        """Bring the state to what the providers find."""
        ...

    def destroy(self, *, including_data: bool = False, on_event: Handler = ignore) -> Result:
        """Delete every resource; protected ones, and all they depend on, only if `including_data`."""
        ...

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Answer the stack's outputs; a secret is the text "[secret]" unless asked for."""
        ...

    def revision(self) -> str:
        """Answer which state there is: another after every run that changed it; empty where nobody can tell."""
        ...

    def export(self) -> dict[str, Any]:
        """Answer Pulumi's deployment document {version: 3, deployment: {…}}, secrets encrypted."""
        ...

    def import_state(self, document: Mapping[str, Any], *, instead_of: Mapping[str, Any] | None = None) -> None:
        """Replace the state by a document such as `export` gives, whole or not at all.

        Refused are another version than 3, resources of another project or stack, secrets that this stack's key does
        not open, and a state that is not `instead_of` any more, where that is given.
        """
        ...

    def break_lock(self, *, only_look: bool = False) -> str:
        """Break the lock of a run that is proven dead, and say whose it was; "" where there is none.

        Raises EngineError, with process, host and age, while the owner lives or where it cannot be known.
        """
        ...

    def configuration(self) -> Mapping[str, str]:
        """Answer the stack's configuration by namespaced key, secrets in plain text: never to be shown."""
        ...

    def finds_ours(self, type_: str) -> bool:
        """Whether a create of this type takes over an object that carries our mark instead of making another."""
        ...


def same_state(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two exported documents hold the same resources and pending operations, whenever they were written."""

    def content(document: Mapping[str, Any]) -> list[Any]:
        deployment = document["deployment"]
        return [deployment.get(key) or [] for key in ("resources", "pending_operations")]

    return content(one) == content(other)


def refuse_other_state(found: Mapping[str, Any], expected: Mapping[str, Any] | None) -> None:
    """Raise EngineError where the state that is to be replaced is not the one that was read."""
    if expected is not None and not same_state(found, expected):
        raise EngineError("the state has changed since it was read, by another run: begin again")
