"""The account seen from outside the API: what exists with its marks, and changes made behind the caller's back."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.simulators.control import Edit, Inventory
from sandbox.simulators.objects import Table
from sandbox.simulators.timeweb import admins, backups, buckets, clusters, instances, storage_users
from sandbox.simulators.timeweb.errors import ApiError
from sandbox.simulators.timeweb.records import Cluster
from sandbox.simulators.timeweb.state import State

_REMOVE: Mapping[str, Callable[[State, Any], object]] = {
    "cluster": lambda state, record: clusters.delete(state, record.id),
    "database": lambda state, record: instances.delete(state, record.cluster_id, record.id),
    "admin": lambda state, record: admins.delete(state, record.cluster_id, record.id),
    "backup": lambda state, record: backups.delete(state, record.cluster_id, record.id),
    "bucket": buckets.drop,
    "storage_user": lambda state, record: storage_users.delete(state, record.uuid),
}
# The deepest id in a path names the object the request is about.
_PATH_KINDS: Mapping[str, str] = {
    "instance_id": "database",
    "admin_id": "admin",
    "backup_id": "backup",
    "bucket_id": "bucket",
    "user_id": "storage_user",
    "db_cluster_id": "cluster",
    "db_id": "cluster",
}


def inventory(state: State) -> Inventory:
    """All objects by kind; `mark` is where a caller leaves its mark: the description, or a storage user's name."""
    return {
        "clusters": [
            {
                "id": each.id,
                "name": each.name,
                "mark": each.description,
                "type": each.type,
                "status": each.status,
                "port": address.port if (address := state.servers.address(each.id)) else None,
                "failure": state.servers.failure(each.id),
            }
            for each in clusters.listed(state)
        ],
        "databases": [
            {"id": each.id, "name": each.name, "mark": each.description, "cluster_id": each.cluster_id}
            for each in state.instances.all()
        ],
        "admins": [
            {"id": each.id, "name": each.login, "mark": each.description, "cluster_id": each.cluster_id}
            for each in state.admins.all()
        ],
        "buckets": [
            {"id": each.id, "name": each.name, "mark": each.description, "full_name": each.full_name}
            for each in state.buckets.all()
        ],
        "storage_users": [
            {"id": each.uuid, "name": each.name, "mark": each.name} for each in state.storage_users.all()
        ],
    }


def edit(state: State, order: Edit) -> None:
    """Change or remove an object; LookupError when there is none, ValueError for a value it cannot have."""
    table = _table(state, order.kind)
    record = next((each for each in table.all() if str(order.id) in (str(each.id), getattr(each, "uuid", ""))), None)
    if record is None:
        raise LookupError(f"there is no {order.kind} {order.id}")
    if order.delete:
        _REMOVE[order.kind](state, record)
        return
    values = record.model_dump() | dict(order.set)
    if isinstance(record, Cluster) and "status" in order.set:
        # A status that is set by hand is not left by itself.
        values["settles_at"] = values["settles_to"] = None
    table.put(type(record).model_validate(values))


def forget(state: State, path: Mapping[str, str]) -> None:
    """Remove the object that a request with these path parameters asks for; one that is gone already is fine."""
    for key, kind in _PATH_KINDS.items():
        if key in path:
            with contextlib.suppress(LookupError, ApiError):
                edit(state, Edit(kind=kind, id=path[key], delete=True))
            return


def _table(state: State, kind: str) -> Table[Any]:
    tables: Mapping[str, Table[Any]] = {
        "cluster": state.clusters,
        "database": state.instances,
        "admin": state.admins,
        "backup": state.backups,
        "bucket": state.buckets,
        "storage_user": state.storage_users,
    }
    if kind not in tables:
        raise LookupError(f"there is no kind {kind!r}; there are: {', '.join(tables)}")
    return tables[kind]
