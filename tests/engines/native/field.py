"""A toy cloud, a tiny program for its real plugin on the real CLI, and `resume` as the command puts it together."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.routing import Route

from cli.resume import Inventory, cell_of, take_inventory
from dynamic_providers.listers import Native, Owner
from engines.engine import Result
from engines.pulumi_cli import PulumiCli
from engines.resume import Finding, Policy, names_in, survey
from engines.settling import settle
from sandbox.simulators.gate import Refusal
from tests.engines.laboratory import STACK, Laboratory
from tests.engines.native.toy_cloud import TOKEN, ToyCloud, serve

PATIENCE_SECONDS = 90


@dataclass
class Field:
    """One stack with one vendor's plugin."""

    lab: Laboratory
    cloud: ToyCloud

    @property
    def engine(self) -> PulumiCli:
        """The production engine."""
        return PulumiCli(self.lab.project, STACK, self.lab.environ)

    def up(self) -> Result:
        """One run, without a look at what it left."""
        return self.engine.up()

    def cut_off(self, at: Callable[[], bool]) -> None:
        """Start an `up` and kill the CLI alone as soon as something is so; its plugins live on."""
        command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", STACK]
        quiet = subprocess.DEVNULL
        run = subprocess.Popen(
            command, cwd=self.lab.project, env=self.lab.environ, stdout=quiet, stderr=quiet, start_new_session=True
        )
        until(at)
        run.send_signal(signal.SIGKILL)
        run.wait()

    def findings(self) -> tuple[list[Finding], Inventory, PulumiCli]:
        """What there is to settle."""
        engine = self.engine
        engine.break_lock()
        cell = cell_of(STACK, engine)
        inventory = take_inventory(engine, Owner(STACK, STACK), names_in([cell]))
        assert not inventory.failures
        found = list(inventory.found.values())
        return survey([cell], found, list(inventory.listers), finds_ours=engine.finds_ours), inventory, engine

    def resume(self, policy: Policy = "adopt") -> tuple[list[tuple[str, str]], list[str]]:
        """Settle it: verdicts by name, and what became of each."""
        findings, _, engine = self.findings()
        its = [each for each in findings if each.stack]
        told = settle(engine, cell_of(STACK, engine), its, policy)
        return [(each.verdict, each.name) for each in findings], told

    def in_order(self) -> None:
        """The state and the cloud are one, and the program has nothing to do."""
        assert not self.engine.export()["deployment"].get("pending_operations")
        preview = self.engine.preview()
        assert preview.ok, preview.failures
        assert not preview.changed, preview.changes
        assert self.findings()[0] == []

    def id_of(self, name: str) -> str:
        """The id that the state has of a resource."""
        return str(self.lab.resources()[name]["id"])


def until(what: Callable[[], bool]) -> None:
    """Wait for something that comes about in another process."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


@dataclass(frozen=True)
class Vendor:
    """A plugin and the toy it is pointed at; `path` is what the plugin's address ends in."""

    native: Native
    plugin: str
    routes: Callable[[ToyCloud], list[Route]]
    refuse: Refusal
    path: str = ""


@contextmanager
def field_of(vendor: Vendor, program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    """A field whose plugin and lister are pointed at the toy by the vendor's own environment variables."""
    for needed in ("pulumi", f"pulumi-resource-{vendor.plugin}"):
        if shutil.which(needed) is None:
            pytest.skip(f"there is no {needed} on PATH")
    cloud, database = serve(folder, vendor.routes, vendor.refuse)
    where = {vendor.native.token[1]: TOKEN, vendor.native.url[1]: f"{cloud.url}{vendor.path}"}
    (folder / "pace").mkdir(mode=0o700)
    pace = {"TENANTRY_RATE_DIR": str(folder / "pace"), "TIMEWEB_POLL_SECONDS": "0.2"}
    for name, value in {**where, **pace}.items():
        monkeypatch.setenv(name, value)
    lab = Laboratory(folder, "pulumi")
    try:
        lab.program("")
        lab.cli.export()
        lab.program(program)
        yield Field(lab, cloud)
    finally:
        assert cloud.server is not None
        cloud.server.stop()
        database.close()
