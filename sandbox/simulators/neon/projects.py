"""Rules for projects: names are not unique, a deletion can be taken back for seven days, an organization owns each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.simulators.neon import branches, endpoints, hosting, operations
from sandbox.simulators.neon.errors import BadRequestError, ForbiddenError, NotFoundError
from sandbox.simulators.neon.operations import Fate, Step
from sandbox.simulators.neon.records import (
    ORGANIZATION,
    RECOVERY_SECONDS,
    Branch,
    BranchDatabase,
    Compute,
    Endpoint,
    Operation,
    Project,
    Quota,
    Role,
    new_words,
    number_in,
)
from sandbox.simulators.neon.regions import DEFAULT_REGION, REGIONS
from sandbox.simulators.neon.schemas import ChangedProject, NewProject, ProjectSettings, Sized
from sandbox.simulators.neon.state import State

FIRST_BRANCH = "main"
FIRST_DATABASE = "neondb"


@dataclass(frozen=True)
class MadeProject:
    """All that comes with a new project."""

    project: Project
    branch: Branch
    endpoint: Endpoint
    database: BranchDatabase
    role: Role
    operations: Sequence[Operation]


def get(state: State, key: str) -> Project:
    """A project that is not deleted, its branches' expiries honoured."""
    project = _find(state, key)
    if project is None or project.deleted_at is not None:
        raise NotFoundError("project not found")
    branches.expire(state, project)
    return project


def get_even_deleted(state: State, key: str) -> Project:
    """A project, also one that could be recovered."""
    project = _find(state, key)
    if project is None:
        raise NotFoundError("project not found")
    return project


def listed(state: State, org_id: str | None, search: str = "", *, recoverable: bool = False) -> list[Project]:
    """The organization's projects, newest first: those that live, or those that could be recovered."""
    require_organization(state, org_id)
    known = [project for project in state.projects.all() if is_known(state, project)]
    return [
        project
        for project in reversed(known)
        if (project.deleted_at is not None) == recoverable and (search in project.name or search in project.key)
    ]


def create(state: State, order: NewProject, fate: Fate) -> MadeProject:
    """Make a project with its first branch, compute, database and role; another of the same name is no hindrance."""
    require_organization(state, order.org_id)
    region = order.region_id or DEFAULT_REGION
    if region not in REGIONS:
        raise BadRequestError(f"region {region} is not supported")
    now = state.clock()
    words = new_words()
    with state.database.transaction():
        project = state.projects.add(
            Project(
                words=words,
                name=order.name or words,
                region_id=region,
                pg_version=order.pg_version,
                provisioner=order.provisioner,
                org_id=ORGANIZATION,
                created_at=now,
                updated_at=now,
                store_passwords=order.store_passwords,
                history_seconds=order.history_retention_seconds,
                **_settings(order.settings, Quota()),
                compute=_compute(order),
            )
        )
        if order.name is None:
            project = state.projects.put(project.model_copy(update={"name": project.key}))
        branch, database, role = branches.first(
            state,
            project,
            name=order.branch.name or FIRST_BRANCH,
            database=order.branch.database_name or FIRST_DATABASE,
            role=order.branch.role_name,
            annotation=order.branch.annotations,
        )
        endpoint = endpoints.add(state, project, branch)
        steps = (
            Step("create_timeline", branch.id),
            Step("start_compute", branch.id, endpoint.id, needs_server=True),
        )
        scheduled = operations.schedule(state, project.id, steps, fate)
    hosting.launch(state, project, branch)
    return MadeProject(project, branch, endpoint, database, role, scheduled)


def update(state: State, key: str, change: ChangedProject) -> tuple[Project, list[Operation]]:
    """Change what was given: none of it needs an operation, but all of it waits for those that run."""
    with state.database.transaction():
        project = get(state, key)
        operations.require_idle(state, project.id)
        values: dict[str, object] = {
            "updated_at": state.clock(),
            "compute": change.default_endpoint_settings.over(project.compute),
            **_settings(change.settings, project.quota, project.settings),
        }
        if change.name is not None:
            values["name"] = change.name
        if change.history_retention_seconds is not None:
            values["history_seconds"] = change.history_retention_seconds
        return state.projects.put(project.model_copy(update=values)), []


def delete(state: State, key: str) -> Project:
    """Delete a project so that it can be recovered for a while; its servers end and keep their data."""
    with state.database.transaction():
        project = get(state, key)
        operations.require_idle(state, project.id)
        now = state.clock()
        deleted = state.projects.put(project.model_copy(update={"deleted_at": now}))
        held = branches.of_project(state, project.id)
        for branch in held:
            endpoints.end_runs(state, branch.id, now)
    for branch in held:
        state.servers.halt(branch.id)
    return deleted


def recover(state: State, key: str) -> tuple[Project, list[Branch]]:
    """Take a deletion back, with all the project held."""
    with state.database.transaction():
        project = _find(state, key)
        if project is None or project.deleted_at is None:
            raise NotFoundError("no deleted project of that id can be recovered")
        project = state.projects.put(project.model_copy(update={"deleted_at": None}))
        found = branches.of_project(state, project.id)
        for branch in found:
            endpoints.begin_runs(state, branch.id)
        steps = [
            Step("start_compute", each.branch_id, each.id, needs_server=True)
            for each in endpoints.of_project(state, project.id)
            if not each.disabled
        ]
        operations.schedule(state, project.id, steps)
    resume_project(state, project)
    return project, found


def resume(state: State) -> None:
    """Start the servers of all projects that are not deleted."""
    for project in state.projects.all():
        if project.deleted_at is None:
            resume_project(state, project)


def resume_project(state: State, project: Project) -> None:
    """Start the servers of the branches whose computes are not switched off, each after the one it was copied from."""
    for branch in branches.of_project(state, project.id):
        if any(not each.disabled for each in endpoints.of_branch(state, branch.id)):
            hosting.launch(state, project, branch)


def purge(state: State, project: Project) -> None:
    """Remove a project and all it held for good."""
    with state.database.transaction():
        every_branch = state.branches.having("project_id", project.id)
        for branch in every_branch:
            branches.remove_records(state, branch)
        for operation in state.operations.having("project_id", project.id):
            state.operations.remove(operation.id)
        state.projects.remove(project.id)
    for branch in every_branch:
        state.servers.remove(branch.id)


def is_known(state: State, project: Project) -> bool:
    """Whether the vendor still has the project: one whose time to be recovered is over is removed."""
    if project.deleted_at is None or state.clock() < project.deleted_at + RECOVERY_SECONDS:
        return True
    purge(state, project)
    return False


def require_organization(state: State, given: str | None) -> None:
    """Refuse a call that does not say which organization, if the key is a person's, or names another one."""
    if given is None and state.personal:
        raise BadRequestError("org_id is required, you can find it on your organization settings page")
    if given not in (None, ORGANIZATION):
        raise ForbiddenError("this key is not allowed to act for that organization")


def _find(state: State, key: str) -> Project | None:
    project = state.projects.find(number_in(key))
    if project is None or project.key != key or not is_known(state, project):
        return None
    return project


def _compute(order: NewProject) -> Compute:
    """The size of the computes of a new project: of its own fields, over the settings for all computes."""
    chosen = order.default_endpoint_settings.over(Compute())
    own = Sized(
        autoscaling_limit_min_cu=order.autoscaling_limit_min_cu, autoscaling_limit_max_cu=order.autoscaling_limit_max_cu
    )
    return own.over(chosen)


def _settings(given: ProjectSettings, quota: Quota, known: Mapping[str, object] | None = None) -> dict[str, object]:
    """The quota and the other settings as they are stored: what is not given stays."""
    values = given.model_dump(exclude_none=True)
    limits = quota.model_dump() | values.pop("quota", {})
    return {"quota": Quota(**limits), "settings": {**(known or {}), **values}}
