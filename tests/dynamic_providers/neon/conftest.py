"""Neon's providers against the simulated organization: real HTTP, quick waits, and the request log to look at."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from dynamic_providers.api import Patience
from dynamic_providers.base import TypedProvider
from dynamic_providers.circuit import Circuit
from dynamic_providers.configuration import Configuration
from dynamic_providers.neon.project import ProjectProvider
from dynamic_providers.neon.session import NeonProvider, Session, open_session
from dynamic_providers.waiting import Pace
from sandbox.simulators.control import Edit
from sandbox.simulators.neon.inventory import edit, inventory
from sandbox.simulators.neon.records import ORGANIZATION
from sandbox.simulators.neon.serve import Delays, RunningNeon, serve
from sandbox.simulators.neon.serve import Pace as Limit
from sandbox.simulators.servers import NoServers

Provider = TypeVar("Provider", bound=NeonProvider)
Row = dict[str, Any]

KEY = "a-neon-key"
POLL = 0.05
UNLIMITED = Limit(per_minute=100_000, per_second=100_000)
WANTED: dict[str, Any] = {
    "name": "prod-acme",
    "region": "aws-us-east-1",
    "pg_version": 15.0,
    "organization": ORGANIZATION,
    "logical_size_bytes": 536870912.0,
    "min_cu": 0.25,
    "max_cu": 2.0,
    "suspend_seconds": 300.0,
    "branch": "main",
    "database": "main",
    "role": "neondb_owner",
    "mark": "tenantry:prod:acme-project-1",
    "__provider": "reference",
}


class Account:
    """A session on a simulated organization, and what a test asks about it."""

    def __init__(self, running: RunningNeon, folder: Path) -> None:
        self.running = running
        self.folder = folder
        self.session = connect(running, folder)

    def provider(self, kind: type[Provider]) -> Provider:
        """A provider as a fresh process has it: configured, with nothing looked up yet."""
        made = kind()
        made.connect(connect(self.running, self.folder))
        return made

    def hasty(self, kind: type[Provider], *, seconds: float = 0.3) -> Provider:
        """One that gives up soon, for what never happens."""
        made = kind()
        made.connect(connect(self.running, self.folder, seconds=seconds))
        return made

    def project(self, **changes: object) -> tuple[str, Row]:
        """A project that is there, made in an undisturbed run; its requests are forgotten."""
        made = self.provider(ProjectProvider).create(WANTED | changes)
        self.running.log.clear()
        return made.id, dict(made.outs or {})

    def mutations(self) -> list[str]:
        """Every request but GET, as `METHOD path` without the prefix."""
        return [
            f"{entry.method} {entry.path.removeprefix('/api/v2')}"
            for entry in self.running.requests()
            if entry.method != "GET"
        ]

    def asked(self, ending: str) -> int:
        """How many GETs there were to paths that end like this."""
        return sum(entry.path.endswith(ending) for entry in self.running.requests("GET"))

    def bodies(self, method: str) -> list[Any]:
        """What was sent with one method."""
        return [entry.body for entry in self.running.requests(method)]

    def statuses(self) -> list[int | None]:
        """What every request was answered with."""
        return [entry.status for entry in self.running.requests()]

    def held(self, kind: str) -> list[Row]:
        """What the organization holds, seen from outside; deleted ones left out."""
        return [dict(row) for row in inventory(self.running.state)[kind] if not row.get("deleted")]

    def edit(self, kind: str, id_: object, **values: object) -> None:
        """A change behind our back."""
        edit(self.running.state, Edit(kind=kind, id=str(id_), set=values))

    def remove(self, kind: str, id_: object) -> None:
        """A removal behind our back."""
        edit(self.running.state, Edit(kind=kind, id=str(id_), delete=True))

    def console(self, method: str, path: str, body: object = None) -> Row:
        """What somebody else does by the API, once the project lets them."""
        with httpx.Client(base_url=self.running.api_url, headers={"Authorization": f"Bearer {KEY}"}) as client:
            answer = client.request(method, path, json=body).raise_for_status()
        self.running.log.clear()
        return dict(answer.json())


class Between(httpx.HTTPTransport):
    """Sees every request before it leaves, and may answer it itself."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response | None]) -> None:
        super().__init__()
        self._answer = answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The test's answer, else the server's."""
        return self._answer(request) or super().handle_request(request)


def connect(
    neon: RunningNeon, folder: Path, transport: httpx.BaseTransport | None = None, *, seconds: float = 20
) -> Session:
    """A session on the simulated organization that looks and repeats quickly, and gives up after so many seconds."""
    settings = Configuration(
        neon_api_key=neon.key,
        neon_api_url=neon.api_url,
        neon_org_id=ORGANIZATION,
        neon_requests_per_minute=600_000,
        rate_dir=folder / "rate",
    )
    patience = Patience(deadline=seconds, first_pause=0.001, longest_pause=0.02, jitter=0.001)
    return open_session(settings, patience=patience, pace=Pace(POLL, seconds), circuit=Circuit(), transport=transport)


@pytest.fixture
def neon(tmp_path: Path) -> Iterator[RunningNeon]:
    """A fresh organization whose operations take a twentieth of a second and which keeps no pace."""
    running = serve(
        tmp_path, key=KEY, servers=NoServers(), delays=Delays(schedule=0.02, operation=0.05), pace=UNLIMITED
    )
    yield running
    running.stop()


@pytest.fixture
def account(neon: RunningNeon, tmp_path: Path) -> Account:
    """A fresh organization with a session on it."""
    return Account(neon, tmp_path)


def drift(provider: TypedProvider, id_: str, wanted: Row, recorded: Row) -> frozenset[str]:
    """Fields that a refresh and the following diff show as changed, as an engine goes about it."""
    seen = provider.read(id_, recorded)
    assert seen.id == id_
    assert seen.outs is not None
    assert seen.inputs is not None
    assert set(seen.inputs) <= set(type(provider).inputs.model_fields)
    return provider.changed_fields(seen.outs, wanted)
