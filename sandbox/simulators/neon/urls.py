"""Every operation the simulator serves, as data: method, path as the document writes it, handler."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.simulators.neon import branch_responses, project_responses
from sandbox.simulators.neon.calls import Answer, Call
from sandbox.simulators.neon.state import State

Handler = Callable[[State, Call], Answer]

# The document's paths are below the server's URL, which has this path.
PREFIX = "/api/v2"
_PROJECT = "/projects/{project_id}"
_BRANCH = _PROJECT + "/branches/{branch_id}"
_DATABASE = _BRANCH + "/databases/{database_name}"
_ROLE = _BRANCH + "/roles/{role_name}"
_ENDPOINT = _PROJECT + "/endpoints/{endpoint_id}"


@dataclass(frozen=True)
class Operation:
    """One served operation."""

    method: str
    path: str
    handler: Handler


OPERATIONS: tuple[Operation, ...] = tuple(
    Operation(method, path, handler)
    for method, path, handler in (
        ("GET", "/projects", project_responses.list_projects),
        ("POST", "/projects", project_responses.create_project),
        ("GET", _PROJECT, project_responses.get_project),
        ("PATCH", _PROJECT, project_responses.update_project),
        ("DELETE", _PROJECT, project_responses.delete_project),
        ("POST", _PROJECT + "/recover", project_responses.recover_project),
        ("GET", _PROJECT + "/operations", project_responses.list_operations),
        ("GET", _PROJECT + "/operations/{operation_id}", project_responses.get_operation),
        ("GET", _PROJECT + "/connection_uri", project_responses.get_connection_uri),
        ("GET", "/regions", project_responses.list_regions),
        ("GET", "/consumption_history/v2/projects", project_responses.list_consumption),
        ("GET", _PROJECT + "/branches", branch_responses.list_branches),
        ("POST", _PROJECT + "/branches", branch_responses.create_branch),
        ("GET", _PROJECT + "/branches/count", branch_responses.count_branches),
        ("GET", _BRANCH, branch_responses.get_branch),
        ("PATCH", _BRANCH, branch_responses.update_branch),
        ("DELETE", _BRANCH, branch_responses.delete_branch),
        ("POST", _BRANCH + "/recover", branch_responses.recover_branch),
        ("GET", _BRANCH + "/endpoints", branch_responses.list_branch_endpoints),
        ("GET", _BRANCH + "/databases", branch_responses.list_databases),
        ("POST", _BRANCH + "/databases", branch_responses.create_database),
        ("GET", _DATABASE, branch_responses.get_database),
        ("PATCH", _DATABASE, branch_responses.update_database),
        ("DELETE", _DATABASE, branch_responses.delete_database),
        ("GET", _BRANCH + "/roles", branch_responses.list_roles),
        ("POST", _BRANCH + "/roles", branch_responses.create_role),
        ("GET", _ROLE, branch_responses.get_role),
        ("DELETE", _ROLE, branch_responses.delete_role),
        ("GET", _ROLE + "/reveal_password", branch_responses.reveal_password),
        ("POST", _ROLE + "/reset_password", branch_responses.reset_password),
        ("GET", _PROJECT + "/endpoints", branch_responses.list_endpoints),
        ("POST", _PROJECT + "/endpoints", branch_responses.create_endpoint),
        ("GET", _ENDPOINT, branch_responses.get_endpoint),
        ("PATCH", _ENDPOINT, branch_responses.update_endpoint),
        ("DELETE", _ENDPOINT, branch_responses.delete_endpoint),
        ("POST", _ENDPOINT + "/start", branch_responses.start_endpoint),
        ("POST", _ENDPOINT + "/suspend", branch_responses.suspend_endpoint),
        ("POST", _ENDPOINT + "/restart", branch_responses.restart_endpoint),
    )
)
