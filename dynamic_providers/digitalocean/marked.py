"""What carries our mark in a DigitalOcean account: droplets and database clusters, by their tags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from dynamic_providers.api import Api, Call
from dynamic_providers.marks import Mark, Marked
from dynamic_providers.native import json_of, removed
from dynamic_providers.waiting import Pace

DROPLET = "digitalocean:index/droplet:Droplet"
CLUSTER = "digitalocean:index/databaseCluster:DatabaseCluster"
PER_PAGE = 200
# Pulumi's type → path, and the key of the list in an answer.
KINDS = {DROPLET: ("droplets", "droplets"), CLUSTER: ("databases", "databases")}


def not_found(response: httpx.Response) -> bool:
    """The vendor's own not-found answer."""
    return bool(json_of(response).get("id") == "not_found")


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
            for row in self._all(type_):
                for mark in map(Mark.parse, row["tags"] or ()):
                    if mark and mark.stack == self.stack:
                        yield _marked(type_, mark.name, row)

    def remove(self, found: Marked) -> None:
        """Delete an object and read back that it is gone."""
        path, _ = KINDS[found.type]
        removed(self.api, f"/v2/{path}/{{id}}", {"id": found.id}, what=found.what, pace=self.pace)

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
