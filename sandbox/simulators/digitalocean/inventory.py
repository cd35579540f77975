"""The account seen from outside the API: what exists with its marks, and changes made behind the caller's back."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.simulators.control import Edit, Inventory
from sandbox.simulators.digitalocean import clusters, dbs, pools, tags, users
from sandbox.simulators.digitalocean.errors import ApiError
from sandbox.simulators.digitalocean.records import Cluster
from sandbox.simulators.digitalocean.state import State
from sandbox.simulators.objects import Table

_REMOVE: Mapping[str, Callable[[State, Any], object]] = {
    "cluster": lambda state, record: clusters.delete(state, record.uuid),
    "database": lambda state, record: dbs.delete(state, record.cluster_uuid, record.name),
    "user": lambda state, record: users.delete(state, record.cluster_uuid, record.name),
    "pool": lambda state, record: pools.delete(state, record.cluster_uuid, record.name),
    "tag": lambda state, record: tags.delete(state, record.name),
}
# The deepest name in a path is the object the request is about.
_PATH_KINDS: Mapping[str, str] = {
    "database_name": "database",
    "username": "user",
    "pool_name": "pool",
    "tag_id": "tag",
    "database_cluster_uuid": "cluster",
}


def inventory(state: State) -> Inventory:
    """All objects by kind; a caller leaves its marks in the tags of a cluster, `mark` is the first of them.

    Databases and users are those that were made through the API.
    """
    names = {cluster.uuid: cluster.name for cluster in state.clusters.all()}
    return {
        "clusters": [
            {
                "id": each.uuid,
                "name": each.name,
                "mark": next(iter(each.tags), ""),
                "tags": list(each.tags),
                "status": each.status,
                "port": address.port if (address := state.servers.address(each.id)) else None,
                "failure": state.servers.failure(each.id),
                "rules": [f"{rule.type}:{rule.value}" for rule in each.rules],
            }
            for each in clusters.listed(state)
        ],
        **{
            kind: [
                {"id": each.key, "name": each.name, "cluster": names[each.cluster_uuid]}
                for each in _table(state, kind.removesuffix("s")).all()
            ]
            for kind in ("databases", "users", "pools")
        },
        "tags": [{"id": each.name, "name": each.name} for each in state.tags.all()],
    }


def edit(state: State, order: Edit) -> None:
    """Change or remove an object; LookupError when there is none, ValueError for a value it cannot have.

    A cluster goes by its id, a tag by its name, the rest by `cluster id/name`.
    """
    table = _table(state, order.kind)
    record = next((each for each in table.all() if each.key == str(order.id)), None)
    if record is None:
        raise LookupError(f"there is no {order.kind} {order.id}")
    if order.delete:
        _REMOVE[order.kind](state, record)
        return
    values = record.model_dump() | dict(order.set)
    if isinstance(record, Cluster) and "status" in order.set:
        # A status that is set by hand is not left by itself.
        values["settles_at"] = values["settles_to"] = None
    changed = table.put(type(record).model_validate(values))
    if isinstance(changed, Cluster):
        clusters.guard(state, changed)


def forget(state: State, path: Mapping[str, str]) -> None:
    """Remove the object that a request with these path parameters asks for; one that is gone already is fine."""
    for key, kind in _PATH_KINDS.items():
        if key in path:
            whose = path.get("database_cluster_uuid")
            identity = path[key] if kind in ("cluster", "tag") else f"{whose}/{path[key]}"
            with contextlib.suppress(LookupError, ApiError):
                edit(state, Edit(kind=kind, id=identity, delete=True))
            return


def _table(state: State, kind: str) -> Table[Any]:
    tables: Mapping[str, Table[Any]] = {
        "cluster": state.clusters,
        "database": state.dbs,
        "user": state.users,
        "pool": state.pools,
        "tag": state.tags,
    }
    if kind not in tables:
        raise LookupError(f"there is no kind {kind!r}; there are: {', '.join(tables)}")
    return tables[kind]
