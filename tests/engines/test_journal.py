"""The journal of the embedded engine: whole at every byte, repeated once, and damage is a sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from engines.embedded.errors import StateError
from engines.embedded.journal import Journal, read_journal
from engines.embedded.passphrase import open_crypter
from engines.embedded.properties import Secret
from engines.embedded.resource import Resource
from engines.embedded.state import State
from engines.embedded.store import Folder, Store
from engines.engine import Event
from tests.engines.laboratory import NOON, PASSPHRASE, SALT, Laboratory


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The files of a stack."""
    return Folder(tmp_path, "dev", lambda: NOON)


def thing(name: str, **fields: Any) -> Resource:  # noqa: ANN401 - any field of a resource
    return Resource(f"urn:pulumi:dev::p::t:m:T::{name}", "t:m:T", custom=True, id=name, **fields)


def entries(folder: Folder, state: State) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = folder.document(state, SALT)["deployment"]["resources"]
    return found


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


# A real run, cut off at any byte

BEFORE = """
    here = on(lane(toy_token="one"))
    a = Toy("a", here, password=pulumi.Output.secret("hidden"))
    Toy("b", here, kind="x")
    Toy("c", here, size=1)
    Toy("gone", here)
"""
AFTER = """
    here = on(lane(toy_token="two"))
    a = Toy("a", here, password=pulumi.Output.secret("hidden"))
    Toy("b", here, kind="y")
    Toy("c", here, size=2)
    d = Toy("d", here, labels={"of": a.url, "letters": "äöü€"})
    Box("box", pulumi.ResourceOptions(providers=[here.provider]))
    pulumi.export("url", d.url)
"""


@dataclass(frozen=True)
class Run:
    """A run that keeps, replaces, updates, creates and deletes: the document before it, its journal, and its end."""

    lab: Laboratory
    before: bytes
    journal: bytes
    after: list[dict[str, Any]]

    @property
    def boundaries(self) -> list[int]:
        """Where each record ends, its newline not counted."""
        return [index for index, byte in enumerate(self.journal) if byte == ord("\n")]

    def load(self, journal: bytes, document: bytes | None = None) -> State:
        """The state as the next run finds it."""
        (self.lab.state / "dev.json").write_bytes(self.before if document is None else document)
        (self.lab.state / "dev.journal").write_bytes(journal)
        return Folder(self.lab.state, "dev", lambda: NOON).load(open_crypter(SALT, PASSPHRASE))


@pytest.fixture
def run(embedded: Laboratory) -> Run:
    """The journal is a second name of the file that the run removes at its end."""
    embedded.applied(BEFORE)
    before = (embedded.state / "dev.json").read_bytes()
    copy = embedded.state / "copy"

    def keep(_event: Event) -> None:
        if not copy.exists() and (embedded.state / "dev.journal").exists():
            copy.hardlink_to(embedded.state / "dev.journal")

    embedded.program(AFTER)
    assert embedded.embedded.up(on_event=keep).ok
    embedded.calls()
    return Run(embedded, before, copy.read_bytes(), embedded.deployment()["resources"])


def test_a_journal_is_whole_at_every_byte(tmp_path: Path) -> None:
    """Every record that is complete counts, and the one that was being written does not."""
    journal = Journal(tmp_path / "j")
    for number in range(8):
        journal.append({"value": number, "text": 'ä"\\\n{'})
    journal.close()
    whole = (tmp_path / "j").read_bytes()
    ends = [index for index, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        (tmp_path / "j").write_bytes(whole[:size])
        values = [record["value"] for record in read_journal(tmp_path / "j")]
        assert values == list(range(sum(end <= size for end in ends))), size


def test_the_journal_of_a_run_is_whole_wherever_it_ends(run: Run, tmp_path: Path) -> None:
    assert len(run.boundaries) > 15
    sizes = {size for end in run.boundaries for size in (end - 1, end, end + 1)}
    for size in sorted(sizes | set(range(0, len(run.journal), 61))):
        (tmp_path / "j").write_bytes(run.journal[:size])
        assert len(list(read_journal(tmp_path / "j"))) == sum(end <= size for end in run.boundaries), size


def test_after_every_record_the_state_is_whole(run: Run) -> None:
    """References lead to what is there, and at most what was under way is noted."""
    sizes = [size for end in run.boundaries for size in (end - 1, end, end + 1)]
    for size in [0, *sizes]:
        state = run.load(run.journal[:size])
        known: set[str] = set()
        for kept in state.resources():
            assert set(kept.resource.needs()) <= known, size
            known.add(kept.resource.urn)
        assert len(state.pending()) <= 8
    last = run.load(run.journal)
    assert last.pending() == []
    assert [kept.entry for kept in last.resources()] == run.after


def test_a_byte_that_flipped_is_one_sentence_or_the_torn_end(run: Run) -> None:
    last = run.boundaries[-2]
    for position in range(3, len(run.journal), 97):
        flipped = bytearray(run.journal)
        flipped[position] ^= 0x04
        if position <= last:
            with pytest.raises(
                StateError, match=r"the journal .* is damaged in line \d+: restore it, or remove it and run"
            ):
                run.load(bytes(flipped))
        else:
            run.load(bytes(flipped))


def test_a_compaction_that_was_cut_off_does_nothing_twice(run: Run) -> None:
    """After part of the draft, after all of it, after it took the document's name, after the journal went."""
    document = (run.lab.state / "dev.json").read_bytes()
    draft = run.lab.state / "dev.json.new"
    for left, written in ((document[: len(document) // 2], run.before), (document, run.before), (b"", document)):
        draft.write_bytes(left)
        state = run.load(run.journal, written)
        assert [kept.entry for kept in state.resources()] == run.after
        assert run.lab.up().ok
        assert run.lab.calls() == []
        assert not (run.lab.state / "dev.journal").exists()
    draft.unlink(missing_ok=True)
    (run.lab.state / "dev.json.bak.new").write_bytes(b"left by a kill")
    run.lab.program(BEFORE)
    assert run.lab.up().ok
    assert sorted(path.name for path in run.lab.state.glob("dev*")) == ["dev.json", "dev.json.bak", "dev.lock"]


def test_a_journal_below_a_document_that_is_newer_is_not_even_looked_through(run: Run) -> None:
    """A kill after the new document, and damage in what is left of the old journal."""
    document = (run.lab.state / "dev.json").read_bytes()
    torn = run.journal[: run.boundaries[1]] + b"x" + run.journal[run.boundaries[1] :]
    assert [kept.entry for kept in run.load(torn, document).resources()] == run.after
