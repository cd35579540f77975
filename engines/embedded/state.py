"""The state of a stack during a run: what was there before, what this run has settled, and what is under way.

Every change is one method with plain arguments, so that the journal can repeat it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engines.embedded.resource import Resource
from engines.embedded.urns import reference_urn


@dataclass(frozen=True)
class Kept:
    """A resource together with its encoded entry, so that an unchanged one keeps its ciphertexts."""

    resource: Resource
    entry: Mapping[str, Any]


class State:
    """Resources of before, by a key that stays theirs, and resources settled by this run, by URN."""

    def __init__(self, resources: Iterable[Kept] = (), pending: Iterable[Mapping[str, Any]] = ()) -> None:
        self.before: dict[int, Kept] = dict(enumerate(resources))
        self.after: dict[str, Kept] = {}
        self.inherited = list(pending)
        self.begun: dict[int, Mapping[str, Any]] = {}
        self.renamed: dict[str, str] = {}
        self._live = {kept.resource.urn: key for key, kept in self.before.items() if not kept.resource.delete}

    def live(self, urn: str) -> tuple[int, Resource] | None:
        """Find what was there before under a URN and is not replaced."""
        key = self._live.get(urn)
        return None if key is None else (key, self.before[key].resource)

    def settle(
        self, kept: Kept, supersedes: int | None = None, ends: int | None = None, condemns: int | None = None
    ) -> None:
        """Take a resource as settled, in the place of one of before, or beside one that is condemned: to be deleted."""
        if supersedes is not None:
            old = self._drop(supersedes)
            if old is not None and old.urn != kept.resource.urn:
                self.renamed[old.urn] = kept.resource.urn
                self._outdate(old.urn)
        if condemns is not None:
            condemned = self.before[condemns]
            marked = Kept(replace(condemned.resource, delete=True), {**condemned.entry, "delete": True})
            self.alter(condemns, marked)
        self.after[kept.resource.urn] = kept
        self._outdate(kept.resource.urn)
        self.end(ends)

    def begin(self, number: int, operation: str, entry: Mapping[str, Any]) -> None:
        """Note an operation that a provider is about to do."""
        self._outdate(entry.get("urn", ""))
        self.begun[number] = {"resource": entry, "type": operation}

    def end(self, number: int | None) -> None:
        """Note that a provider's operation came to an end, good or bad."""
        if number is not None:
            self.begun.pop(number, None)

    def alter(self, key: int, kept: Kept) -> None:
        """Replace what was there before by what a refresh or a flag makes of it."""
        self.before[key] = kept
        if kept.resource.delete:
            self._live.pop(kept.resource.urn, None)

    def forget(self, key: int, ends: int | None = None) -> None:
        """Drop what was there before: deleted, or gone by itself."""
        gone = self._drop(key)
        if gone is not None:
            self._outdate(gone.urn)
        self.end(ends)

    def clear_pending(self) -> None:
        """Drop the notes of operations that earlier runs left behind."""
        self.inherited.clear()

    def _outdate(self, urn: str) -> None:
        """Drop what earlier runs have noted of a resource that this one has taken in hand."""
        self.inherited = [note for note in self.inherited if note["resource"]["urn"] != urn]

    def _drop(self, key: int) -> Resource | None:
        kept = self.before.pop(key, None)
        if kept is None:
            return None
        if self._live.get(kept.resource.urn) == key:
            del self._live[kept.resource.urn]
        return kept.resource

    def resources(self) -> Iterator[Kept]:
        """Every resource, each after all that it needs; a reference to one that is gone is left out."""
        known: set[str] = set()
        parents: dict[str, str] = {}
        for kept in [*self.after.values(), *self.before.values()]:
            sound = self._sound(kept, known, parents)
            known.add(sound.resource.urn)
            parents[sound.resource.urn] = sound.resource.parent
            yield sound

    def _sound(self, kept: Kept, known: set[str], parents: Mapping[str, str]) -> Kept:
        resource = kept.resource
        if all(urn in known for urn in resource.needs()):
            return kept
        parent = self._name(resource.parent)
        while parent and parent not in known:
            parent = parents.get(parent, "")
        sound = replace(
            resource,
            parent=parent,
            provider=self._reference(resource.provider),
            dependencies=self._known(resource.dependencies, known),
            property_dependencies={
                key: self._known(urns, known) for key, urns in resource.property_dependencies.items()
            },
            deleted_with="".join(self._known((resource.deleted_with,), known)),
        )
        return kept if sound == resource else Kept(sound, _with_links(kept.entry, sound))

    def _name(self, urn: str) -> str:
        return self.renamed.get(urn, urn)

    def _known(self, urns: Iterable[str], known: set[str]) -> tuple[str, ...]:
        return tuple(urn for urn in map(self._name, urns) if urn in known)

    def _reference(self, reference: str) -> str:
        urn = reference_urn(reference)
        return reference.replace(urn, self._name(urn), 1) if urn else reference

    def pending(self) -> list[Mapping[str, Any]]:
        """Operations whose end nobody has seen."""
        return [*self.inherited, *self.begun.values()]


def _with_links(entry: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    links: dict[str, Any] = {
        "parent": resource.parent,
        "provider": resource.provider,
        "dependencies": list(resource.dependencies),
        "propertyDependencies": {key: list(urns) for key, urns in resource.property_dependencies.items()},
        "deletedWith": resource.deleted_with,
    }
    rest = {key: value for key, value in entry.items() if key not in links}
    return rest | {key: value for key, value in links.items() if value}
