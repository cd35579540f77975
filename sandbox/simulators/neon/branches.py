"""Rules for branches: each has data of its own, copied from its parent; some cannot be deleted, others expire."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandbox.simulators.neon import databases, endpoints, hosting, operations, roles
from sandbox.simulators.neon.errors import BadRequestError, ConflictError, NotFoundError, UnprocessableError
from sandbox.simulators.neon.operations import Fate, Step
from sandbox.simulators.neon.records import (
    RECOVERY_SECONDS,
    Branch,
    BranchDatabase,
    Endpoint,
    Operation,
    Project,
    Role,
    new_words,
    number_in,
)
from sandbox.simulators.neon.schemas import ChangedBranch, CreateBranch, NewBranch
from sandbox.simulators.neon.state import State


@dataclass(frozen=True)
class MadeBranch:
    """All that comes with a new branch; an endpoint only if it was asked for."""

    branch: Branch
    endpoints: Sequence[Endpoint]
    operations: Sequence[Operation]


def get(state: State, project: Project, key: str) -> Branch:
    """A branch of this project that is not deleted."""
    branch = _find(state, project, key)
    if branch is None or branch.deleted_at is not None:
        raise NotFoundError("branch not found")
    return branch


def of_project(state: State, project_id: int) -> list[Branch]:
    """The branches of a project that are not deleted, oldest first."""
    return [each for each in state.branches.having("project_id", project_id) if each.deleted_at is None]


def listed(state: State, project: Project, search: str, *, include_deleted: bool) -> list[Branch]:
    """The branches whose name or id holds the text, those that could be recovered only if asked for."""
    return [
        each
        for each in state.branches.having("project_id", project.id)
        if (include_deleted or each.deleted_at is None) and (search in each.name or search in each.key)
    ]


def default_of(state: State, project: Project) -> Branch:
    """The project's default branch."""
    return next(each for each in of_project(state, project.id) if each.default)


def first(
    state: State, project: Project, *, name: str, database: str, role: str | None, annotation: Mapping[str, str]
) -> tuple[Branch, BranchDatabase, Role]:
    """The default branch of a new project, with a database and the role that owns it."""
    now = state.clock()
    branch = state.branches.add(
        Branch(
            words=new_words(),
            project_id=project.id,
            parent_id=None,
            name=name,
            default=True,
            created_at=now,
            updated_at=now,
            annotation=annotation,
        )
    )
    owner = roles.add(state, branch, role or f"{database}_owner", log_in=True)
    return branch, databases.add(state, branch, database, owner.name), owner


def create(state: State, project: Project, order: CreateBranch, fate: Fate) -> MadeBranch:
    """Make a branch with its parent's data, databases, roles and passwords as they are now."""
    wanted = order.branch
    if sum(each.type == "read_write" for each in order.endpoints) > 1:
        raise BadRequestError("a branch has one read_write endpoint only")
    _require_simulated(wanted)
    now = state.clock()
    with state.database.transaction():
        operations.require_idle(state, project.id)
        parent = get(state, project, wanted.parent_id) if wanted.parent_id else default_of(state, project)
        words = new_words()
        _require_free(state, project, wanted.name or words)
        branch = state.branches.add(
            Branch(
                words=words,
                project_id=project.id,
                parent_id=parent.id,
                name=wanted.name or words,
                protected=wanted.protected,
                created_at=now,
                updated_at=now,
                annotation=order.annotation_value,
                **_expiry(state, wanted.expires_at.timestamp() if wanted.expires_at else None),
            )
        )
        for role in state.roles.having("branch_id", parent.id):
            state.roles.add(role.model_copy(update={"branch_id": branch.id}))
        for database in state.databases.having("branch_id", parent.id):
            state.databases.add(database.model_copy(update={"branch_id": branch.id}))
        made = [endpoints.add(state, project, branch, each) for each in order.endpoints]
        steps = [Step("create_branch", branch.id, needs_server=True)]
        steps += [Step("start_compute", branch.id, each.id, needs_server=True) for each in made]
        scheduled = operations.schedule(state, project.id, steps, fate)
    # Also without a compute: the data are those of this moment.
    hosting.launch(state, project, branch)
    return MadeBranch(branch, made, scheduled)


def update(state: State, project: Project, key: str, change: ChangedBranch) -> Branch:
    """Change what was given; an expiry of null takes it away."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        branch = get(state, project, key)
        values: dict[str, object] = {"updated_at": state.clock()}
        if change.name is not None and change.name != branch.name:
            _require_free(state, project, change.name)
            values["name"] = change.name
        if change.protected is not None:
            values["protected"] = change.protected
        if "expires_at" in change.model_fields_set:
            if change.expires_at is not None and (branch.default or _children(state, branch)):
                raise UnprocessableError("a default branch, and one with children, cannot expire")
            values |= _expiry(state, change.expires_at.timestamp() if change.expires_at else None)
        return state.branches.put(branch.model_copy(update=values))


def delete(
    state: State, project: Project, key: str, *, hard: bool, fate: Fate
) -> tuple[Branch, list[Operation]] | None:
    """Delete a branch, for good if `hard`; None if there is none. Root, default, parents and protected ones stay."""
    with state.database.transaction():
        branch = _find(state, project, key)
        if branch is None or branch.deleted_at is not None:
            return None
        operations.require_idle(state, project.id)
        if branch.default or branch.parent_id is None:
            raise UnprocessableError("cannot delete a root or default branch")
        if branch.protected:
            raise UnprocessableError("cannot delete a protected branch")
        if _children(state, branch):
            raise UnprocessableError("cannot delete a branch that has children")
        steps = [Step("suspend_compute", branch.id, each.id) for each in endpoints.of_branch(state, branch.id)]
        scheduled = operations.schedule(state, project.id, [*steps, Step("delete_timeline", branch.id)], fate)
        deleted = _mark_deleted(state, branch, state.clock(), "user")
        if hard:
            remove_records(state, branch)
    state.servers.halt(branch.id)
    if hard:
        state.servers.remove(branch.id)
    return deleted, scheduled


def recover(state: State, project: Project, key: str) -> Branch:
    """Take a deletion back; the branch has no expiry any more."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        branch = _find(state, project, key)
        if branch is None or branch.deleted_at is None:
            raise NotFoundError("no deleted branch of that id can be recovered")
        _require_free(state, project, branch.name)
        endpoints.begin_runs(state, branch.id)
        values = {"deleted_at": None, "expires_at": None, "ttl_seconds": None, "updated_at": state.clock()}
        branch = state.branches.put(branch.model_copy(update=values))
        steps = [
            Step("start_compute", branch.id, each.id, needs_server=True)
            for each in endpoints.of_branch(state, branch.id)
        ]
        operations.schedule(state, project.id, steps)
    hosting.launch(state, project, branch)
    return branch


def expire(state: State, project: Project) -> None:
    """Delete the branches of a project whose time has come, and forget those that nobody recovered in time."""
    now = state.clock()
    for branch in state.branches.having("project_id", project.id):
        if branch.deleted_at is not None and now >= branch.deleted_at + RECOVERY_SECONDS:
            purge(state, branch)
        elif branch.deleted_at is None and branch.expires_at is not None and now >= branch.expires_at:
            _mark_deleted(state, branch, branch.expires_at, "ttl")
            state.servers.halt(branch.id)


def purge(state: State, branch: Branch) -> None:
    """Remove a branch with its data for good."""
    with state.database.transaction():
        remove_records(state, branch)
    state.servers.remove(branch.id)


def remove_records(state: State, branch: Branch) -> None:
    """Forget a branch and what it held; its server is not touched."""
    for table in (state.endpoints, state.databases, state.roles):
        for record in table.having("branch_id", branch.id):
            table.remove(record.id)
    state.branches.remove(branch.id)


def _find(state: State, project: Project, key: str) -> Branch | None:
    branch = state.branches.find(number_in(key))
    return branch if branch and branch.key == key and branch.project_id == project.id else None


def _children(state: State, branch: Branch) -> list[Branch]:
    return [each for each in of_project(state, branch.project_id) if each.parent_id == branch.id]


def _mark_deleted(state: State, branch: Branch, at: float, by: str) -> Branch:
    endpoints.end_runs(state, branch.id, at)
    return state.branches.put(branch.model_copy(update={"deleted_at": at, "deleted_by": by}))


def _expiry(state: State, at: float | None) -> dict[str, object]:
    if at is not None and at <= state.clock():
        raise BadRequestError("expires_at must lie in the future")
    return {"expires_at": at, "ttl_seconds": None if at is None else round(at - state.clock())}


def _require_free(state: State, project: Project, name: str) -> None:
    if any(each.name == name for each in of_project(state, project.id)):
        raise ConflictError(f"branch with the name {name!r} already exists")


def _require_simulated(wanted: NewBranch) -> None:
    """Refuse what would need the history of a branch: it is not kept here."""
    if wanted.parent_lsn or wanted.parent_timestamp or wanted.archived or wanted.init_source != "parent-data":
        raise UnprocessableError("only a branch of the parent's data as they are now is simulated")
