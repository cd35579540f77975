"""Processes that a killed engine has left: found by what they are, ended by what they are, and nobody else's."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engines.engine import EngineError
from engines.file_lock import Owner, folder_of, locks, met_lock, read_owner, require_dead
from engines.leftovers import end_all, leftovers, named, process

PLUGIN = "import signal, sys, time\nprint('up', flush=True)\ntime.sleep(60)\n"
STUBBORN = (
    "import signal, sys, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('up', flush=True)\ntime.sleep(60)\n"
)
HOST = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    "print('up', flush=True)\n"
    "child.wait()\n"
)
# An engine: it starts its plugin in a group of its own and waits for it.
ENGINE = 'setsid "$@" & wait'
NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program by the name of a plugin in a project's folder."""
    running: list[subprocess.Popen[str]] = []
    (tmp_path / "project").mkdir()

    def begin(name: str, source: str = PLUGIN, address: str = "127.0.0.1:40745", by: str = "") -> subprocess.Popen[str]:
        script = tmp_path / name
        script.write_text(source)
        plugin = [sys.executable, str(script), address]
        command = [by, "-c", ENGINE, by, *plugin] if by else plugin
        started = subprocess.Popen(
            command,
            executable="/bin/sh" if by else None,
            cwd=tmp_path / "project",
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        running.append(started)
        assert started.stdout is not None
        assert started.stdout.readline() == "up\n"
        return started

    yield begin
    for each in running:
        each.kill()
        each.communicate()


def test_a_plugin_without_an_engine_is_found_with_all_it_started_and_ended(start: Start, tmp_path: Path) -> None:
    """F15."""
    host = start("pulumi-language-python", HOST)
    plugin = start("pulumi-resource-hcloud")
    found = leftovers(tmp_path / "project")
    assert {each.pid for each in found if each.plugin} == {host.pid, plugin.pid}
    assert len(found) == 3
    assert named(found).count("pulumi-") == 2
    end_all(found)
    assert plugin.wait(5) == -signal.SIGTERM
    assert [process(each.pid) for each in found] == [None, None, None]
    assert leftovers(tmp_path / "project") == []


def test_one_that_does_not_listen_is_killed(start: Start, tmp_path: Path) -> None:
    plugin = start("pulumi-resource-hcloud", STUBBORN)
    end_all(leftovers(tmp_path / "project"), grace=0.3)
    assert plugin.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("name", "address", "folder"),
    [
        ("pulumi-resource-hcloud", "127.0.0.1:40745", "elsewhere"),
        ("pulumi-resource-hcloud", "--help", "project"),
        ("a-program-about-pulumi-resource-hcloud", "127.0.0.1:40745", "project"),
    ],
    ids=["another project's", "not started by an engine", "another program"],
)
def test_what_is_somebody_else_s_is_no_leftover(
    start: Start, tmp_path: Path, name: str, address: str, folder: str
) -> None:
    other = start(name, address=address)
    assert leftovers(tmp_path / folder) == []
    assert other.poll() is None


def test_what_has_a_living_engine_is_no_leftover_until_that_is_killed(start: Start, tmp_path: Path) -> None:
    engine = start("pulumi-resource-hcloud", by="pulumi")
    assert leftovers(tmp_path / "project") == []
    engine.kill()
    engine.wait()
    left = leftovers(tmp_path / "project")
    assert named(left) == f"pulumi-resource-hcloud ({left[0].pid})"
    end_all(left)


def test_a_pid_that_was_given_to_another_process_is_not_ended(start: Start, tmp_path: Path) -> None:
    plugin = start("pulumi-resource-hcloud")
    found = leftovers(tmp_path / "project")
    stale = [
        type(each)(each.pid, each.parent, each.group, each.started - 1, each.command, each.folder) for each in found
    ]
    end_all(stale, grace=0.1)
    assert plugin.poll() is None


def owner(pid: int, host: str | None = None, since: datetime | None = None) -> Owner:
    return Owner(pid, "ann", host or os.uname().nodename, since or datetime.now(UTC))


def test_the_owner_of_a_lock_is_alive_only_as_the_process_that_took_it(tmp_path: Path) -> None:
    """A pid is given again; a process that began after the lock was written is another one."""
    assert owner(os.getpid()).alive
    assert not owner(os.getpid(), since=datetime.now(UTC) - timedelta(days=400)).alive
    ended = subprocess.Popen(["true"])
    ended.wait()
    assert not owner(ended.pid).alive
    assert require_dead(owner(ended.pid), tmp_path, lambda: datetime.now(UTC)).startswith(f"process {ended.pid} of ann")


def test_a_lock_that_may_not_be_broken_is_told_with_owner_host_and_age(tmp_path: Path) -> None:
    """F15: knowingly, or not at all."""
    since = NOW - timedelta(minutes=22)
    with pytest.raises(EngineError) as elsewhere:
        require_dead(Owner(7, "ann", "another-host", since), tmp_path / "lock.json", lambda: NOW)
    assert str(elsewhere.value) == (
        "the stack is locked by process 7 of ann on another-host, since 2026-11-21 04:38 UTC (22 min): "
        f"if that run is dead, remove the file {tmp_path / 'lock.json'}"
    )
    with pytest.raises(EngineError, match="which is alive: wait for it"):
        require_dead(owner(os.getpid()), tmp_path, lambda: datetime.now(UTC))


def test_a_lock_file_is_read_as_the_cli_writes_it(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi" / "locks" / "organization" / "tenantry" / "prod"
    folder.mkdir(parents=True)
    file = folder / "c5dec467.json"
    file.write_text('{"pid":20450,"username":"ann","hostname":"web-1","timestamp":"2026-11-24T15:36:36.581581878Z"}')
    assert locks(tmp_path, "tenantry", "prod") == [file]
    assert locks(tmp_path, "tenantry", "prod-2") == []
    assert read_owner(file) == Owner(20450, "ann", "web-1", datetime(2026, 11, 24, 15, 36, 36, 581581, UTC))
    file.write_text("{}")
    with pytest.raises(EngineError, match="does not say whose it is"):
        read_owner(file)


def test_only_a_file_backend_has_a_folder(tmp_path: Path) -> None:
    assert folder_of(f"file://{tmp_path}", Path("/elsewhere")) == tmp_path
    assert folder_of("file://./state", tmp_path) == tmp_path / "state"
    assert folder_of("file://~", tmp_path) == Path.home()
    assert folder_of("s3://states", tmp_path) is None


def test_the_lock_that_the_cli_met_is_told_whatever_the_backend() -> None:
    met = "error: the stack is currently locked\n  s3://b/x.json: created by ann@web-1 (pid 7) at 2026-11-21T04:38:00Z"
    assert met_lock(met, NOW) == "process 7 of ann on web-1, since 2026-11-21 04:38 UTC (22 min)"
    assert met_lock("conflict: another update is in progress", NOW) == "another run"
