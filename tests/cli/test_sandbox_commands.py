"""`tenantry sandbox` where no sandbox runs, and the environment it gives to a shell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.faults import SWITCHES
from sandbox.folder import SERVER_FOLDERS as SIMULATORS
from sandbox.folder import Description, Layout
from tests.catalogue.fleets import FleetFolder
from tests.cli.conftest import Tenantry

HOSTILE = """it's "a" $HOME `cloud` \\ of; mine"""
NO_PLUGINS = "#!/bin/sh\necho '[]'\n"


def laid_out(folder: Path, tenants: str) -> Layout:
    """A sandbox's folder as it is once its servers ran, without the servers."""
    layout = Layout(folder)
    layout.create()
    layout.describe(Description(0, 0.0, dict.fromkeys(("timeweb", "neon", "digitalocean", "s3"), "http://127.0.0.1:1")))
    layout.fleet.mkdir()
    FleetFolder(layout.fleet).write("tenants.yaml", tenants)
    return layout


ACME = "tenants:\n  acme: {storage: {plan: timeweb-s3}}\n"
ON_S3 = "tenants:\n  acme: {storage: {plan: timeweb-s3}}\n  beta: {storage: {plan: s3-standard}}\n"


def evaluated(script: str) -> dict[str, str]:
    """What a POSIX shell has in its environment once it has evaluated the script as the documentation says."""
    command = f'eval "$1"; {sys.executable} -c "import json, os; print(json.dumps(dict(os.environ)))"'
    shell = subprocess.run(
        ["/bin/sh", "-euc", command, "sh", script], env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=True
    )
    values: dict[str, str] = json.loads(shell.stdout)
    return values


@pytest.mark.parametrize("name", ["plain", HOSTILE])
def test_a_shell_that_evaluates_the_environment_gets_just_these_values(
    tenantry: Tenantry, tmp_path: Path, name: str
) -> None:
    """Design 3.2: `env` prints what a plain `pulumi` needs; a folder may be called anything."""
    laid_out(tmp_path / name, ACME)
    ran = tenantry("sandbox", "env", "--folder", str(tmp_path / name))
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(tenantry("sandbox", "env", "--folder", str(tmp_path / name), "--json").out)
    assert told["TENANTRY_SANDBOX"] == str(tmp_path / name)
    values = evaluated(ran.out)
    assert {key: values[key] for key in told} == told
    first, rest = values["PATH"].split(os.pathsep, 1)
    assert (first, rest) == (str(Path(sys.prefix) / "bin"), "/usr/bin")


def test_a_missing_plugin_is_told_beside_the_environment_not_in_it(tenantry: Tenantry, tmp_path: Path) -> None:
    """The plans it serves are left out, and who is on them is named; what the shell evaluates stays clean."""
    laid_out(tmp_path / "cloud", ON_S3)
    program = tmp_path / "programs" / "pulumi"
    program.parent.mkdir()
    program.write_text(NO_PLUGINS)
    program.chmod(0o755)
    ran = tenantry("sandbox", "env", "--folder", str(tmp_path / "cloud"))
    assert ran.code == 0
    assert "leaves out what beta have on s3-standard" in ran.err
    assert "`pulumi plugin install resource aws`" in ran.err
    assert evaluated(ran.out)["TENANTRY_SANDBOX_WITHOUT"] == "s3-standard"


def test_no_sandbox_is_no_mistake_to_ask_after(tenantry: Tenantry, tmp_path: Path) -> None:
    folder = tmp_path / "nothing"
    ran = tenantry("sandbox", "status", "--folder", str(folder))
    assert (ran.code, ran.out, ran.err) == (0, f"no sandbox runs in {folder}\n", "")
    ran = tenantry("sandbox", "status", "--folder", str(folder), "--json")
    assert json.loads(ran.out) == {"folder": str(folder), "running": False, "servers": {}}
    ran = tenantry("sandbox", "stop", "--folder", str(folder))
    assert (ran.code, ran.out) == (0, "no sandbox was running\n")
    assert not folder.exists()


def test_a_folder_that_is_no_sandbox_is_never_wiped(tenantry: Tenantry, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letters").write_text("dear")
    ran = tenantry("sandbox", "stop", "--folder", str(folder), "--wipe")
    assert ran.code == 1
    assert ran.err == f"{folder} is no sandbox folder, so it stays as it is\n"
    assert (folder / "letters").read_text() == "dear"


@pytest.mark.parametrize("words", [("env",), ("faults", "slow"), ("faults", "--clear")])
def test_what_needs_a_sandbox_says_that_there_is_none(
    tenantry: Tenantry, tmp_path: Path, words: tuple[str, ...]
) -> None:
    ran = tenantry("sandbox", *words, "--folder", str(tmp_path / "nothing"))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"there is no sandbox in {tmp_path / 'nothing'}; start one first\n"


def test_a_sandbox_that_was_stopped_does_not_take_faults(tenantry: Tenantry, tmp_path: Path) -> None:
    laid_out(tmp_path / "cloud", ACME)
    ran = tenantry("sandbox", "faults", "slow", "--folder", str(tmp_path / "cloud"))
    assert (ran.code, ran.err) == (1, "the sandbox does not answer: start it with `tenantry sandbox start`\n")


def test_every_fault_is_listed_with_its_incident(tenantry: Tenantry, tmp_path: Path) -> None:
    ran = tenantry("sandbox", "faults", "--folder", str(tmp_path / "nothing"))
    assert (ran.code, ran.err) == (0, "")
    for name, switch in SWITCHES.items():
        assert name in ran.out
        assert switch.incident in ran.out


def test_a_fault_that_nobody_knows_is_refused(tenantry: Tenantry, tmp_path: Path) -> None:
    ran = tenantry("sandbox", "faults", "earthquake", "--folder", str(tmp_path / "nothing"))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "there is no fault 'earthquake': `tenantry sandbox faults` lists them\n"


def test_a_simulator_that_nobody_knows_is_refused(tenantry: Tenantry, tmp_path: Path) -> None:
    laid_out(tmp_path / "cloud", ACME)
    ran = tenantry("sandbox", "faults", "slow", "--simulator", "moon", "--folder", str(tmp_path / "cloud"))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"there is no simulator 'moon': there are {', '.join(SIMULATORS)}\n"
