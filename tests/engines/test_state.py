"""The state of the embedded engine: Pulumi's document, a journal during a run, one run at a time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from engines.embedded.errors import RefusedError, StateError
from engines.embedded.journal import Journal, read_journal
from engines.embedded.lock import locked
from engines.embedded.passphrase import open_crypter
from engines.embedded.properties import Secret
from engines.embedded.resource import Resource
from engines.embedded.state import State
from engines.embedded.store import Folder, Store
from engines.engine import EngineError
from tests.engines.conftest import needs_pulumi
from tests.engines.laboratory import PASSPHRASE, SALT, Laboratory, operations

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CHAIN = """
    here = on(lane(toy_token=pulumi.Config().require_secret("token")))
    a = Toy("a", here, password=pulumi.Config().require_secret("token"))
    b = Toy("b", here, labels={"of": a.url, "numbers": [1, 2.5, None, True]})
    Box("box", pulumi.ResourceOptions(providers=[here.provider]))
    pulumi.export("urls", {"a": a.url, "key": b.key})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The files of a stack."""
    return Folder(tmp_path, "dev", lambda: NOON)


def thing(name: str, **fields: Any) -> Resource:  # noqa: ANN401 - any field of a resource
    return Resource(f"urn:pulumi:dev::p::t:m:T::{name}", "t:m:T", custom=True, id=name, **fields)


def entries(folder: Folder, state: State) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = folder.document(state, SALT)["deployment"]["resources"]
    return found


@pytest.mark.e2e
@needs_pulumi
def test_the_cli_takes_over_a_state_and_finds_nothing_to_do(tmp_path: Path) -> None:
    """Facts 2.7: for dynamic types the next preview shows no change, at once."""
    lab = Laboratory(tmp_path, "embedded")
    lab.configure(secrets={"playground:token": "hidden-token"})
    lab.applied(CHAIN)
    lab.cli.adopt(lab.embedded.export(), tmp_path / "export.json")
    result = lab.cli.preview()
    assert result.ok
    assert {change.operation for change in result.changes} == {"same"}
    assert lab.cli.outputs(show_secrets=True) == lab.embedded.outputs(show_secrets=True)
    assert lab.cli.destroy().ok
    assert lab.objects() == {}


@pytest.mark.e2e
@needs_pulumi
def test_a_state_of_the_cli_is_taken_over_and_nothing_is_to_do(tmp_path: Path) -> None:
    lab = Laboratory(tmp_path, "pulumi")
    lab.configure(secrets={"playground:token": "hidden-token"})
    lab.applied(CHAIN)
    (lab.state / "dev.json").write_text(json.dumps(lab.cli.export()), encoding="utf-8")
    result = lab.embedded.up()
    assert result.ok
    assert {change.operation for change in result.changes} == {"same"}
    assert lab.embedded.outputs(show_secrets=True) == lab.cli.outputs(show_secrets=True)
    written, read = entries_by_urn(lab.embedded.export()), entries_by_urn(lab.cli.export())
    assert written == read


def entries_by_urn(document: dict[str, Any]) -> dict[str, Any]:
    """Entries without positions in the program and without ciphertexts, which differ at every encryption."""

    def bare(value: Any) -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, dict):
            return {key: bare(item) for key, item in value.items() if key != "ciphertext"}
        return [bare(item) for item in value] if isinstance(value, list) else value

    left_out = {"sourcePosition", "stackTrace"}
    return {
        entry["urn"]: bare({key: value for key, value in entry.items() if key not in left_out})
        for entry in document["deployment"]["resources"]
    }


def test_an_unchanged_run_leaves_every_entry_as_it_was(embedded: Laboratory) -> None:
    """Ciphertexts included: a state under version control shows what changed."""
    embedded.configure(secrets={"playground:token": "hidden-token"})
    embedded.applied(CHAIN)
    before = {name: entry for name, entry in embedded.resources().items() if entry["custom"]}
    assert embedded.up().ok
    assert {name: entry for name, entry in embedded.resources().items() if entry["custom"]} == before


def test_the_files_of_a_state_are_for_their_owner_only(embedded: Laboratory) -> None:
    embedded.applied('Toy("a", on(lane()))')
    assert sorted(path.name for path in embedded.state.iterdir()) == ["dev.json", "dev.lock"]
    assert (embedded.state / "dev.json").stat().st_mode & 0o077 == 0


def test_a_state_with_what_this_engine_would_disregard_is_refused(embedded: Laboratory) -> None:
    embedded.applied('Toy("a", on(lane()))')
    file = embedded.state / "dev.json"
    document = json.loads(file.read_text())
    document["deployment"]["resources"][-1]["external"] = True
    file.write_text(json.dumps(document))
    with pytest.raises(RefusedError, match=r"'external', which the state has for urn:.*::a"):
        embedded.preview()


@pytest.mark.parametrize(("text", "sentence"), [("{", "is not JSON"), ('{"version": 4}', "has version 4")])
def test_a_damaged_state_is_one_sentence(embedded: Laboratory, text: str, sentence: str) -> None:
    (embedded.state / "dev.json").write_text(text)
    embedded.program("")
    with pytest.raises(StateError, match=sentence):
        embedded.up()


# The journal


def test_a_journal_repeats_what_was_done_to_the_state(folder: Folder) -> None:
    crypter = open_crypter(SALT, PASSPHRASE)
    first = Store(State(), crypter, folder.journal())
    for name in "abcde":
        first.settle(thing(name, inputs={"secret": Secret("hidden")}))
    first.close()
    folder.save(first.state, SALT)
    store = Store(folder.load(crypter), crypter, folder.journal())
    keys = {resource.id: key for key, resource in store.before().items()}
    store.settle(store.before()[keys["a"]], keys["a"])
    store.settle(thing("b", inputs={"new": 1.0}), keys["b"])
    store.settle(thing("c2", dependencies=(thing("a").urn,)), condemns=keys["c"])
    store.forget(keys["d"])
    store.alter(keys["e"], thing("e", pending_replacement=True))
    store.end(store.begin("creating", thing("f")))
    store.begin("updating", thing("b"))
    store.outputs(thing("a").urn, {"out": [1.0, None]})
    store.close()
    repeated = folder.load(crypter)
    assert entries(folder, repeated) == entries(folder, store.state)
    assert repeated.pending() == store.state.pending()
    assert [(entry["id"], entry.get("delete", False)) for entry in entries(folder, repeated)] == [
        ("a", False),
        ("b", False),
        ("c2", False),
        ("c", True),
        ("e", False),
    ]


def test_a_torn_last_record_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    for number in range(3):
        journal.append({"value": number})
    journal.close()
    whole = (tmp_path / "j").read_bytes()
    (tmp_path / "j").write_bytes(whole[:-5])
    assert [record["value"] for record in read_journal(tmp_path / "j")] == [0, 1]


@pytest.mark.parametrize("damage", [lambda text: text.replace(b'"value": 1', b'"value": 7'), lambda text: b"x" + text])
def test_damage_before_the_end_is_an_error(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    journal = Journal(tmp_path / "j")
    for number in range(3):
        journal.append({"value": number})
    journal.close()
    (tmp_path / "j").write_bytes(damage((tmp_path / "j").read_bytes()))
    with pytest.raises(StateError, match="is damaged in line"):
        list(read_journal(tmp_path / "j"))


def test_a_journal_of_another_state_is_not_repeated(folder: Folder, tmp_path: Path) -> None:
    """A crash between the new document and the removal of the journal does nothing twice."""
    crypter = open_crypter(SALT, PASSPHRASE)
    store = Store(State(), crypter, folder.journal())
    store.settle(thing("a"))
    store.close()
    journal = (tmp_path / "dev.journal").read_bytes()
    folder.save(store.state, SALT)
    (tmp_path / "dev.journal").write_bytes(journal)
    assert [entry["id"] for entry in entries(folder, folder.load(crypter))] == ["a"]


def test_the_disk_is_not_asked_at_every_record(tmp_path: Path) -> None:
    moments = iter([0.0, 0.0, 0.1, 0.3, 0.3])
    journal = Journal(tmp_path / "j", clock=lambda: next(moments))
    for number in range(3):
        journal.append({"value": number})
    journal.close()
    assert len(list(read_journal(tmp_path / "j"))) == 3


# Locks, and runs that died


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
result = EmbeddedEngine(Path(sys.argv[1]), "dev", Path(sys.argv[2])).up()
print([failure.message for failure in result.failures])
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
        _, errors = process.communicate(timeout=20)
    assert process.returncode
    assert "KeyboardInterrupt" in errors
    assert embedded.names() == {"lane", "a"}
    assert embedded.calls() == []
    assert "pending_operations" not in embedded.deployment()


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
