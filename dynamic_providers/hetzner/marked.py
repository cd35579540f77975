"""What carries our mark in a Hetzner Cloud project: servers and SSH keys, by their labels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from dynamic_providers.api import Api, Call
from dynamic_providers.marks import NAME_LABEL, STACK_LABEL, Marked
from dynamic_providers.native import json_of, removed
from dynamic_providers.waiting import Pace

SERVER = "hcloud:index/server:Server"
SSH_KEY = "hcloud:index/sshKey:SshKey"
# What goes first: a key is only a template for servers, and may go whenever it likes.
KINDS = {SERVER: "servers", SSH_KEY: "ssh_keys"}
PER_PAGE = 50


def not_found(response: httpx.Response) -> bool:
    """The vendor's own not-found answer."""
    return bool(json_of(response).get("error", {}).get("code") == "not_found")


@dataclass(frozen=True)
class HetznerLister:
    """Finds and removes what is ours in one project."""

    api: Api
    stack: str
    pace: Pace
    types = tuple(KINDS)

    def marked(self) -> Iterator[Marked]:
        """Servers and keys of this base stack."""
        for type_, kind in KINDS.items():
            for row in self._all(kind):
                yield _marked(type_, row)

    def remove(self, found: Marked) -> None:
        """Delete an object and read back that it is gone."""
        ids = {"id": found.id}
        kind = KINDS[found.type]
        removed(self.api, f"/{kind}/{{id}}", ids, what=found.what, pace=self.pace)

    def _all(self, kind: str) -> Iterator[dict[str, Any]]:
        page: int | None = 1
        while page:
            query: dict[str, str | int] = {
                "label_selector": f"{STACK_LABEL}=={self.stack}",
                "page": page,
                "per_page": PER_PAGE,
            }
            body = self.api.request(Call("GET", f"/{kind}", query=query)).json()
            yield from body[kind]
            page = body["meta"]["pagination"]["next_page"]


def _marked(type_: str, row: dict[str, Any]) -> Marked:
    server = type_ == SERVER
    return Marked(
        type_,
        row["labels"].get(NAME_LABEL, ""),
        str(row["id"]),
        f"{row['server_type']['name']} {row['name']} ({row['status']})" if server else f"SSH key {row['name']}",
        holds_data=server,
        charged=server,
        size={"type": row["server_type"]["name"]} if server else {},
    )
