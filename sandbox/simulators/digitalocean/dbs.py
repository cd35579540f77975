"""Rules for the databases in a cluster."""

from sandbox.simulators.digitalocean import clusters
from sandbox.simulators.digitalocean.errors import NotFoundError, UnprocessableError
from sandbox.simulators.digitalocean.records import FIRST_DATABASE, Db
from sandbox.simulators.digitalocean.schemas import CreateDb
from sandbox.simulators.digitalocean.state import State


def listed(state: State, uuid: str) -> list[Db]:
    """The databases of a cluster that exists."""
    return clusters.dbs_of(state, clusters.get(state, uuid))


def get(state: State, uuid: str, name: str) -> Db:
    """One database of this cluster."""
    for db in listed(state, uuid):
        if db.name == name:
            return db
    raise NotFoundError


def create(state: State, uuid: str, order: CreateDb) -> Db:
    """A new database, which belongs to the admin."""
    cluster = clusters.require_online(state, uuid)
    with state.database.transaction():
        clusters.require_free("database", order.name, {db.name for db in clusters.dbs_of(state, cluster)})
        db = state.dbs.add(Db(cluster_uuid=uuid, name=order.name))
    state.servers.ensure(cluster.id, clusters.contents(state, uuid))
    return db


def delete(state: State, uuid: str, name: str) -> None:
    """Drop a database with all it holds; the first one stays."""
    cluster = clusters.require_online(state, uuid)
    db = get(state, uuid, name)
    if name == FIRST_DATABASE:
        raise UnprocessableError(f"{FIRST_DATABASE} cannot be deleted")
    state.servers.drop_database(cluster.id, name)
    state.dbs.remove(db.id)
