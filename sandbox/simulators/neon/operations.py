"""The vendor's operations: each change of a project makes some, they take time, and one change waits for another's."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.simulators.neon.errors import LockedError, NotFoundError
from sandbox.simulators.neon.records import Action, Operation, OperationStatus, new_random, operation_number
from sandbox.simulators.neon.state import State


@dataclass(frozen=True)
class Step:
    """An operation to be scheduled; one that `needs_server` is not done before the branch's server answers."""

    action: Action
    branch_id: int | None = None
    endpoint_id: int | None = None
    needs_server: bool = False


@dataclass(frozen=True)
class Fate:
    """What an incident does to a change: its last operation never ends, or fails."""

    stuck: bool = False
    fails: bool = False


USUAL = Fate()


def schedule(state: State, project_id: int, steps: Sequence[Step], fate: Fate = USUAL) -> list[Operation]:
    """Operations for the steps, one after the other. Call `require_idle` before, in the same transaction."""
    now = state.clock()
    scheduled = []
    for nth, step in enumerate(steps):
        last = nth == len(steps) - 1
        runs_at = now + state.delays.schedule + nth * state.delays.operation
        operation = Operation(
            random=new_random(),
            project_id=project_id,
            created_at=now,
            runs_at=runs_at,
            done_at=None if last and fate.stuck else runs_at + state.delays.operation,
            fails=last and fate.fails,
            **vars(step),
        )
        scheduled.append(state.operations.add(operation))
    return scheduled


def require_idle(state: State, project_id: int) -> None:
    """LockedError while an operation of the project is not done."""
    if unfinished(state, project_id):
        raise LockedError


def unfinished(state: State, project_id: int) -> list[Operation]:
    """The operations of a project that are not done at this moment, oldest first."""
    return [each for each in of_project(state, project_id) if each.ended is None]


def of_project(state: State, project_id: int) -> list[Operation]:
    """All operations of a project as they are at this moment, oldest first."""
    return [as_of_now(state, each) for each in state.operations.having("project_id", project_id)]


def get(state: State, project_id: int, key: str) -> Operation:
    """The operation as it is at this moment."""
    operation = state.operations.find(operation_number(key))
    if operation is None or operation.key != key or operation.project_id != project_id:
        raise NotFoundError("operation not found")
    return as_of_now(state, operation)


def as_of_now(state: State, operation: Operation) -> Operation:
    """The operation with the end that the clock and the server behind it give it; what has ended stays so."""
    if operation.ended or operation.done_at is None or state.clock() < operation.done_at:
        return operation
    error = "the operation failed" if operation.fails else None
    if operation.needs_server and operation.branch_id and not error:
        error = state.servers.failure(operation.branch_id)
        if error is None and state.servers.address(operation.branch_id) is None:
            return operation
    return state.operations.put(
        operation.model_copy(update={"ended": "failed" if error else "finished", "error": error})
    )


def status(state: State, operation: Operation) -> OperationStatus:
    """What the vendor calls it."""
    return operation.ended or ("scheduling" if state.clock() < operation.runs_at else "running")
