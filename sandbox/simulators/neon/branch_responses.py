"""Handlers for branches and what they hold, and for computes: request in, rule, answer out."""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from sandbox.simulators.neon import branches, databases, endpoints, projects, roles, views
from sandbox.simulators.neon.calls import Answer, Call
from sandbox.simulators.neon.errors import BadRequestError
from sandbox.simulators.neon.operations import Fate
from sandbox.simulators.neon.records import Branch, Endpoint, Operation, Project
from sandbox.simulators.neon.schemas import (
    CreateBranch,
    CreateDatabase,
    CreateEndpoint,
    CreateRole,
    UpdateBranch,
    UpdateDatabase,
    UpdateEndpoint,
)
from sandbox.simulators.neon.state import State

Act = Callable[[State, Project, str, Fate], tuple[Endpoint, list[Operation]]]

_SORTED_BY = ("name", "created_at", "updated_at")
_DIRECTIONS: Mapping[str, bool] = {"asc": False, "desc": True}
_LONGEST_PAGE = 10000


def list_branches(state: State, call: Call) -> Answer:
    """One page of branches, by default those changed last first."""
    order, direction = call.text("sort_by") or "updated_at", call.text("sort_order") or "desc"
    if order not in _SORTED_BY or direction not in _DIRECTIONS:
        raise BadRequestError("sort_by or sort_order is unknown")
    project = _project(state, call)
    found = branches.listed(state, project, call.text("search") or "", include_deleted=call.flag("include_deleted"))
    found = sorted(found, key=attrgetter(order, "id"), reverse=_DIRECTIONS[direction])
    begin = 0
    if cursor := call.text("cursor"):
        begin = next((index + 1 for index, each in enumerate(found) if each.key == cursor), len(found))
    page = found[begin : begin + call.limit(_LONGEST_PAGE, _LONGEST_PAGE)]
    more = {"next": page[-1].key} if page and page[-1] is not found[-1] else {}
    return Answer(
        200,
        {
            "branches": [views.branch(state, each) for each in page],
            "annotations": {each.key: views.annotation(each) for each in page if each.annotation},
            "pagination": {"sort_by": order, "sort_order": direction, **more},
        },
    )


def count_branches(state: State, call: Call) -> Answer:
    """How many branches there are."""
    found = branches.listed(state, _project(state, call), call.text("search") or "", include_deleted=False)
    return Answer(200, {"count": len(found)})


def create_branch(state: State, call: Call) -> Answer:
    """Make a branch, with computes only if asked for."""
    made = branches.create(state, _project(state, call), call.body(CreateBranch), call.fate)
    held_roles, held = roles.listed(state, made.branch), databases.listed(state, made.branch)
    shown: dict[str, Any] = {
        "branch": views.branch(state, made.branch),
        "endpoints": [views.endpoint(state, each) for each in made.endpoints],
        "operations": views.operations_of(state, made.operations),
        "roles": [views.role(state, each) for each in held_roles],
        "databases": [views.database(state, each) for each in held],
    }
    # Only where it is clear which is meant.
    if len(held_roles) == len(held) == 1:
        uris = [views.connection(state, each, held[0], held_roles[0]) for each in made.endpoints]
        shown |= {"connection_uris": uris} if uris else {}
    return Answer(201, shown)


def get_branch(state: State, call: Call) -> Answer:
    """One branch."""
    branch = _branch(state, call)
    return Answer(200, {"branch": views.branch(state, branch), "annotation": views.annotation(branch)})


def update_branch(state: State, call: Call) -> Answer:
    """Change a branch."""
    change = call.body(UpdateBranch).branch
    changed = branches.update(state, _project(state, call), call.path["branch_id"], change)
    return Answer(200, {"branch": views.branch(state, changed), "operations": []})


def delete_branch(state: State, call: Call) -> Answer:
    """Delete a branch; one that is gone already is told by an empty answer."""
    hard = call.flag("hard_delete")
    gone = branches.delete(state, _project(state, call), call.path["branch_id"], hard=hard, fate=call.fate)
    return _changed(state, "branch", None if gone is None else (views.branch(state, gone[0]), gone[1]))


def recover_branch(state: State, call: Call) -> Answer:
    """Take the deletion of a branch back."""
    branch = branches.recover(state, _project(state, call), call.path["branch_id"])
    found = [views.endpoint(state, each) for each in endpoints.of_branch(state, branch.id)]
    return Answer(200, {"branch": views.branch(state, branch), "endpoints": found})


def list_branch_endpoints(state: State, call: Call) -> Answer:
    """The computes of a branch."""
    found = endpoints.of_branch(state, _branch(state, call).id)
    return Answer(200, {"endpoints": [views.endpoint(state, each) for each in found]})


def list_endpoints(state: State, call: Call) -> Answer:
    """The computes of a project."""
    found = endpoints.of_project(state, _project(state, call).id)
    return Answer(200, {"endpoints": [views.endpoint(state, each) for each in found]})


def create_endpoint(state: State, call: Call) -> Answer:
    """Give a branch a compute."""
    order = call.body(CreateEndpoint).endpoint
    project = _project(state, call)
    branch = branches.get(state, project, order.branch_id)
    made, scheduled = endpoints.create(state, project, branch, order, call.fate)
    return _changed(state, "endpoint", (views.endpoint(state, made), scheduled), 201)


def get_endpoint(state: State, call: Call) -> Answer:
    """One compute."""
    found = endpoints.get(state, _project(state, call), call.path["endpoint_id"])
    return Answer(200, {"endpoint": views.endpoint(state, found)})


def update_endpoint(state: State, call: Call) -> Answer:
    """Change a compute."""
    change = call.body(UpdateEndpoint).endpoint
    changed, scheduled = endpoints.update(state, _project(state, call), call.path["endpoint_id"], change, call.fate)
    return _changed(state, "endpoint", (views.endpoint(state, changed), scheduled))


def delete_endpoint(state: State, call: Call) -> Answer:
    """Take a compute away; one that is gone already is told by an empty answer."""
    gone = endpoints.delete(state, _project(state, call), call.path["endpoint_id"], call.fate)
    return _changed(state, "endpoint", None if gone is None else (views.endpoint(state, gone[0]), gone[1]))


def start_endpoint(state: State, call: Call) -> Answer:
    """Start a compute."""
    return _act(state, call, endpoints.start)


def suspend_endpoint(state: State, call: Call) -> Answer:
    """Suspend a compute."""
    return _act(state, call, endpoints.suspend)


def restart_endpoint(state: State, call: Call) -> Answer:
    """Restart a compute."""
    return _act(state, call, endpoints.restart)


def list_databases(state: State, call: Call) -> Answer:
    """The databases of a branch."""
    found = databases.listed(state, _branch(state, call))
    return Answer(200, {"databases": [views.database(state, each) for each in found]})


def create_database(state: State, call: Call) -> Answer:
    """Make a database."""
    order = call.body(CreateDatabase).database
    made, scheduled = databases.create(state, _project(state, call), _branch(state, call), order, call.fate)
    return _changed(state, "database", (views.database(state, made), scheduled), 201)


def get_database(state: State, call: Call) -> Answer:
    """One database."""
    found = databases.get(state, _branch(state, call), call.path["database_name"])
    return Answer(200, {"database": views.database(state, found)})


def update_database(state: State, call: Call) -> Answer:
    """Change a database."""
    change = call.body(UpdateDatabase).database
    changed, scheduled = databases.update(
        state, _project(state, call), _branch(state, call), call.path["database_name"], change, fate=call.fate
    )
    return _changed(state, "database", (views.database(state, changed), scheduled))


def delete_database(state: State, call: Call) -> Answer:
    """Drop a database; one that is gone already is told by an empty answer."""
    gone = databases.delete(state, _project(state, call), _branch(state, call), call.path["database_name"], call.fate)
    return _changed(state, "database", None if gone is None else (views.database(state, gone[0]), gone[1]))


def list_roles(state: State, call: Call) -> Answer:
    """The roles of a branch."""
    return Answer(200, {"roles": [views.role(state, each) for each in roles.listed(state, _branch(state, call))]})


def create_role(state: State, call: Call) -> Answer:
    """Make a role; its password is in the answer."""
    order = call.body(CreateRole).role
    made, scheduled = roles.create(
        state, _project(state, call), _branch(state, call), order.name, log_in=not order.no_login, fate=call.fate
    )
    return _changed(state, "role", (views.role(state, made, with_password=True), scheduled), 201)


def get_role(state: State, call: Call) -> Answer:
    """One role."""
    return Answer(200, {"role": views.role(state, roles.get(state, _branch(state, call), call.path["role_name"]))})


def delete_role(state: State, call: Call) -> Answer:
    """Drop a role; one that is gone already is told by an empty answer."""
    gone = roles.delete(state, _project(state, call), _branch(state, call), call.path["role_name"], call.fate)
    return _changed(state, "role", None if gone is None else (views.role(state, gone[0]), gone[1]))


def reveal_password(state: State, call: Call) -> Answer:
    """The password of a role, where it is kept."""
    role = roles.get(state, _branch(state, call), call.path["role_name"])
    return Answer(200, {"password": roles.password_of(_project(state, call), role)})


def reset_password(state: State, call: Call) -> Answer:
    """Give a role a new password; it is in the answer."""
    changed, scheduled = roles.reset_password(
        state, _project(state, call), _branch(state, call), call.path["role_name"], call.fate
    )
    return _changed(state, "role", (views.role(state, changed, with_password=True), scheduled))


def _act(state: State, call: Call, act: Act) -> Answer:
    endpoint, scheduled = act(state, _project(state, call), call.path["endpoint_id"], call.fate)
    return _changed(state, "endpoint", (views.endpoint(state, endpoint), scheduled))


def _changed(state: State, kind: str, change: tuple[views.Json, list[Operation]] | None, status: int = 200) -> Answer:
    """An object with the operations of its change; no body where there was nothing to change."""
    if change is None:
        return Answer(204)
    shown, scheduled = change
    return Answer(status, {kind: shown, "operations": views.operations_of(state, scheduled)})


def _project(state: State, call: Call) -> Project:
    return projects.get(state, call.path["project_id"])


def _branch(state: State, call: Call) -> Branch:
    return branches.get(state, _project(state, call), call.path["branch_id"])
