"""Whole clouds in this process that are emptied in a moment, and runs in others that can be killed at any request."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

from psycopg import sql

from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import place
from components.outputs import TenantOutputs, parse_tenants
from components.settings import PROJECT
from engines.embedded import EmbeddedEngine
from engines.embedded.passphrase import open_crypter
from engines.embedded.resource import Resource
from engines.embedded.store import Folder
from engines.embedded.urns import name_of
from sandbox.simulators.request_log import Entry
from tests.catalogue.fleets import FleetFolder
from tests.e2e.kill_clouds import Cloud, CountingStore, Trigger, open_cloud

STACK = "sandbox"
SALT = next(
    line.partition(": ")[2]
    for line in (PROJECT / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8").splitlines()
    if line.startswith("encryptionsalt: ")
)
IDLE_SECONDS = 10.0
# Ids, which every account counts anew.
NUMBERS = re.compile(r"/(\d+|[0-9a-f-]{36}|((br|ep)-)?[a-z]+-[a-z]+-\d{8})(?=/|$)")
DONE = frozenset({200, 201, 204})
# Kinds that are there for whatever was done, and say nothing of what there is.
UNCOUNTED = frozenset({"operations"})


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit code, or minus the signal; and what it answered."""

    status: int
    answer: Mapping[str, Any]

    @property
    def killed(self) -> bool:
        """Whether it was shot."""
        return self.status == -signal.SIGKILL


@dataclass
class Rig:
    """The clouds, the fleet's files, and the process that forks the runs."""

    folder: Path
    fleet: FleetFolder
    trigger: Trigger
    store: CountingStore
    clouds: Mapping[str, Cloud]
    environ: dict[str, str] = field(default_factory=dict)
    forks: "subprocess.Popen[str] | None" = None

    def reset(self) -> None:
        """Empty the accounts, the store, the servers and the state folder."""
        self.store.reset()
        for cloud in self.clouds.values():
            cloud.reset()
        for file in (self.folder / "state").glob("*"):
            file.unlink()
        self.trigger.answered = 0

    def run(self, do: str, *, requests: int = 0, **order: object) -> Ended:
        """Run an `up` or a `resume`, killed after so many answered requests where that is not 0."""
        assert self.forks is not None
        assert self.forks.stdin is not None
        assert self.forks.stdout is not None
        result = self.folder / "result.json"
        result.unlink(missing_ok=True)
        self.trigger.left, self.trigger.pid = requests, 0
        line = json.dumps({"do": do, "stack": STACK, "result": str(result), **order})
        self.forks.stdin.write(f"{line}\n")
        self.forks.stdin.flush()
        self.trigger.pid = int(json.loads(self.forks.stdout.readline())["pid"])
        status = int(json.loads(self.forks.stdout.readline())["status"])
        self.trigger.left, self.trigger.pid = 0, 0
        self._settle()
        return Ended(status, json.loads(result.read_text()) if result.exists() and result.stat().st_size else {})

    def use(self, project: Path) -> None:
        """From here on runs are of the program in this folder, another version of it perhaps."""
        self.leave()
        self.forks = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.e2e.kill_child"],
            env={**self.environ, "PYTHONPATH": str(project)},
            cwd=project,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def leave(self) -> None:
        """End the process that forks."""
        if self.forks is not None:
            self.forks.communicate()

    def _settle(self) -> None:
        """Wait until what a killed run has sent is done: requests that arrived, transactions that are committing."""
        deadline = time.monotonic() + IDLE_SECONDS
        while any(cloud.ground.kept.sessions() for cloud in self.clouds.values()) or any(map(_open, self.entries())):
            assert time.monotonic() < deadline, "the cloud does not come to rest"
            time.sleep(0.01)

    def entries(self) -> list[Entry]:
        """What every vendor's API was asked, in order."""
        return [entry for cloud in self.clouds.values() for entry in cloud.entries()]

    def engine(self) -> EmbeddedEngine:
        """The engine, to read its state."""
        return EmbeddedEngine(PROJECT, STACK, self.folder / "state", self.environ)

    def tenants(self) -> dict[str, TenantOutputs]:
        """The outputs, credentials shown."""
        return parse_tenants(self.engine().outputs(show_secrets=True)["tenants"])

    def ask(self, query: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
        """What every server with a database `main` answers its superuser."""
        return [row for cloud in self.clouds.values() for row in cloud.ground.kept.ask(query)]

    def contents(self) -> list[str]:
        """Databases, logins and owners of tenants on all servers, each as often as it is there."""
        return [name for cloud in self.clouds.values() for name in cloud.ground.kept.contents()]

    def marks(self) -> dict[str, list[str]]:
        """What is in the accounts, by vendor and kind: the marks, or names, in order, each as often as it is there."""
        return {
            f"{vendor} {kind}": sorted(map(_marked, items))
            for vendor, cloud in self.clouds.items()
            for kind, items in cloud.inventory().items()
            if kind not in UNCOUNTED
        }

    def ids(self) -> set[str]:
        """The vendors' ids of all that is there."""
        kinds = [kind for cloud in self.clouds.values() for kind in cloud.inventory().values()]
        return {str(item["id"]) for kind in kinds for item in kind}

    def changes(self) -> list[str]:
        """Changing requests that were done, in order: `POST tenantry:…`, `DELETE /api/…`, `PutUserPolicy`."""
        api = [told(entry) for entry in self.entries() if entry.method != "GET" and entry.status in DONE]
        iam = [str(entry.action) for entry in self.store.requests() if entry.action and entry.status in DONE]
        return [*api, *(name for name in iam if not name.startswith(("Get", "List")))]

    def recorded(self) -> dict[str, Resource]:
        """What the state holds, by logical name, however the last run ended."""
        folder = Folder(self.folder / "state", STACK, lambda: datetime.now(UTC))
        state = folder.load(open_crypter(SALT, self.environ["PULUMI_CONFIG_PASSPHRASE"]))
        return {name_of(kept.resource.urn): kept.resource for kept in state.resources()}


def told(entry: Entry) -> str:
    """A create by the mark in it, or the name where that is the mark; anything else by its path."""
    body = entry.body if isinstance(entry.body, dict) else {}
    # Neon puts what it makes under its kind.
    inner = next((body[kind] for kind in ("project", "branch") if kind in body), body)
    made = (inner.get("description") or inner.get("name")) if entry.method == "POST" else None
    return f"{entry.method} {made or NUMBERS.sub('/N', entry.path)}"


def _open(entry: Entry) -> bool:
    """A request that is still worked on; one whose answer a fault took never gets a status."""
    return entry.status is None and entry.fault is None


def _marked(item: Mapping[str, object]) -> str:
    gone = " (deleted)" if item.get("deleted") else ""
    return str(item.get("mark") or item.get("name") or "") + gone


TWELVE = (("tenants_per_cluster: 10\n", "tenants_per_cluster: 12\n"),)


@contextmanager
def rigged(
    folder: Path,
    catalogue: str,
    edits: Sequence[tuple[str, str]] = TWELVE,
    *,
    vendors: Sequence[str] = ("timeweb",),
    settings: Mapping[str, str] | None = None,
) -> Iterator[Rig]:
    """Everything running, and the catalogue placed; `edits` are of `plans.yaml`, `settings` further variables."""
    (folder / "fleet").mkdir()
    (folder / "state").mkdir()
    fleet = FleetFolder(folder / "fleet")
    fleet.write("tenants.yaml", catalogue)
    for old, new in edits:
        fleet.edit("plans.yaml", old, new)
    loaded = load_fleet(fleet.path, require_placed=False)
    write_placements(fleet.path / "placements.yaml", place(loaded.tenants, loaded.plans, loaded.placements))
    trigger = Trigger()
    store = CountingStore()
    store.trigger = trigger
    clouds = {vendor: open_cloud(vendor, folder, store, trigger) for vendor in vendors}
    rig = Rig(folder, fleet, trigger, store, clouds)
    rig.environ = {**os.environ, **_environment(rig), **(settings or {})}
    rig.use(PROJECT)
    try:
        yield rig
    finally:
        rig.leave()
        for cloud in clouds.values():
            cloud.stop()
        store.stop()


def _environment(rig: Rig) -> dict[str, str]:
    vendors = [cloud.environ for cloud in rig.clouds.values()]
    return {name: value for environ in vendors for name, value in environ.items()} | {
        "TENANTRY_ADMIN_SECRET": "an-admin-secret",
        "TENANTRY_FLEET": str(rig.fleet.path),
        "TENANTRY_STATE": str(rig.folder / "state"),
        "TENANTRY_RATE_DIR": str(rig.folder / "rate"),
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "KILL_SALT": SALT,
    }
