"""A whole cloud in this process that is emptied in a moment, and runs in others that can be killed at any request."""

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
from threading import Lock
from typing import Any

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
from sandbox.faults import FaultBox
from sandbox.s3 import S3Server
from sandbox.simulators.objects import Database
from sandbox.simulators.request_log import Entry, RequestLog
from sandbox.simulators.server import AppServer, serve_app
from sandbox.simulators.timeweb.app import create_app
from sandbox.simulators.timeweb.inventory import inventory
from sandbox.simulators.timeweb.state import Delays, State
from tests.catalogue.fleets import FleetFolder
from tests.e2e.kept_server import KeptServer

STACK = "sandbox"
TOKEN = "a-timeweb-token"
SALT = next(
    line.partition(": ")[2]
    for line in (PROJECT / f"Pulumi.{STACK}.yaml").read_text(encoding="utf-8").splitlines()
    if line.startswith("encryptionsalt: ")
)
IDLE_SECONDS = 10.0
# Ids, which every account counts anew.
NUMBERS = re.compile(r"/(\d+|[0-9a-f-]{36})(?=/|$)")
DONE = frozenset({200, 201, 204})


@dataclass
class Trigger:
    """Kills a process after so many answered requests, before the answer leaves."""

    left: int = 0
    pid: int = 0
    answered: int = 0
    _lock: Lock = field(default_factory=Lock)

    def hit(self) -> None:
        """Count an answer."""
        with self._lock:
            self.answered += 1
            self.left -= 1
            if self.left == 0 and self.pid:
                os.kill(self.pid, signal.SIGKILL)


class CountingLog(RequestLog):
    """The simulator's log, which counts answers."""

    trigger: Trigger

    def answered(self, n: int, status: int) -> None:
        """Note the status that is about to leave."""
        super().answered(n, status)
        self.trigger.hit()


class CountingStore(S3Server):
    """The object store, which counts the answers of its IAM API."""

    trigger: Trigger

    def _answered(self, number: int, status: int) -> None:
        super()._answered(number, status)
        self.trigger.hit()


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
    """The cloud, the fleet's files, and the process that forks the runs."""

    folder: Path
    trigger: Trigger
    state: State
    log: CountingLog
    store: CountingStore
    server: KeptServer
    api: AppServer
    environ: dict[str, str] = field(default_factory=dict)
    forks: "subprocess.Popen[str] | None" = None

    def reset(self) -> None:
        """Empty the account, the store, the server and the state folder."""
        self.store.reset()
        self.server.reset()
        self.state.database.execute("DELETE FROM objects")
        self.log.clear()
        self.state.restore_storage()
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
        while self.server.sessions() or any(entry.status is None for entry in self.log.entries()):
            assert time.monotonic() < deadline, "the cloud does not come to rest"
            time.sleep(0.01)

    def engine(self) -> EmbeddedEngine:
        """The engine, to read its state."""
        return EmbeddedEngine(PROJECT, STACK, self.folder / "state", self.environ)

    def tenants(self) -> dict[str, TenantOutputs]:
        """The outputs, credentials shown."""
        return parse_tenants(self.engine().outputs(show_secrets=True)["tenants"])

    def marks(self) -> dict[str, list[str]]:
        """What is in the account, by kind: the marks, in order, each as often as it is there."""
        kinds = inventory(self.state)
        return {kind: sorted(str(item["mark"]) for item in items if item["mark"]) for kind, items in kinds.items()}

    def changes(self) -> list[str]:
        """Changing requests that were done, in order: `POST tenantry:…`, `DELETE /api/…`, `PutUserPolicy`."""
        api = [_told(entry) for entry in self.log.entries() if entry.method != "GET" and entry.status in DONE]
        iam = [str(entry.action) for entry in self.store.requests() if entry.action and entry.status in DONE]
        return [*api, *(name for name in iam if not name.startswith(("Get", "List")))]

    def recorded(self) -> dict[str, Resource]:
        """What the state holds, by logical name, however the last run ended."""
        folder = Folder(self.folder / "state", STACK, lambda: datetime.now(UTC))
        state = folder.load(open_crypter(SALT, self.environ["PULUMI_CONFIG_PASSPHRASE"]))
        return {name_of(kept.resource.urn): kept.resource for kept in state.resources()}


def _told(entry: Entry) -> str:
    """A create by the mark in it, or the name where that is the mark; anything else by its path."""
    body = entry.body if isinstance(entry.body, dict) else {}
    made = body.get("description") or body.get("name") if entry.method == "POST" else None
    return f"{entry.method} {made or NUMBERS.sub('/N', entry.path)}"


TWELVE = (("tenants_per_cluster: 10\n", "tenants_per_cluster: 12\n"),)


@contextmanager
def rigged(folder: Path, catalogue: str, edits: Sequence[tuple[str, str]] = TWELVE) -> Iterator[Rig]:
    """Everything running, and the catalogue placed; `edits` are of `plans.yaml`."""
    (folder / "fleet").mkdir()
    (folder / "state").mkdir()
    fleet = FleetFolder(folder / "fleet")
    fleet.write("tenants.yaml", catalogue)
    for old, new in edits:
        fleet.edit("plans.yaml", old, new)
    loaded = load_fleet(fleet.path, require_placed=False)
    write_placements(fleet.path / "placements.yaml", place(loaded.tenants, loaded.plans, loaded.placements))
    trigger = Trigger()
    store, database = CountingStore(), Database(folder / "timeweb.sqlite")
    store.trigger = trigger
    server = KeptServer(folder / "postgres")
    state = State(database, server, store.timeweb, time.time, Delays(start=0.0, resize=0.0, power=0.0))
    log = CountingLog(database, time.time)
    log.trigger = trigger
    api = serve_app(create_app(state, TOKEN, log, FaultBox(), requests_per_second=100_000))
    rig = Rig(folder, trigger, state, log, store, server, api)
    rig.environ = {**os.environ, **_environment(rig, fleet.path)}
    rig.use(PROJECT)
    try:
        yield rig
    finally:
        rig.leave()
        api.stop()
        store.stop()
        server.close()
        database.close()


def _environment(rig: Rig, fleet: Path) -> dict[str, str]:
    return {
        "TIMEWEB_CLOUD_TOKEN": TOKEN,
        "TIMEWEB_API_URL": rig.api.url,
        "TIMEWEB_IAM_URL": rig.store.url,
        "TIMEWEB_S3_ENDPOINT": rig.store.url,
        "TIMEWEB_S3_REGION": "ru-1",
        "TIMEWEB_SSLMODE": "disable",
        "TIMEWEB_POLL_SECONDS": "0.02",
        "TIMEWEB_REQUESTS_PER_SECOND": "100000",
        "TENANTRY_ADMIN_SECRET": "an-admin-secret",
        "TENANTRY_FLEET": str(fleet),
        "TENANTRY_STATE": str(rig.folder / "state"),
        "TENANTRY_RATE_DIR": str(rig.folder / "rate"),
        "PULUMI_CONFIG_PASSPHRASE": "sandbox",
        "KILL_SALT": SALT,
    }
