"""Rules for tags; of all that could carry one, clusters are simulated."""

from sandbox.simulators.digitalocean import clusters
from sandbox.simulators.digitalocean.errors import NotFoundError, UnprocessableError
from sandbox.simulators.digitalocean.records import Tag
from sandbox.simulators.digitalocean.schemas import CreateTag, TagResources
from sandbox.simulators.digitalocean.state import State

_CARRIER = "database"


def get(state: State, name: str) -> Tag:
    """One tag."""
    for tag in state.tags.all():
        if tag.name == name:
            return tag
    raise NotFoundError


def create(state: State, order: CreateTag) -> Tag:
    """A new tag; one that exists is answered as it is."""
    with state.database.transaction():
        return next((tag for tag in state.tags.all() if tag.name == order.name), None) or state.tags.add(
            Tag(name=order.name)
        )


def delete(state: State, name: str) -> None:
    """Delete a tag, also from all that carry it."""
    tag = get(state, name)
    with state.database.transaction():
        for cluster in clusters.listed(state, name):
            _put(state, cluster.uuid, name, carried=False)
        state.tags.remove(tag.id)


def mark(state: State, name: str, order: TagResources, *, carried: bool) -> None:
    """Put a tag on things, or take it off them."""
    get(state, name)
    with state.database.transaction():
        for resource in order.resources:
            if resource.resource_type != _CARRIER:
                raise UnprocessableError(f"resource_type {resource.resource_type} is not simulated")
            _put(state, resource.resource_id, name, carried=carried)


def _put(state: State, uuid: str, name: str, *, carried: bool) -> None:
    cluster = clusters.stored(state, uuid)
    others = tuple(tag for tag in cluster.tags if tag != name)
    state.clusters.put(cluster.model_copy(update={"tags": (*others, name) if carried else others}))
