"""What the toy clouds share: a loopback server with the sandbox's own gate, so its faults and request log, and objects.

A toy answers as the real plugin was seen to need (paths, shapes, uniqueness rules, slow states) and is never nicer than
the cloud: what it does not know is a 404 in the vendor's form, and every request needs the token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import FaultBox, fault
from sandbox.simulators.clock import MovableClock
from sandbox.simulators.gate import Gate, Refusal
from sandbox.simulators.objects import Database
from sandbox.simulators.request_log import RequestLog
from sandbox.simulators.server import AppServer, serve_app

Row = dict[str, Any]
# hcloud's plugin wants exactly 64 characters.
TOKEN = "t" * 64


@dataclass
class ToyCloud:
    """Objects by kind and id, a log, faults, and a server. `held` keeps what is being made from getting ready."""

    log: RequestLog
    faults: FaultBox
    kinds: dict[str, dict[str, Row]] = field(default_factory=dict)
    ids: "count[int]" = field(default_factory=lambda: count(4711))
    held: bool = False
    ends_in_error: bool = False
    server: AppServer | None = None

    def all(self, kind: str) -> list[Row]:
        """The objects of a kind."""
        return list(self.kinds.setdefault(kind, {}).values())

    def add(self, kind: str, row: Row) -> Row:
        """Keep an object under its id."""
        self.kinds.setdefault(kind, {})[str(row["id"])] = row
        return row

    def find(self, kind: str, request: Request) -> Row | None:
        """The object whose id is in the path."""
        return self.kinds.setdefault(kind, {}).get(request.path_params["id"])

    def remove(self, kind: str, request: Request) -> Row | None:
        """Forget the object whose id is in the path."""
        return self.kinds.setdefault(kind, {}).pop(request.path_params["id"], None)

    def strike(self, name: str, method: str, path: str, *, times: int = 1) -> None:
        """Turn a fault of the sandbox's table on."""
        self.faults.add(fault(name, method=method, path=path, times=times))

    def calls(self, *methods: str) -> list[str]:
        """What was asked since it was last forgotten, oldest first: `POST /v1/servers`."""
        wanted = [entry for entry in self.log.entries() if not methods or entry.method in methods]
        return [f"{entry.method} {entry.path}" for entry in wanted]

    def changes(self) -> list[str]:
        """The requests that change something."""
        return self.calls("POST", "PUT", "PATCH", "DELETE")

    @property
    def url(self) -> str:
        """Where it answers."""
        assert self.server is not None
        return self.server.url


def serve(folder: Path, routes: Callable[[ToyCloud], list[Route]], refuse: Refusal) -> tuple[ToyCloud, Database]:
    """A running toy; its database is to be closed after its server has stopped."""
    database = Database(folder / "toy.sqlite")
    cloud = ToyCloud(RequestLog(database, MovableClock()), FaultBox())

    async def unknown(_request: Request, _error: Exception) -> Response:
        return refuse(404, "not found")

    app = Starlette(routes=routes(cloud), exception_handlers={404: unknown})
    cloud.server = serve_app(Gate(app, Starlette(), TOKEN, refuse, cloud.log, cloud.faults))
    return cloud, database


async def given(request: Request) -> Row:
    """The body without what the plugins send as explicitly nothing."""
    body: Row = await request.json()
    return {key: value for key, value in body.items() if value not in (None, "")}


def no_content() -> Response:
    """204."""
    return Response(status_code=204)


def answer(body: Row, status: int = 200) -> Response:
    """JSON."""
    return JSONResponse(body, status)
