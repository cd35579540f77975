"""Rules for the users of a cluster."""

from sandbox.simulators.timeweb import clusters
from sandbox.simulators.timeweb.errors import BadRequestError, NotFoundError
from sandbox.simulators.timeweb.presets import POSTGRES_PRIVILEGES
from sandbox.simulators.timeweb.records import Admin
from sandbox.simulators.timeweb.schemas import CreateAdmin, UpdateAdmin
from sandbox.simulators.timeweb.state import State


def listed(state: State, cluster_id: int) -> list[Admin]:
    """The users of a cluster that exists."""
    clusters.get(state, cluster_id)
    return clusters.admins_of(state, cluster_id)


def get(state: State, cluster_id: int, admin_id: int) -> Admin:
    """One user of this cluster."""
    clusters.get(state, cluster_id)
    admin = state.admins.find(admin_id)
    if admin is None or admin.cluster_id != cluster_id:
        raise NotFoundError
    return admin


def create(state: State, cluster_id: int, order: CreateAdmin) -> Admin:
    """A new user with all privileges unless some are named; its login is the only one of the cluster."""
    clusters.require_started(state, cluster_id)
    with state.database.transaction():
        _require_free_login(state, cluster_id, order.login)
        admin = state.admins.add(
            Admin(
                cluster_id=cluster_id,
                login=order.login,
                password=order.password,
                description=order.description,
                host=order.host,
                created_at=state.clock(),
                privileges=tuple(POSTGRES_PRIVILEGES if order.privileges is None else order.privileges),
                instance_id=_scope(state, cluster_id, order.instance_id, for_all=order.for_all),
            )
        )
    state.servers.ensure(cluster_id, clusters.contents(state, cluster_id))
    return admin


def update(state: State, cluster_id: int, admin_id: int, change: UpdateAdmin) -> Admin:
    """Change what was given."""
    clusters.require_started(state, cluster_id)
    admin = get(state, cluster_id, admin_id)
    values: dict[str, object] = {
        field: value
        for field, value in {"password": change.password, "description": change.description}.items()
        if value is not None
    }
    if change.privileges is not None:
        values["privileges"] = tuple(change.privileges)
    if change.instance_id is not None or change.for_all is not None:
        values["instance_id"] = _scope(state, cluster_id, change.instance_id, for_all=change.for_all)
    if change.login is not None and change.login != admin.login:
        _require_free_login(state, cluster_id, change.login)
        state.servers.rename_admin(cluster_id, admin.login, change.login)
        values["login"] = change.login
    admin = state.admins.put(admin.model_copy(update=values))
    state.servers.ensure(cluster_id, clusters.contents(state, cluster_id))
    return admin


def delete(state: State, cluster_id: int, admin_id: int) -> None:
    """Drop a user; databases it owned have no owner afterwards."""
    clusters.require_started(state, cluster_id)
    admin = get(state, cluster_id, admin_id)
    state.servers.drop_admin(cluster_id, admin.login)
    with state.database.transaction():
        for instance in clusters.instances_of(state, cluster_id):
            if instance.owner_id == admin_id:
                state.instances.put(instance.model_copy(update={"owner_id": None}))
        state.admins.remove(admin_id)


def _scope(state: State, cluster_id: int, instance_id: int | None, *, for_all: bool | None) -> int | None:
    if instance_id is None:
        return None
    if for_all:
        raise BadRequestError("instance_id and for_all exclude each other")
    if instance_id not in {instance.id for instance in clusters.instances_of(state, cluster_id)}:
        raise BadRequestError(f"instance_id {instance_id} is no database of this cluster")
    return instance_id


def _require_free_login(state: State, cluster_id: int, login: str) -> None:
    clusters.require_free(login, {admin.login for admin in clusters.admins_of(state, cluster_id)})
