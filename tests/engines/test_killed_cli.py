"""The Pulumi CLI killed or told to end in the middle of a create: what is left of it, and how that is put in order."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engines.engine import EngineError
from engines.leftovers import leftovers
from engines.pulumi_cli import PulumiCli
from tests.engines.conftest import needs_pulumi
from tests.engines.laboratory import STACK, Laboratory

pytestmark = [pytest.mark.e2e, needs_pulumi]

PROGRAM = """
l = lane()
Toy("a", name="a", size=1, opts=on(l))
"""
# A process of ours that runs an `up`, as `tenantry up` does.
UP = """
import sys
from pathlib import Path
from engines.pulumi_cli import PulumiCli

try:
    PulumiCli(Path(sys.argv[1]), sys.argv[2]).up()
except KeyboardInterrupt:
    print("interrupted")
"""
PATIENCE_SECONDS = 60


@pytest.fixture
def lab(tmp_path: Path) -> Laboratory:
    """A project whose one create waits until it is let go."""
    made = Laboratory(tmp_path, "pulumi")
    made.program(PROGRAM)
    made.cli.export()
    (made.cloud / "faults" / "a.create.wait").touch()
    return made


def let_go(lab: Laboratory) -> None:
    (lab.cloud / "faults" / "a.create.wait").unlink()


def engine(lab: Laboratory) -> PulumiCli:
    return PulumiCli(lab.project, STACK, lab.environ)


def until(what: Callable[[], bool]) -> None:
    """Wait for something that comes about in another process."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def creating(lab: Laboratory) -> bool:
    log = lab.cloud / "log"
    return log.exists() and '"call": "create"' in log.read_text(encoding="utf-8")


def begun(lab: Laboratory) -> subprocess.Popen[str]:
    """The CLI in the middle of the create."""
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", STACK]
    run = subprocess.Popen(
        command, cwd=lab.project, env=lab.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    until(lambda: creating(lab))
    return run


def test_a_killed_run_s_plugins_are_ended_before_its_lock_is_broken(lab: Laboratory) -> None:
    """F15: facts 2.2 saw them finish a create that nobody recorded."""
    run = begun(lab)
    run.kill()
    run.wait()
    with pytest.raises(EngineError, match=rf"process {run.pid} of \w+ on .*tenantry resume --stack dev"):
        engine(lab).refresh()
    assert leftovers(lab.project)
    looked = engine(lab).break_lock(only_look=True)
    assert leftovers(lab.project)
    told = engine(lab).break_lock()
    assert told == looked
    assert told.startswith(f"process {run.pid} of ")
    assert "left running: pulumi-language-python (" in told
    assert "pulumi-resource-pulumi-python (" in told
    assert leftovers(lab.project) == []
    let_go(lab)
    assert lab.objects() == {}
    assert engine(lab).break_lock() == ""
    assert [note["type"] for note in lab.deployment()["pending_operations"]] == ["creating"]


def test_a_run_that_lives_is_left_alone(lab: Laboratory) -> None:
    """F15: its lock is refused with owner, host and age, and its plugins are nobody's leftovers."""
    run = begun(lab)
    try:
        with pytest.raises(EngineError, match=rf"process {run.pid} of .* \(0 min\), which is alive: wait for it"):
            engine(lab).break_lock()
        assert leftovers(lab.project) == []
        let_go(lab)
        assert run.wait(PATIENCE_SECONDS) == 0
    finally:
        run.kill()
        run.wait()
    assert lab.names() == {"lane", "a"}


def test_a_run_that_is_told_to_end_finishes_and_records_what_it_had_begun(lab: Laboratory) -> None:
    """Facts 2.2: told once, the engine leaves neither a lock nor a pending operation."""
    ours = subprocess.Popen(
        [sys.executable, "-c", UP, str(lab.project), STACK],
        env={**lab.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until(lambda: creating(lab))
    # What a terminal does: everybody of the group hears it, and a parent may pass it on once more.
    os.killpg(ours.pid, signal.SIGINT)
    ours.send_signal(signal.SIGTERM)
    time.sleep(1)
    assert ours.poll() is None
    let_go(lab)
    answer, _ = ours.communicate(timeout=PATIENCE_SECONDS)
    assert answer == "interrupted\n"
    assert lab.names() == {"lane", "a"}
    assert not lab.deployment().get("pending_operations")
    assert engine(lab).break_lock() == ""
