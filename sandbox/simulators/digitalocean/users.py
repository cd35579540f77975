"""Rules for the logins of a cluster."""

from sandbox.simulators.digitalocean import clusters
from sandbox.simulators.digitalocean.errors import NotFoundError, UnprocessableError
from sandbox.simulators.digitalocean.records import ADMIN, User
from sandbox.simulators.digitalocean.schemas import CreateUser
from sandbox.simulators.digitalocean.state import State, new_password


def listed(state: State, uuid: str) -> list[User]:
    """The logins of a cluster that exists."""
    return clusters.users_of(state, clusters.get(state, uuid))


def get(state: State, uuid: str, name: str) -> User:
    """One login of this cluster."""
    for user in listed(state, uuid):
        if user.name == name:
            return user
    raise NotFoundError


def create(state: State, uuid: str, order: CreateUser) -> User:
    """A new login with a password of the vendor's; it may connect, and no more."""
    cluster = clusters.require_online(state, uuid)
    with state.database.transaction():
        clusters.require_free("user", order.name, {user.name for user in clusters.users_of(state, cluster)})
        user = state.users.add(User(cluster_uuid=uuid, name=order.name, password=new_password()))
    state.servers.ensure(cluster.id, clusters.contents(state, uuid))
    return user


def reset(state: State, uuid: str, name: str) -> User:
    """Give a login a new password; from then on the vendor knows one that was made by SQL, too."""
    cluster = clusters.require_online(state, uuid)
    user = get(state, uuid, name).model_copy(update={"password": new_password()})
    user = state.users.put(user) if user.id else state.users.add(user)
    state.servers.ensure(cluster.id, clusters.contents(state, uuid))
    return user


def delete(state: State, uuid: str, name: str) -> None:
    """Drop a login; the admin stays."""
    cluster = clusters.require_online(state, uuid)
    user = get(state, uuid, name)
    if name == ADMIN:
        raise UnprocessableError(f"{ADMIN} cannot be deleted")
    state.servers.drop_admin(cluster.id, name)
    state.users.remove(user.id)
