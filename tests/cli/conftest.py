"""The command in this process, on a catalogue in a folder of its own, with a provider that notes every request."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from catalogue.load import load_fleet
from cli.main import main
from components.settings import SOURCES
from sandbox.postgres import Account
from sandbox.simulators.timeweb.serve import RunningTimeweb
from tests.catalogue.fleets import FleetFolder

SETTINGS = ("FLEET", "STACK", "ENGINE", "STATE", "SANDBOX", "SANDBOX_WITHOUT", "RATE_DIR")


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


Tenantry = Callable[..., Ran]


@pytest.fixture
def tenantry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Tenantry:
    """Run `tenantry` with these words, nobody at the terminal, no engine of the machine's on PATH."""
    for variable in [*SOURCES.values(), *(f"TENANTRY_{name}" for name in SETTINGS)]:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TENANTRY_STATE", str(tmp_path / "state"))
    # Found once for the whole process, so before PATH holds nothing.
    Account.detect()
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))

    def run(*words: str) -> Ran:
        monkeypatch.setattr(sys, "argv", ["tenantry", *words])
        capsys.readouterr()
        try:
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code or 0
        assert isinstance(code, int)
        written = capsys.readouterr()
        return Ran(code, written.out, written.err)

    return run


@dataclass(frozen=True)
class Catalogue:
    """A fleet's folder, the state folder of the engine, and the account it would be run on."""

    folder: FleetFolder
    state: Path
    account: RunningTimeweb

    def option(self) -> tuple[str, str]:
        """`--fleet FOLDER`."""
        return "--fleet", str(self.folder.path)

    @property
    def placements(self) -> Path:
        """The lock file."""
        return self.folder.path / "placements.yaml"

    def clusters(self) -> set[str]:
        """The names of all placed clusters."""
        return set(load_fleet(self.folder.path, require_placed=False).placements.clusters)

    def untouched(self) -> bool:
        """Whether no engine has run and nothing was sent."""
        return not self.state.exists() and self.account.requests() == []


@pytest.fixture
def catalogue(
    tenantry: Tenantry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, timeweb: RunningTimeweb
) -> Catalogue:
    """One tenant, not placed; a run would go to a simulated account."""
    del tenantry  # it clears the environment first
    for name, value in timeweb.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TENANTRY_ADMIN_SECRET", "an-admin-secret")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "sandbox")
    (tmp_path / "fleet").mkdir()
    return Catalogue(FleetFolder(tmp_path / "fleet"), tmp_path / "state", timeweb)
