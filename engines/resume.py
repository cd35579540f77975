"""What a run that died has left, and what is to become of it: compared from the state, the clouds and the program.

Pure: `survey` takes the exported states of all cells, what the vendors list under our mark and what the programs
declare, and answers one finding per thing that is to be settled; `cleared` is the state without the notes of some.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from engines.engine import EngineError, Result

# adopt    in the cloud under our mark and wanted, but in no state: the next `up` takes it over, or a state edit does
# clear    a note of an operation that left nothing to be settled
# orphan   in the cloud under our mark, in no state and not wanted
# twice    wanted, in no state, and several objects carry its mark: a human has to say which one it is
# missing  in a state, but not in the cloud
# unready  in a state, made, but never reported ready
# unknown  a create that was cut off, of a kind that cannot be looked for
Verdict = Literal["adopt", "clear", "orphan", "twice", "missing", "unready", "unknown"]
Policy = Literal["adopt", "remove"]
Document = Mapping[str, Any]
Entry = Mapping[str, Any]
_Strays = dict[tuple[str, str], list["InCloud"]]


class InCloud(Protocol):
    """An object that carries our mark, as far as it is compared."""

    @property
    def type(self) -> str:
        """Pulumi's type token."""

    @property
    def name(self) -> str:
        """The logical name in the mark."""

    @property
    def id(self) -> str:
        """The provider's id, as the state writes it."""

    @property
    def proven(self) -> bool:
        """Whether more than a name that another stack may have chosen says that it is ours."""


@dataclass(frozen=True)
class Cell:
    """One stack: its exported document, and the URNs that its program declares."""

    stack: str
    document: Document
    declared: frozenset[str]


@dataclass(frozen=True)
class Finding:
    """One thing to settle. `stack` and `urn` are empty for an orphan, `id` where no object is known.

    `operation` is that of the pending operation, "" where none is noted.
    """

    verdict: Verdict
    type: str
    name: str
    id: str = ""
    stack: str = ""
    urn: str = ""
    operation: str = ""


def declared_by(preview: Result) -> frozenset[str]:
    """The URNs of a program's resources, by its preview."""
    return frozenset(change.urn for change in preview.changes if change.operation != "delete")


def names_in(cells: Iterable[Cell]) -> frozenset[str]:
    """The logical names of all that is recorded or declared."""
    urns = [str(entry["urn"]) for cell in cells for entry in cell.document["deployment"].get("resources") or []]
    return frozenset(_last(urn) for cell in cells for urn in (*urns, *cell.declared))


def survey(
    cells: Sequence[Cell],
    found: Sequence[InCloud],
    listed: Collection[str],
    *,
    finds_ours: Callable[[str], bool],
    policy: Policy = "adopt",
) -> list[Finding]:
    """Compare states, clouds and programs; an empty answer says that there is nothing to settle.

    `found` is every object under our mark of the types in `listed`. A mark names the base stack, so the states of all
    its cells have to be here. `finds_ours` says of which types a create takes over what carries our mark. Under policy
    `remove`, what is in no state is an orphan though it is declared.
    """
    resources = [(cell, entry) for cell in cells for entry in cell.document["deployment"].get("resources") or []]
    strays: _Strays = {}
    for item in _unrecorded(resources, found):
        strays.setdefault((item.type, item.name), []).append(item)
    known = {(str(entry["type"]), _name(entry)) for _, entry in resources}

    def settled(type_: str) -> bool:
        return type_ in listed or finds_ours(type_)

    noted = [_noted(cell, note, strays, settled, policy) for cell in cells for note in notes(cell.document)]
    unready = [Finding("unready", *_of(cell, entry)) for cell, entry in resources if entry.get("initErrors")]
    return [*noted, *unready, *_missing(resources, found, listed), *_left(cells, strays, known, policy)]


def notes(document: Document) -> list[Entry]:
    """The pending operations of a document: `{type: "creating", resource: {…}}`."""
    return list(document["deployment"].get("pending_operations") or [])


def refuse_unsettled(
    pending: Iterable[Entry], declared: Collection[str], finds_ours: Callable[[str], bool], stack: str
) -> None:
    """Raise EngineError for cut-off creates that an `up` would not settle by itself.

    It settles one whose resource it declares and whose create looks for ours; what another has left is found by
    `resume` alone.
    """
    unsettled = [
        _name(note["resource"])
        for note in pending
        if note["type"] == "creating"
        and not (note["resource"]["urn"] in declared and finds_ours(str(note["resource"]["type"])))
    ]
    if unsettled:
        raise EngineError(
            f"stack '{stack}': an earlier run was cut off while it was creating {', '.join(unsettled)}, and this one "
            f"would not find what that left: run `tenantry resume --stack {stack}` first"
        )


def refuse_unready(document: Document, turns_green: Callable[[str], bool], stack: str) -> None:
    """Raise EngineError for what was made and never reported ready, where an `up` would just take it for ready."""
    ill = [
        entry
        for entry in document["deployment"].get("resources") or []
        if entry.get("initErrors") and turns_green(str(entry["type"]))
    ]
    if ill:
        names = ", ".join(_name(entry) for entry in ill)
        reason = " ".join(str(ill[0]["initErrors"][0]).split())
        raise EngineError(
            f"stack '{stack}': {names} was made but never reported ready ({reason}), and this run "
            f"would take it for ready: keep it with `tenantry resume --stack {stack}`, or have it built anew with "
            f"`tenantry resume --stack {stack} --policy remove`"
        )


def cleared(document: Document, urns: Collection[str]) -> dict[str, Any]:
    """The document without the notes of pending operations on these URNs."""
    deployment = {key: value for key, value in document["deployment"].items() if key != "pending_operations"}
    if left := [note for note in notes(document) if note["resource"]["urn"] not in urns]:
        deployment["pending_operations"] = left
    return {**document, "deployment": deployment}


def _unrecorded(resources: Iterable[tuple[Cell, Entry]], found: Sequence[InCloud]) -> Iterator[InCloud]:
    """Objects in no state. An id decides, and the name where several objects of a kind share one: a login's name."""
    names = {(item.type, item.id, item.name) for item in found}
    recorded: dict[tuple[str, str], set[str]] = {}
    for _, entry in resources:
        recorded.setdefault((str(entry["type"]), str(entry.get("id", ""))), set()).add(_name(entry))
    for item in found:
        known_as = recorded.get((item.type, item.id), set())
        # A mark that somebody changed makes no orphan of what a state holds under this id.
        if item.name not in known_as and all((item.type, item.id, name) in names for name in known_as):
            yield item


def _noted(cell: Cell, note: Entry, strays: _Strays, settled: Callable[[str], bool], policy: Policy) -> Finding:
    """A verdict for a pending operation; the one object that it is about to adopt is no stray any more."""
    type_, name, id_, stack, urn = _of(cell, note["resource"])
    operation = str(note["type"])
    if operation != "creating":
        return Finding("clear", type_, name, id_, stack, urn, operation)
    ours = strays.get((type_, name), [])
    if len(ours) == 1 and urn in cell.declared and policy == "adopt":
        return Finding("adopt", type_, name, strays.pop((type_, name))[0].id, stack, urn, operation)
    return Finding("clear" if settled(type_) else "unknown", type_, name, "", stack, urn, operation)


def _missing(
    resources: Iterable[tuple[Cell, Entry]], found: Iterable[InCloud], listed: Collection[str]
) -> Iterator[Finding]:
    there = {(item.type, item.id) for item in found}
    for cell, entry in resources:
        gone = entry["type"] in listed and (entry["type"], entry.get("id", "")) not in there
        if gone and not entry.get("pendingReplacement"):
            yield Finding("missing", *_of(cell, entry))


def _left(
    cells: Iterable[Cell], strays: _Strays, known: Collection[tuple[str, str]], policy: Policy
) -> Iterator[Finding]:
    """Objects in no state: one that a program still lacks is adopted, a second of what it has is an orphan."""
    declared = {(_type(urn), _last(urn)): (cell.stack, urn) for cell in cells for urn in cell.declared}
    for key, items in strays.items():
        wanted = declared.get(key) if key not in known and policy == "adopt" else None
        if wanted is None:
            yield from (Finding("orphan", *key, item.id) for item in items if item.proven)
        else:
            verdict: Verdict = "adopt" if len(items) == 1 else "twice"
            yield from (Finding(verdict, *key, item.id, *wanted) for item in items)


def _of(cell: Cell, entry: Entry) -> tuple[str, str, str, str, str]:
    return str(entry["type"]), _name(entry), str(entry.get("id", "")), cell.stack, str(entry["urn"])


def _name(entry: Entry) -> str:
    return _last(str(entry["urn"]))


def _last(urn: str) -> str:
    return urn.split("::", 3)[3]


def _type(urn: str) -> str:
    return urn.split("::", 3)[2].rpartition("$")[2]
