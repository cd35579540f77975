"""What belongs to one cluster: `databaseFirewall:DatabaseFirewall` and `databaseConnectionPool:DatabaseConnectionPool`.

Neither has a mark of its own: on a cluster of ours they are ours.
"""

from typing import Any

from engines.embedded.plugins import Arguments
from engines.embedded.plugins.digitalocean_account import Account, Answer, CallError
from engines.embedded.provider import Made


class Firewalls:
    """The trusted sources of a cluster, always as a whole; the id is made up of the cluster's."""

    arguments = frozenset({"clusterId", "rules"})
    required = frozenset({"clusterId", "rules"})
    replaces = frozenset({"clusterId"})

    def __init__(self, account: Account) -> None:
        self._account = account

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer the cluster and what each rule lets in; their order says nothing."""
        rules = arguments.get("rules")
        known = sorted([rule["type"], rule["value"]] for rule in rules) if isinstance(rules, list) else rules
        return {"clusterId": arguments.get("clusterId"), "rules": known}

    def create(self, arguments: Arguments) -> Made:
        """Write the rules."""
        return Made(f"{arguments['clusterId']}-firewall", self._put(arguments))

    def read(self, _id: str, outputs: Arguments) -> dict[str, Any] | None:
        """Read the rules; without its cluster there is no firewall."""
        found = self._account.find(self._databases.list_firewall_rules, outputs["clusterId"])
        return None if found is None else {"clusterId": outputs["clusterId"], "rules": _rules(found)}

    def update(self, _id: str, _olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Write the rules."""
        return self._put(news)

    def delete(self, _id: str, outputs: Arguments) -> None:
        """Take the rules away, which opens a cluster that stays."""
        self._account.find(self._databases.update_firewall_rules, outputs["clusterId"], body={"rules": []})

    @property
    def _databases(self) -> Any:  # noqa: ANN401 - pydo has no types
        return self._account.client.databases

    def _put(self, arguments: Arguments) -> dict[str, Any]:
        cluster = arguments["clusterId"]
        rules = [{"type": rule["type"], "value": rule["value"]} for rule in arguments["rules"]]
        self._account.call(self._databases.update_firewall_rules, cluster, body={"rules": rules})
        return {
            "clusterId": cluster,
            "rules": _rules(self._account.call(self._databases.list_firewall_rules, cluster)),
        }


class Pools:
    """Connection pools; the id is `<cluster>/<name>`."""

    arguments = frozenset({"clusterId", "name", "mode", "size", "dbName", "user"})
    required = frozenset({"clusterId", "name", "mode", "size", "dbName"})
    replaces = frozenset({"clusterId", "name"})

    def __init__(self, account: Account) -> None:
        self._account = account

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer all arguments."""
        size = arguments.get("size")
        plain = {name: arguments.get(name) for name in self.arguments}
        return {**plain, "size": int(size) if isinstance(size, float) else size}

    def create(self, arguments: Arguments) -> Made:
        """Make the pool, or bring the one of this name to what is asked for."""
        wanted = self.normal(arguments)
        cluster, name = wanted["clusterId"], wanted["name"]
        try:
            self._account.make(self._databases.add_connection_pool, cluster, body={"name": name, **_settings(wanted)})
        except CallError:
            # It may be there already, or since just now.
            if self._account.find(self._databases.get_connection_pool, cluster, name) is None:
                raise
            self.update(f"{cluster}/{name}", {}, arguments)
        return Made(f"{cluster}/{name}", self._outputs(cluster, name))

    def read(self, id_: str, _outputs: Arguments) -> dict[str, Any] | None:
        """Read the pool; without its cluster it is gone too."""
        cluster, _, name = id_.partition("/")
        found = self._account.find(self._databases.get_connection_pool, cluster, name)
        return None if found is None else _pool_outputs(cluster, found["pool"])

    def update(self, id_: str, _olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Change all but the name."""
        cluster, _, name = id_.partition("/")
        body = _settings(self.normal(news))
        self._account.call(self._databases.update_connection_pool, cluster, name, body=body)
        return self._outputs(cluster, name)

    def delete(self, id_: str, _outputs: Arguments) -> None:
        """Delete the pool."""
        cluster, _, name = id_.partition("/")
        self._account.find(self._databases.delete_connection_pool, cluster, name)

    @property
    def _databases(self) -> Any:  # noqa: ANN401 - pydo has no types
        return self._account.client.databases

    def _outputs(self, cluster: str, name: str) -> dict[str, Any]:
        found = self._account.call(self._databases.get_connection_pool, cluster, name)
        return _pool_outputs(cluster, found["pool"])


def _rules(answer: Answer) -> list[dict[str, Any]]:
    keys = {"type": "type", "value": "value", "uuid": "uuid", "created_at": "createdAt"}
    return [{ours: rule[theirs] for theirs, ours in keys.items() if theirs in rule} for rule in answer["rules"] or []]


def _settings(wanted: dict[str, Any]) -> Answer:
    user = {"user": wanted["user"]} if wanted["user"] else {}
    return {"mode": wanted["mode"], "size": wanted["size"], "db": wanted["dbName"], **user}


def _pool_outputs(cluster: str, row: Answer) -> dict[str, Any]:
    public, private = row.get("connection") or {}, row.get("private_connection") or {}
    return {
        "clusterId": cluster,
        "name": row["name"],
        "mode": row["mode"],
        "size": row["size"],
        "dbName": row["db"],
        "user": row.get("user") or None,
        "host": public.get("host"),
        "port": public.get("port"),
        "password": public.get("password"),
        "uri": public.get("uri"),
        "privateHost": private.get("host"),
        "privateUri": private.get("uri"),
    }
