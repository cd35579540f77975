"""Providers against the simulated account: real HTTP, quick waits, and the request log to look at."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from dynamic_providers.api import Patience
from dynamic_providers.base import TypedProvider
from dynamic_providers.circuit import Circuit
from dynamic_providers.configuration import Configuration
from dynamic_providers.timeweb.session import Session, TimewebProvider, open_session
from dynamic_providers.waiting import Pace
from sandbox.simulators.control import Edit
from sandbox.simulators.timeweb.inventory import edit, inventory
from sandbox.simulators.timeweb.serve import RunningTimeweb

Provider = TypeVar("Provider", bound=TimewebProvider)

ADMIN_SECRET = "the fleet's admin secret"
# A look every 60 ms keeps below the simulator's 20 a second.
POLL = 0.06


class Account:
    """A session on a simulated account, and what a test asks about it."""

    def __init__(self, running: RunningTimeweb, folder: Path) -> None:
        self.running = running
        self.session = connect(running, folder)
        self._folder = folder

    def provider(self, kind: type[Provider]) -> Provider:
        """A provider as a fresh process has it: configured, with nothing looked up yet."""
        made = kind()
        made.connect(self.session)
        return made

    def hasty(self, kind: type[Provider], transport: httpx.BaseTransport | None = None) -> Provider:
        """One that gives up soon, for what never happens."""
        made = kind()
        made.connect(connect(self.running, self._folder, transport, seconds=0.3))
        return made

    def mutations(self) -> list[str]:
        """Every request but GET, as `METHOD path`."""
        return [f"{entry.method} {entry.path}" for entry in self.running.requests() if entry.method != "GET"]

    def requests(self, method: str, path: str) -> list[str]:
        """Requests with one method to exactly this path."""
        return [entry.path for entry in self.running.requests(method) if entry.path == path]

    def bodies(self, method: str) -> list[Any]:
        """What was sent with one method."""
        return [entry.body for entry in self.running.requests(method)]

    def running_clusters(self) -> list[dict[str, object]]:
        """What the account holds, seen from outside."""
        return inventory(self.running.state)["clusters"]

    def edit(self, kind: str, id_: str, **values: object) -> None:
        """A change behind our back."""
        edit(self.running.state, Edit(kind=kind, id=id_, set=values))

    def remove(self, kind: str, id_: str) -> None:
        """A removal behind our back."""
        edit(self.running.state, Edit(kind=kind, id=id_, delete=True))


class Between(httpx.HTTPTransport):
    """Sees every request before it leaves, and may answer it itself."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response | None]) -> None:
        super().__init__()
        self._answer = answer

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The test's answer, else the server's."""
        return self._answer(request) or super().handle_request(request)


def connect(
    timeweb: RunningTimeweb, folder: Path, transport: httpx.BaseTransport | None = None, *, seconds: float = 20
) -> Session:
    """A session on the simulated account that looks and repeats quickly, and gives up after so many seconds."""
    settings = Configuration(
        token=timeweb.token,
        api_url=timeweb.url,
        iam_url=timeweb.iam_url,
        s3_endpoint=timeweb.s3_endpoint,
        admin_secret=ADMIN_SECRET,
        requests_per_second=10_000,
        retry_seconds=seconds,
        rate_dir=folder / "rate",
    )
    patience = Patience(deadline=seconds, first_pause=0.001, longest_pause=0.02, jitter=0.001)
    today = date(2026, 11, 1)
    pace = Pace(POLL, seconds)
    return open_session(
        settings, patience=patience, pace=pace, circuit=Circuit(), transport=transport, today=lambda: today
    )


@pytest.fixture
def account(timeweb: RunningTimeweb, tmp_path: Path) -> Account:
    """A fresh account with a session on it."""
    return Account(timeweb, tmp_path)


def drift(provider: TypedProvider, id_: str, wanted: dict[str, Any], recorded: dict[str, Any]) -> frozenset[str]:
    """Fields that a refresh and the following diff show as changed, as an engine goes about it."""
    seen = provider.read(id_, recorded)
    assert seen.id == id_
    assert seen.outs is not None
    assert seen.inputs is not None
    assert set(seen.inputs) <= set(type(provider).inputs.model_fields)
    return provider.changed_fields(seen.outs, wanted)
