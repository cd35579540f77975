"""What carries our mark in a DigitalOcean account: droplets and database clusters, by their tags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dynamic_providers.api import Api, Call
from dynamic_providers.digitalocean.clusters import Clusters, cluster_of
from dynamic_providers.marks import Mark, Marked
from dynamic_providers.native import removed
from dynamic_providers.postgres.access import DIGITALOCEAN, DIGITALOCEAN_DATABASE, managed_address
from dynamic_providers.postgres.inputs import Server
from dynamic_providers.postgres.marked import Place
from dynamic_providers.waiting import Pace

DROPLET = "digitalocean:index/droplet:Droplet"
CLUSTER = "digitalocean:index/databaseCluster:DatabaseCluster"
PER_PAGE = 200
# Before it is online for the first time nothing is in a cluster.
UNBORN = frozenset({"creating", "forking"})
# Pulumi's type → path, and the key of the list in an answer.
KINDS = {DROPLET: ("droplets", "droplets"), CLUSTER: ("databases", "databases")}


@dataclass(frozen=True)
class DigitalOceanLister:
    """Finds and removes what is ours in one account."""

    api: Api
    stack: str
    pace: Pace
    types = tuple(KINDS)

    def marked(self) -> Iterator[Marked]:
        """Droplets and clusters of this base stack."""
        for type_ in KINDS:
            for mark, row in self._ours(type_):
                yield _marked(type_, mark.name, row)

    def remove(self, found: Marked) -> None:
        """Delete an object and read back that it is gone."""
        path, _ = KINDS[found.type]
        removed(self.api, f"/v2/{path}/{{id}}", {"id": found.id}, what=found.what, pace=self.pace)

    def places(self) -> Iterator[Place]:
        """The servers of our PostgreSQL clusters, entered where every one of them can be."""
        clusters = Clusters(self.api)
        for mark, row in self._ours(CLUSTER):
            cluster = cluster_of(row)
            at = cluster.connection
            if cluster.engine != "pg" or cluster.status in UNBORN or at is None:
                continue
            server = Server(
                host=at.host,
                port=at.port,
                database=DIGITALOCEAN_DATABASE,
                admin_login=at.user,
                cluster_mark=str(mark),
                access=DIGITALOCEAN,
                server_id=cluster.id,
            )
            yield Place(server, managed_address(cluster, clusters.authority(cluster.id), server))

    def _ours(self, type_: str) -> Iterator[tuple[Mark, dict[str, Any]]]:
        for row in self._all(type_):
            for mark in map(Mark.parse, row["tags"] or ()):
                if mark and mark.stack == self.stack:
                    yield mark, row

    def _all(self, type_: str) -> Iterator[dict[str, Any]]:
        """Every object of a kind; a list of clusters is `null` where there is none, and has no pages."""
        path, key = KINDS[type_]
        page = 1
        while page:
            body = self.api.request(Call("GET", f"/v2/{path}", query={"page": page, "per_page": PER_PAGE})).json()
            yield from body[key] or ()
            more = (body.get("links") or {}).get("pages", {}).get("next")
            page = page + 1 if more else 0


def _marked(type_: str, name: str, row: dict[str, Any]) -> Marked:
    size = row["size_slug"] if type_ == DROPLET else row["size"]
    return Marked(
        type_,
        name,
        str(row["id"]),
        f"{'droplet' if type_ == DROPLET else 'database cluster'} {row['name']} ({size}, {row['status']})",
        holds_data=True,
        charged=True,
        size={"type": size},
    )
