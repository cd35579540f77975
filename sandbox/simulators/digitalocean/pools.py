"""Rules for the connection pools of a cluster."""

from sandbox.simulators.digitalocean import clusters
from sandbox.simulators.digitalocean.errors import NotFoundError, UnprocessableError
from sandbox.simulators.digitalocean.offers import SIZES, pool_connections
from sandbox.simulators.digitalocean.records import Cluster, Pool
from sandbox.simulators.digitalocean.schemas import CreatePool, UpdatePool
from sandbox.simulators.digitalocean.state import State


def listed(state: State, uuid: str) -> list[Pool]:
    """The pools of a cluster that exists."""
    clusters.get(state, uuid)
    return clusters.pools_of(state, uuid)


def get(state: State, uuid: str, name: str) -> Pool:
    """One pool of this cluster."""
    for pool in listed(state, uuid):
        if pool.name == name:
            return pool
    raise NotFoundError


def create(state: State, uuid: str, order: CreatePool) -> Pool:
    """A new pool; all pools of a cluster share its connections."""
    cluster = clusters.require_online(state, uuid)
    with state.database.transaction():
        clusters.require_free("pool", order.name, {pool.name for pool in clusters.pools_of(state, uuid)})
        _require_possible(state, cluster, order, besides=None)
        pool = state.pools.add(Pool(cluster_uuid=uuid, **order.model_dump()))
    clusters.guard(state, cluster)
    return pool


def update(state: State, uuid: str, name: str, change: UpdatePool) -> None:
    """Replace all of a pool but its name."""
    cluster = clusters.require_online(state, uuid)
    pool = get(state, uuid, name)
    _require_possible(state, cluster, change, besides=name)
    state.pools.put(pool.model_copy(update=change.model_dump()))
    clusters.guard(state, cluster)


def delete(state: State, uuid: str, name: str) -> None:
    """Delete a pool."""
    cluster = clusters.get(state, uuid)
    state.pools.remove(get(state, uuid, name).id)
    clusters.guard(state, cluster)


def _require_possible(state: State, cluster: Cluster, order: UpdatePool, besides: str | None) -> None:
    if order.db not in {db.name for db in clusters.dbs_of(state, cluster)}:
        raise UnprocessableError(f"database {order.db} is not in this cluster")
    if order.user is not None and order.user not in {user.name for user in clusters.users_of(state, cluster)}:
        raise UnprocessableError(f"user {order.user} is not in this cluster")
    taken = sum(pool.size for pool in clusters.pools_of(state, cluster.uuid) if pool.name != besides)
    if taken + order.size > (most := pool_connections(SIZES[cluster.size])):
        raise UnprocessableError(f"the pools of this cluster may have {most} connections, and {taken} are taken")
