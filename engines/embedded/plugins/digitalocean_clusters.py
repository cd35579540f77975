"""`digitalocean:index/databaseCluster:DatabaseCluster`, for PostgreSQL."""

from typing import Any

from engines.embedded.plugins import Arguments
from engines.embedded.plugins.digitalocean_account import Account, Answer, CallError
from engines.embedded.provider import Made

MARK = "tenantry:"
ONLINE = "online"
# What is changed by a call of its own; the rest stays as it was made.
RESIZED = frozenset({"size", "nodeCount"})


class Clusters:
    """Clusters; the id is the vendor's. One that carries our tag is ours, whichever run has made it."""

    arguments = frozenset({"name", "engine", "version", "size", "region", "nodeCount", "tags"})
    required = frozenset({"name", "engine", "version", "size", "region", "nodeCount"})
    replaces = frozenset({"name", "engine"})

    def __init__(self, account: Account) -> None:
        self._account = account

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer all arguments; the order of tags says nothing."""
        plain = {name: arguments.get(name) for name in self.arguments}
        return {**plain, "nodeCount": _whole(arguments.get("nodeCount")), "tags": sorted(arguments.get("tags") or [])}

    def create(self, arguments: Arguments) -> Made:
        """Adopt the cluster that carries our tag, or make it, and wait until it is online."""
        wanted = self.normal(arguments)
        found = self._find(wanted) or self._make(wanted)
        there = self._online(found["id"])
        outputs = _outputs(there)
        if self.normal(outputs) != wanted:
            # Another run has made it, as its program then was.
            outputs = self.update(there["id"], outputs, arguments)
        return Made(there["id"], outputs)

    def read(self, id_: str, outputs: Arguments) -> dict[str, Any] | None:
        """Read the cluster."""
        found = self._account.find(self._databases.get_cluster, id_)
        return None if found is None else {**outputs, **_outputs(found["database"])}

    def update(self, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Change size, nodes and tags."""
        before, wanted = self.normal(olds), self.normal(news)
        changed = {name for name in self.arguments if before[name] != wanted[name]}
        if others := sorted(changed - RESIZED - {"tags"}):
            raise ValueError(
                f"cluster {wanted['name']} ({id_}): {', '.join(others)} cannot be changed by the embedded engine:"
                " undo the edit, or use the Pulumi CLI"
            )
        if changed & RESIZED:
            body = {"size": wanted["size"], "num_nodes": wanted["nodeCount"]}
            self._account.call(self._databases.update_cluster_size, id_, body=body)
        self._tag(id_, before["tags"], wanted["tags"])
        return _outputs(self._online(id_))

    def delete(self, id_: str, _outputs: Arguments) -> None:
        """Delete the cluster and read back that it is gone."""
        if self._account.find(self._databases.destroy_cluster, id_) is None:
            return
        self._account.wait(
            lambda: "it still answers" if self._account.find(self._databases.get_cluster, id_) else "",
            f"the delete of cluster {id_}",
        )

    @property
    def _databases(self) -> Any:  # noqa: ANN401 - pydo has no types
        return self._account.client.databases

    def _find(self, wanted: dict[str, Any]) -> Answer | None:
        found: dict[str, Answer] = {}
        for mark in (tag for tag in wanted["tags"] if tag.startswith(MARK)):
            # A list of none is null.
            listed = self._account.call(self._databases.list_clusters, tag_name=mark)["databases"] or []
            found |= {row["id"]: row for row in listed if mark in (row.get("tags") or [])}
        if len(found) > 1:
            raise FileExistsError(f"several clusters carry our tag ({', '.join(found)}): remove it from all but one")
        return next(iter(found.values()), None)

    def _make(self, wanted: dict[str, Any]) -> Answer:
        body = {name: wanted[name] for name in ("name", "engine", "version", "size", "region", "tags")}
        try:
            made: Answer = self._account.make(
                self._databases.create_cluster, body={**body, "num_nodes": wanted["nodeCount"]}
            )["database"]
        except CallError as error:
            if error.uncertain and (found := self._find(wanted)):
                return found
            raise
        return made

    def _online(self, id_: str) -> Answer:
        seen: Answer = {}

        def look() -> str:
            # Just made, it may not be listed yet.
            found = self._account.find(self._databases.get_cluster, id_)
            seen.update((found or {}).get("database", {}))
            return "" if seen.get("status") == ONLINE else f"it is {seen.get('status', 'not there')}"

        self._account.wait(look, f"cluster {id_}")
        return seen

    def _tag(self, id_: str, before: list[str], wanted: list[str]) -> None:
        resources = {"resources": [{"resource_id": id_, "resource_type": "database"}]}
        tags = self._account.client.tags
        for name in sorted(set(before) - set(wanted)):
            self._account.find(tags.unassign_resources, name, body=resources)
        for name in sorted(set(wanted) - set(before)):
            self._account.call(tags.create, body={"name": name})
            self._account.call(tags.assign_resources, name, body=resources)


def _whole(number: object) -> object:
    return int(number) if isinstance(number, float) else number


def _outputs(row: Answer) -> dict[str, Any]:
    public, private = row.get("connection") or {}, row.get("private_connection") or {}
    return {
        "name": row["name"],
        "engine": row["engine"],
        "version": row["version"],
        "size": row["size"],
        "region": row["region"],
        "nodeCount": row["num_nodes"],
        "tags": list(row.get("tags") or []),
        "clusterUrn": f"do:dbaas:{row['id']}",
        "projectId": row.get("project_id"),
        "privateNetworkUuid": row.get("private_network_uuid"),
        "storageSizeMib": str(row["storage_size_mib"]) if row.get("storage_size_mib") else None,
        "host": public.get("host"),
        "port": public.get("port"),
        "database": public.get("database"),
        "user": public.get("user"),
        "password": public.get("password"),
        "uri": public.get("uri"),
        "privateHost": private.get("host"),
        "privateUri": private.get("uri"),
    }
