"""Handlers for projects, operations, connection strings, regions and consumption: request in, rule, answer out."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import NAMESPACE_DNS, uuid5

from sandbox.simulators.neon import branches, consumption, databases, endpoints, operations, projects, roles, views
from sandbox.simulators.neon import connections as strings
from sandbox.simulators.neon.calls import Answer, Call
from sandbox.simulators.neon.errors import BadRequestError, NotFoundError
from sandbox.simulators.neon.records import Branch, Endpoint, Project
from sandbox.simulators.neon.regions import DEFAULT_REGION, REGIONS
from sandbox.simulators.neon.schemas import CreateProject, UpdateProject
from sandbox.simulators.neon.state import State, timestamp

T = TypeVar("T")

_PAGE, _LONGEST_PAGE = 10, 400
_ALL_OPERATIONS = 1000
_CONSUMPTION_PAGE = 100
_PLAN = "launch_v3"


def list_projects(state: State, call: Call) -> Answer:
    """One page of projects."""
    found = projects.listed(state, call.text("org_id"), call.text("search") or "", recoverable=call.flag("recoverable"))
    page, cursor = _page(found, lambda each: each.key, call.text("cursor"), call.limit(_PAGE, _LONGEST_PAGE))
    shown = {"projects": [views.listed_project(state, each) for each in page], "applications": {}, "integrations": {}}
    return Answer(200, shown | cursor)


def create_project(state: State, call: Call) -> Answer:
    """Make a project with all that comes with it."""
    made = projects.create(state, call.body(CreateProject).project, call.fate)
    return Answer(
        201,
        {
            "project": views.project(state, made.project),
            "connection_uris": [views.connection(state, made.endpoint, made.database, made.role)],
            "roles": [views.role(state, made.role, with_password=True)],
            "databases": [views.database(state, made.database)],
            "operations": views.operations_of(state, made.operations),
            "branch": views.branch(state, made.branch),
            "endpoints": [views.endpoint(state, made.endpoint)],
        },
    )


def get_project(state: State, call: Call) -> Answer:
    """One project."""
    find = projects.get_even_deleted if call.struck_by("deleted-still-answers") else projects.get
    return Answer(200, {"project": views.project(state, find(state, call.path["project_id"]))})


def update_project(state: State, call: Call) -> Answer:
    """Change a project."""
    changed, scheduled = projects.update(state, call.path["project_id"], call.body(UpdateProject).project)
    return Answer(200, {"project": views.project(state, changed), "operations": views.operations_of(state, scheduled)})


def delete_project(state: State, call: Call) -> Answer:
    """Delete a project; it can be recovered for a while."""
    return Answer(200, {"project": views.project(state, projects.delete(state, call.path["project_id"]))})


def recover_project(state: State, call: Call) -> Answer:
    """Take the deletion of a project back."""
    project, found = projects.recover(state, call.path["project_id"])
    return Answer(
        200, {"project": views.project(state, project), "branches": [views.branch(state, each) for each in found]}
    )


def list_operations(state: State, call: Call) -> Answer:
    """The operations of a project, newest first; of a deleted one too."""
    project = projects.get_even_deleted(state, call.path["project_id"])
    found = list(reversed(operations.of_project(state, project.id)))
    limit = call.limit(_ALL_OPERATIONS, _ALL_OPERATIONS)
    page, cursor = _page(found, lambda each: each.key, call.text("cursor"), limit)
    return Answer(200, {"operations": views.operations_of(state, page)} | cursor)


def get_operation(state: State, call: Call) -> Answer:
    """One operation; those of a deleted project too."""
    project = projects.get_even_deleted(state, call.path["project_id"])
    found = operations.get(state, project.id, call.path["operation_id"])
    return Answer(200, {"operation": views.operation(state, found)})


def get_connection_uri(state: State, call: Call) -> Answer:
    """The connection string for a role and a database of a branch."""
    project = projects.get(state, call.path["project_id"])
    role_name, database_name = call.required("role_name"), call.required("database_name")
    branch, endpoint = _where(state, project, call)
    role = roles.get(state, branch, role_name)
    database = databases.get(state, branch, database_name)
    return Answer(200, {"uri": strings.uri(state, endpoint, database, role, pooled=call.flag("pooled"))})


def list_regions(state: State, call: Call) -> Answer:
    """Where a project may lie."""
    if (org_id := call.text("org_id")) is not None:
        projects.require_organization(state, org_id)
    return Answer(
        200,
        {
            "regions": [
                {
                    "region_id": each.id,
                    "name": each.name,
                    "default": each.id == DEFAULT_REGION,
                    "geo_lat": each.latitude,
                    "geo_long": each.longitude,
                }
                for each in REGIONS.values()
            ]
        },
    )


def list_consumption(state: State, call: Call) -> Answer:
    """What projects used in each hour, day or month, newest project first."""
    metrics = call.words("metrics")
    if not metrics:
        raise BadRequestError("query parameter metrics is required")
    consumption.require_known(metrics)
    begin, end, granularity = call.moment("from"), call.moment("to"), call.required("granularity")
    org_id, wanted = call.required("org_id"), call.words("project_ids")
    # Also those that are deleted: what they used before counts.
    known = [*projects.listed(state, org_id), *projects.listed(state, org_id, recoverable=True)]
    found = sorted((each for each in known if not wanted or each.key in wanted), key=lambda each: -each.id)
    limit = call.limit(_PAGE, _CONSUMPTION_PAGE)
    page, cursor = _page(found, lambda each: each.key, call.text("cursor"), limit)
    shown = []
    for project in page:
        frames = consumption.frames(state, project, begin, end, granularity=granularity, metrics=metrics)
        shown.append({"project_id": project.key, "periods": [_period(project, frames)] if frames else []})
    return Answer(200, {"projects": shown} | cursor)


def _period(project: Project, frames: Sequence[consumption.Frame]) -> dict[str, Any]:
    return {
        "period_id": str(uuid5(NAMESPACE_DNS, project.key)),
        "period_plan": _PLAN,
        "period_start": timestamp(project.created_at),
        "consumption": [
            {
                "timeframe_start": timestamp(frame.begin),
                "timeframe_end": timestamp(frame.end),
                "metrics": [{"metric_name": name, "value": value} for name, value in frame.values.items()],
            }
            for frame in frames
        ],
    }


def _where(state: State, project: Project, call: Call) -> tuple[Branch, Endpoint]:
    """The branch and the compute that a connection is asked for: by default those of the project."""
    branch_id, endpoint_id = call.text("branch_id"), call.text("endpoint_id")
    if endpoint_id is not None:
        endpoint = endpoints.get(state, project, endpoint_id)
        branch = next(each for each in branches.of_project(state, project.id) if each.id == endpoint.branch_id)
        if branch_id not in (None, branch.key):
            raise NotFoundError("endpoint not found on that branch")
        return branch, endpoint
    branch = branches.get(state, project, branch_id) if branch_id else branches.default_of(state, project)
    found = endpoints.of_branch(state, branch.id)
    if not found:
        raise NotFoundError("branch has no endpoint")
    return branch, found[0]


def _page(
    items: Sequence[T], key: Callable[[T], str], cursor: str | None, limit: int
) -> tuple[Sequence[T], dict[str, Any]]:
    """The items after the cursor, which is the id of the last one shown; an empty page has no cursor."""
    first = 0
    if cursor:
        found = [index for index, each in enumerate(items) if key(each) == cursor]
        if not found:
            raise BadRequestError("cursor is unknown")
        first = found[0] + 1
    page = items[first : first + limit]
    return page, {"pagination": {"cursor": key(page[-1])}} if page else {}
