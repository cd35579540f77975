"""Rules for the databases in a cluster."""

from sandbox.simulators.timeweb import clusters
from sandbox.simulators.timeweb.errors import BadRequestError, ConflictError, NotFoundError
from sandbox.simulators.timeweb.presets import DATABASE_TYPES
from sandbox.simulators.timeweb.records import Instance
from sandbox.simulators.timeweb.schemas import CreateInstance, UpdateInstance
from sandbox.simulators.timeweb.state import State


def listed(state: State, cluster_id: int) -> list[Instance]:
    """The databases of a cluster that exists."""
    clusters.get(state, cluster_id)
    return clusters.instances_of(state, cluster_id)


def get(state: State, cluster_id: int, instance_id: int) -> Instance:
    """One database of this cluster."""
    clusters.get(state, cluster_id)
    instance = state.instances.find(instance_id)
    if instance is None or instance.cluster_id != cluster_id:
        raise NotFoundError
    return instance


def create(state: State, cluster_id: int, order: CreateInstance) -> Instance:
    """A new database; its name is the only one of the cluster, and the cluster must run."""
    clusters.require_started(state, cluster_id)
    with state.database.transaction():
        _require_free_name(state, cluster_id, order.name)
        instance = state.instances.add(
            Instance(cluster_id=cluster_id, name=order.name, description=order.description, created_at=state.clock())
        )
    state.servers.ensure(cluster_id, clusters.contents(state, cluster_id))
    return instance


def update(state: State, cluster_id: int, instance_id: int, change: UpdateInstance) -> Instance:
    """Change what was given; names and owners only where the engine is PostgreSQL."""
    cluster = clusters.require_started(state, cluster_id, ConflictError)
    instance = get(state, cluster_id, instance_id)
    postgres = DATABASE_TYPES[cluster.type].family == "postgres"
    if change.config_parameters is not None or (not postgres and (change.name or change.owner_id)):
        raise ConflictError(f"not possible in a cluster of type {cluster.type}")
    values: dict[str, object] = {}
    if change.name is not None and change.name != instance.name:
        _require_free_name(state, cluster_id, change.name)
        state.servers.rename_database(cluster_id, instance.name, change.name)
        values["name"] = change.name
    if change.owner_id is not None:
        if change.owner_id not in {admin.id for admin in clusters.admins_of(state, cluster_id)}:
            raise BadRequestError(f"owner_id {change.owner_id} is no user of this cluster")
        values["owner_id"] = change.owner_id
    if change.description is not None:
        values["description"] = change.description
    if change.extensions is not None:
        values["extensions"] = tuple(change.extensions.extension_list)
        values["extensions_global"] = change.extensions.is_global
    instance = state.instances.put(instance.model_copy(update=values))
    state.servers.ensure(cluster_id, clusters.contents(state, cluster_id))
    return instance


def delete(state: State, cluster_id: int, instance_id: int) -> None:
    """Drop a database with all it holds."""
    clusters.require_started(state, cluster_id)
    instance = get(state, cluster_id, instance_id)
    state.servers.drop_database(cluster_id, instance.name)
    state.instances.remove(instance_id)


def _require_free_name(state: State, cluster_id: int, name: str) -> None:
    clusters.require_free(name, {instance.name for instance in clusters.instances_of(state, cluster_id)})
