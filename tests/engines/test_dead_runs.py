"""Locks, runs that were told to stop, and runs that died: what they leave, and how the next one goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engines.embedded.errors import StateError
from engines.embedded.lock import locked
from engines.engine import EngineError
from tests.engines.laboratory import NOON, Laboratory, operations


def test_a_second_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    lock = tmp_path / "dev.lock"
    with locked(lock, lambda: NOON, print), pytest.raises(StateError) as refusal, locked(lock, lambda: NOON, print):
        pass
    assert str(refusal.value).startswith(f"the stack is locked by another run (process {os.getpid()} on ")
    assert "since 2026-11-21T12:00:00+00:00" in str(refusal.value)
    with locked(lock, lambda: NOON, print):
        pass


def test_the_lock_of_a_dead_run_is_broken_with_a_message(tmp_path: Path) -> None:
    lock, told = tmp_path / "dev.lock", list[str]()
    host = os.uname().nodename
    lock.write_text(json.dumps({"pid": 1, "host": host, "since": "yesterday"}))
    with locked(lock, lambda: NOON, told.append):
        pass
    assert len(told) == 1
    assert f"process 1 on {host}, since yesterday" in told[0]


def test_a_lock_from_another_host_is_not_broken(tmp_path: Path) -> None:
    lock = tmp_path / "dev.lock"
    lock.write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "yesterday"}))
    with pytest.raises(StateError, match="if that run is dead, empty the file"), locked(lock, lambda: NOON, print):
        pass


# A shell starts what runs in its background with SIGINT ignored, and children inherit that.
RUN = """
import signal
import sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)
from engines.embedded import EmbeddedEngine
try:
    EmbeddedEngine(Path(sys.argv[1]), "dev", Path(sys.argv[2])).up()
except KeyboardInterrupt:
    print("stopped in order")
"""


@contextmanager
def running(lab: Laboratory) -> Iterator["subprocess.Popen[str]"]:
    """An update in a process of its own."""
    root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(lab.project), str(lab.state)],
        env={**lab.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(lab: Laboratory, call: str) -> None:
    """Wait until the cloud was called."""
    seen: list[str] = []
    deadline = time.monotonic() + 20
    while call not in seen:
        assert time.monotonic() < deadline, f"no '{call}' in {seen}"
        time.sleep(0.02)
        seen += lab.calls()


SLOW = """
    here = on(lane())
    a = Toy("a", here)
    b = Toy("b", here, labels=a.url)
    Toy("c", here, labels=b.url)
"""


def test_a_killed_run_is_taken_up_where_it_was(embedded: Laboratory) -> None:
    """Facts 2.2, 2.3: what was done is recorded, what was under way is a pending operation and a warning."""
    embedded.program(SLOW)
    wait = embedded.fault("b", "create.wait", "")
    with running(embedded) as process:
        wait_for(embedded, "create b")
        process.kill()
        process.wait()
    wait.unlink()
    assert embedded.names() == {"lane", "a"}
    (pending,) = embedded.deployment()["pending_operations"]
    assert (pending["type"], pending["resource"]["urn"].rpartition("::")[2]) == ("creating", "b")
    told: list[str] = []
    result = embedded.embedded.up(on_event=lambda event: told.append(event.message))
    assert operations(result) == {"a": "same", "b": "create", "c": "create"}
    assert any("died without an end: its lock is broken" in text for text in told)
    assert any("1 operations of an earlier run were cut off (creating b)" in text for text in told)
    assert "pending_operations" not in embedded.deployment()


def test_a_create_that_was_cut_off_and_is_no_longer_wanted_is_not_forgotten(embedded: Laboratory) -> None:
    """F15: an `up` names `resume`, and nothing is done."""
    embedded.program(SLOW)
    wait = embedded.fault("b", "create.wait", "")
    with running(embedded) as process:
        wait_for(embedded, "create b")
        process.kill()
        process.wait()
    wait.unlink()
    embedded.program('Toy("a", on(lane()))')
    with pytest.raises(EngineError, match=r"was creating b, .*: run `tenantry resume --stack dev` first"):
        embedded.up()
    assert embedded.calls() == []
    assert len(embedded.deployment()["pending_operations"]) == 1


def test_an_update_that_was_cut_off_is_read_before_anything_is_decided(embedded: Laboratory) -> None:
    """H4: the state may be older than the cloud, so that going back to the old value is a change."""
    embedded.applied('Toy("a", on(lane()), size=1)\nToy("b", on(lane("other")))')
    embedded.program('Toy("a", on(lane()), size=2)\nToy("b", on(lane("other")))')
    wait = embedded.fault("a", "update.wait", "")
    with running(embedded) as process:
        wait_for(embedded, "update a")
        process.kill()
        process.wait()
    wait.unlink()
    embedded.drift("a", size=2)
    embedded.program('Toy("a", on(lane()), size=1)\nToy("b", on(lane("other")))')
    assert operations(embedded.up()) == {"a": "update", "b": "same"}
    assert embedded.calls() == ["read a", "update a"]
    assert embedded.objects()["a"]["size"] == 1
    assert "pending_operations" not in embedded.deployment()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_lets_running_operations_end_and_starts_nothing_more(
    embedded: Laboratory, sent: signal.Signals
) -> None:
    """Facts 2.2: one SIGINT or SIGTERM, no pending operation."""
    embedded.program(SLOW)
    wait = embedded.fault("a", "create.wait", "")
    with running(embedded) as process:
        wait_for(embedded, "create a")
        process.send_signal(sent)
        time.sleep(0.2)
        wait.unlink()
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "stopped in order\n")
    assert embedded.names() == {"lane", "a"}
    assert embedded.calls() == []
    assert "pending_operations" not in embedded.deployment()
    assert (embedded.state / "dev.lock").read_text() == ""
    assert operations(embedded.up()) == {"a": "same", "b": "create", "c": "create"}


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_second_interrupt_stops_at_once_and_leaves_a_note(embedded: Laboratory, sent: signal.Signals) -> None:
    """Facts 2.2: what was under way is a pending operation, which the next `up` settles."""
    embedded.program(SLOW)
    wait = embedded.fault("b", "create.wait", "")
    with running(embedded) as process:
        wait_for(embedded, "create b")
        process.send_signal(sent)
        time.sleep(0.2)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=20)
    wait.unlink()
    assert process.returncode == 128 + sent.value
    assert errors == "stopped at once: what was under way may be half done, run `tenantry resume`\n"
    (pending,) = embedded.deployment()["pending_operations"]
    assert pending["resource"]["urn"].endswith("::b")
    assert embedded.embedded.break_lock().startswith(f"process {process.pid} on ")
    embedded.calls()
    assert embedded.up().ok
    assert embedded.calls() == ["create b", "create c"]


def test_a_run_in_another_process_excludes_this_one(embedded: Laboratory) -> None:
    embedded.program(SLOW)
    wait = embedded.fault("a", "create.wait", "")
    with running(embedded) as process:
        wait_for(embedded, "create a")
        with pytest.raises(EngineError, match=f"locked by another run .process {process.pid} on"):
            embedded.up()
        assert embedded.preview().ok
        wait.unlink()
        assert process.wait(timeout=20) == 0
    assert embedded.names() == {"lane", "a", "b", "c"}


def test_a_state_that_is_gone_below_a_journal_is_no_new_stack(embedded: Laboratory) -> None:
    embedded.program(SLOW)
    wait = embedded.fault("b", "create.wait", "")
    with running(embedded) as process:
        wait_for(embedded, "create b")
        process.kill()
        process.wait()
    wait.unlink()
    (embedded.state / "dev.json").unlink()
    (embedded.state / "dev.json.bak").unlink(missing_ok=True)
    with pytest.raises(StateError, match=r"dev\.json is gone: restore it from a backup of yours"):
        embedded.up()
