"""The organization seen from outside the API: what exists, and changes made behind the caller's back."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.simulators.control import Edit, Inventory
from sandbox.simulators.neon import branches, operations, projects
from sandbox.simulators.neon.errors import ApiError
from sandbox.simulators.neon.records import Branch, Endpoint, Project
from sandbox.simulators.neon.state import State
from sandbox.simulators.objects import Table

# The deepest id in a path names the object the request is about.
_PATH_KINDS: Mapping[str, str] = {"endpoint_id": "endpoint", "branch_id": "branch", "project_id": "project"}


def inventory(state: State) -> Inventory:
    """All objects by kind. A project's `mark` is its name: the vendor has no other field for one."""
    every = [project for project in state.projects.all() if projects.is_known(state, project)]
    for project in every:
        branches.expire(state, project)
    keys = {each.id: each.key for each in every} | {each.id: each.key for each in state.branches.all()}
    names = {each.id: each.name for each in every}
    return {
        "projects": [
            {
                "id": each.key,
                "name": each.name,
                "mark": each.name,
                "region_id": each.region_id,
                "pg_version": each.pg_version,
                "deleted": each.deleted_at is not None,
            }
            for each in every
        ],
        "branches": [
            {
                "id": each.key,
                "name": f"{names[each.project_id]}/{each.name}",
                "project_id": keys[each.project_id],
                "deleted": each.deleted_at is not None,
                "status": _status(state, each),
                "port": address.port if (address := state.servers.address(each.id)) else None,
                "failure": state.servers.failure(each.id),
            }
            for each in state.branches.all()
        ],
        "endpoints": [
            {
                "id": each.key,
                "project_id": keys[each.project_id],
                "branch_id": keys[each.branch_id],
                "type": each.type,
                **each.compute.model_dump(),
            }
            for each in state.endpoints.all()
            if each.deleted_at is None
        ],
        "databases": [
            {"id": each.id, "name": each.name, "owner": each.owner_name, "branch_id": keys[each.branch_id]}
            for each in state.databases.all()
        ],
        "roles": [{"id": each.id, "name": each.name, "branch_id": keys[each.branch_id]} for each in state.roles.all()],
        "operations": [
            {
                "id": each.key,
                "project_id": keys[each.project_id],
                "action": each.action,
                "status": operations.status(state, operations.as_of_now(state, each)),
            }
            for each in state.operations.all()
        ],
    }


def edit(state: State, order: Edit) -> None:
    """Change or remove an object; LookupError when there is none, ValueError for a value it cannot have.

    A project or branch that is removed is gone for good, as after the time to recover it.
    """
    table = _table(state, order.kind)
    record = next((each for each in table.all() if str(order.id) in (str(each.id), getattr(each, "key", ""))), None)
    if record is None:
        raise LookupError(f"there is no {order.kind} {order.id}")
    if order.delete:
        _remove(state, record)
    else:
        table.put(type(record).model_validate(record.model_dump() | dict(order.set)))


def forget(state: State, path: Mapping[str, str]) -> None:
    """Remove the object that a request with these path parameters asks for; one that is gone already is fine."""
    for key, kind in _PATH_KINDS.items():
        if key in path:
            with contextlib.suppress(LookupError, ApiError):
                edit(state, Edit(kind=kind, id=path[key], delete=True))
            return


def _remove(state: State, record: Any) -> None:  # noqa: ANN401 - a record of any table
    removers: Mapping[type, Callable[[], None]] = {
        Project: lambda: projects.purge(state, record),
        Branch: lambda: branches.purge(state, record),
        Endpoint: lambda: state.endpoints.remove(record.id),
    }
    if type(record) not in removers:
        raise ValueError("only projects, branches and endpoints are removed here")
    removers[type(record)]()


def _status(state: State, branch: Branch) -> str:
    if branch.deleted_at is not None:
        return "deleted"
    if state.servers.failure(branch.id):
        return "error"
    return "ready" if state.servers.address(branch.id) else "init"


def _table(state: State, kind: str) -> Table[Any]:
    tables: Mapping[str, Table[Any]] = {
        "project": state.projects,
        "branch": state.branches,
        "endpoint": state.endpoints,
        "database": state.databases,
        "role": state.roles,
        "operation": state.operations,
    }
    if kind not in tables:
        raise LookupError(f"there is no kind {kind!r}; there are: {', '.join(tables)}")
    return tables[kind]
