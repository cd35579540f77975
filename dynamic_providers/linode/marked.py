"""What carries our mark in a Linode account: instances, by their tags."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from dynamic_providers.api import Api, Call
from dynamic_providers.marks import Mark, Marked
from dynamic_providers.native import json_of, removed
from dynamic_providers.waiting import Pace

INSTANCE = "linode:index/instance:Instance"
PER_PAGE = 100


def not_found(response: httpx.Response) -> bool:
    """The vendor's own not-found answer."""
    return any(error.get("reason") == "Not found" for error in json_of(response).get("errors", ()))


@dataclass(frozen=True)
class LinodeLister:
    """Finds and removes what is ours in one account."""

    api: Api
    stack: str
    pace: Pace
    types = (INSTANCE,)

    def marked(self) -> Iterator[Marked]:
        """Instances of this base stack."""
        for row in self._all():
            for mark in map(Mark.parse, row["tags"]):
                if mark and mark.stack == self.stack:
                    what = f"{row['type']} {row['label']} ({row['status']})"
                    size = {"type": row["type"]}
                    yield Marked(INSTANCE, mark.name, str(row["id"]), what, holds_data=True, charged=True, size=size)

    def remove(self, found: Marked) -> None:
        """Delete an instance and read back that it is gone."""
        removed(self.api, "/v4/linode/instances/{id}", {"id": found.id}, what=found.what, pace=self.pace)

    def _all(self) -> Iterator[dict[str, Any]]:
        page, pages = 1, 1
        while page <= pages:
            query = {"page": page, "page_size": PER_PAGE}
            body = self.api.request(Call("GET", "/v4/linode/instances", query=query)).json()
            yield from body["data"]
            page, pages = page + 1, body["pages"]
