"""Rules for the roles of a branch; the vendor makes up their passwords and, unless told otherwise, keeps them."""

import secrets

from sandbox.simulators.neon import hosting, operations
from sandbox.simulators.neon.errors import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    PreconditionError,
    UnprocessableError,
)
from sandbox.simulators.neon.operations import Fate, Step
from sandbox.simulators.neon.records import Branch, Operation, Project, Role
from sandbox.simulators.neon.state import State

_RESERVED = frozenset({"postgres", "template0", "template1", "cluster_owner", "public", hosting.SUPERUSER_GROUP})
_LONGEST_NAME = 63


def get(state: State, branch: Branch, name: str) -> Role:
    """A role of this branch."""
    role = find(state, branch, name)
    if role is None:
        raise NotFoundError("role not found")
    return role


def find(state: State, branch: Branch, name: str) -> Role | None:
    """A role of this branch, if there is one of the name."""
    return next((each for each in listed(state, branch) if each.name == name), None)


def listed(state: State, branch: Branch) -> list[Role]:
    """The roles of a branch, oldest first."""
    return state.roles.having("branch_id", branch.id)


def add(state: State, branch: Branch, name: str, *, log_in: bool) -> Role:
    """Record a new role, with a password if it may log in."""
    require_usable(name)
    if find(state, branch, name):
        raise ConflictError("role already exists")
    now = state.clock()
    password = _new_password() if log_in else None
    return state.roles.add(Role(branch_id=branch.id, name=name, password=password, created_at=now, updated_at=now))


def create(
    state: State, project: Project, branch: Branch, name: str, *, log_in: bool, fate: Fate
) -> tuple[Role, list[Operation]]:
    """Make a role, with the rights that the vendor gives all roles of its API."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        role = add(state, branch, name, log_in=log_in)
        scheduled = operations.schedule(state, project.id, [Step("apply_config", branch.id)], fate)
    state.servers.ensure(branch.id, hosting.contents(state, branch.id))
    return role, scheduled


def delete(
    state: State, project: Project, branch: Branch, name: str, fate: Fate
) -> tuple[Role, list[Operation]] | None:
    """Drop a role that owns no database; None if there is none."""
    with state.database.transaction():
        role = find(state, branch, name)
        if role is None:
            return None
        operations.require_idle(state, project.id)
        if any(each.owner_name == name for each in state.databases.having("branch_id", branch.id)):
            raise UnprocessableError("role owns databases: give them to another role first")
        state.roles.remove(role.id)
        scheduled = operations.schedule(state, project.id, [Step("apply_config", branch.id)], fate)
    state.servers.drop_admin(branch.id, name)
    return role, scheduled


def password_of(project: Project, role: Role) -> str:
    """The password of a role, where the project keeps passwords."""
    if not project.store_passwords:
        raise PreconditionError("passwords are not stored for this project")
    if role.password is None:
        raise NotFoundError("role has no password")
    return role.password


def reset_password(
    state: State, project: Project, branch: Branch, name: str, fate: Fate
) -> tuple[Role, list[Operation]]:
    """Give a role a new password."""
    with state.database.transaction():
        operations.require_idle(state, project.id)
        role = get(state, branch, name)
        if role.password is None:
            raise UnprocessableError("role cannot log in")
        changed = role.model_copy(update={"password": _new_password(), "updated_at": state.clock()})
        state.roles.put(changed)
        scheduled = operations.schedule(state, project.id, [Step("apply_config", branch.id)], fate)
    state.servers.ensure(branch.id, hosting.contents(state, branch.id))
    return changed, scheduled


def require_usable(name: str) -> None:
    """Refuse a name that belongs to the server itself or is longer than it can store; of roles and of databases."""
    if name in _RESERVED or name.startswith("pg_") or len(name.encode()) > _LONGEST_NAME:
        raise BadRequestError(f"{name!r} cannot be used as a name")


def _new_password() -> str:
    return f"npg_{secrets.token_hex(12)}"
