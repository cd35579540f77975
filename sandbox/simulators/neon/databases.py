"""Rules for the databases of a branch: known by their names, each owned by a role of the branch."""

from sandbox.simulators.neon import hosting, operations, roles
from sandbox.simulators.neon.errors import ConflictError, NotFoundError
from sandbox.simulators.neon.operations import Fate, Step
from sandbox.simulators.neon.records import Branch, BranchDatabase, Operation, Project
from sandbox.simulators.neon.schemas import ChangedDatabase, NewDatabase
from sandbox.simulators.neon.state import State


def get(state: State, branch: Branch, name: str) -> BranchDatabase:
    """A database of this branch."""
    database = _find(state, branch, name)
    if database is None:
        raise NotFoundError("database not found")
    return database


def listed(state: State, branch: Branch) -> list[BranchDatabase]:
    """The databases of a branch, oldest first."""
    return state.databases.having("branch_id", branch.id)


def add(state: State, branch: Branch, name: str, owner_name: str) -> BranchDatabase:
    """Record a new database of a role of the branch."""
    roles.require_usable(name)
    roles.get(state, branch, owner_name)
    _require_free(state, branch, name)
    now = state.clock()
    return state.databases.add(
        BranchDatabase(branch_id=branch.id, name=name, owner_name=owner_name, created_at=now, updated_at=now)
    )


def create(
    state: State, project: Project, branch: Branch, order: NewDatabase, fate: Fate
) -> tuple[BranchDatabase, list[Operation]]:
    """Make a database."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        database = add(state, branch, order.name, order.owner_name)
        scheduled = operations.schedule(state, project.id, [Step("apply_config", branch.id)], fate)
    state.servers.ensure(branch.id, hosting.contents(state, branch.id))
    return database, scheduled


def update(
    state: State, project: Project, branch: Branch, name: str, change: ChangedDatabase, *, fate: Fate
) -> tuple[BranchDatabase, list[Operation]]:
    """Change its name or its owner."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        database = get(state, branch, name)
        values: dict[str, object] = {"updated_at": state.clock()}
        if change.name is not None and change.name != name:
            roles.require_usable(change.name)
            _require_free(state, branch, change.name)
            values["name"] = change.name
        if change.owner_name is not None:
            values["owner_name"] = roles.get(state, branch, change.owner_name).name
        changed = state.databases.put(database.model_copy(update=values))
        scheduled = operations.schedule(state, project.id, [Step("apply_config", branch.id)], fate)
    if changed.name != name:
        state.servers.rename_database(branch.id, name, changed.name)
    state.servers.ensure(branch.id, hosting.contents(state, branch.id))
    return changed, scheduled


def delete(
    state: State, project: Project, branch: Branch, name: str, fate: Fate
) -> tuple[BranchDatabase, list[Operation]] | None:
    """Drop a database with all it holds; None if there is none."""
    with state.database.transaction():
        database = _find(state, branch, name)
        if database is None:
            return None
        operations.require_idle(state, project.id)
        state.databases.remove(database.id)
        scheduled = operations.schedule(state, project.id, [Step("apply_config", branch.id)], fate)
    state.servers.drop_database(branch.id, name)
    return database, scheduled


def _find(state: State, branch: Branch, name: str) -> BranchDatabase | None:
    return next((each for each in listed(state, branch) if each.name == name), None)


def _require_free(state: State, branch: Branch, name: str) -> None:
    if _find(state, branch, name):
        raise ConflictError("database already exists")
