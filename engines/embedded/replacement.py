"""A resource that cannot be changed in place: made anew before the old one goes, or after it."""

import threading

from engines.embedded.errors import InvalidResourceError
from engines.embedded.goal import Goal
from engines.embedded.graph import dependents_of
from engines.embedded.naming import Found, Naming
from engines.embedded.operations import Operations
from engines.embedded.properties import UNKNOWN, Properties
from engines.embedded.provider import Difference, Provider
from engines.embedded.registry import Registry
from engines.embedded.resource import Resource
from engines.embedded.urns import reference_urn


class Replacement:
    """Replaces resources and remembers which. Used from every thread."""

    def __init__(self, operations: Operations, registry: Registry, naming: Naming) -> None:
        self._operations = operations
        self._registry = registry
        self._naming = naming
        self._replaced: set[str] = set()
        self._lock = threading.Lock()

    def replaced(self, urn: str) -> bool:
        """Whether this run replaces a resource."""
        return urn in self._replaced

    def replace(self, goal: Goal, provider: Provider, found: Found, new: Resource, difference: Difference) -> Resource:
        """Replace in the order that the program, or else the provider, asks for."""
        key, old = found
        if new.protect and old.protect:
            raise InvalidResourceError(
                f"unable to replace resource '{new.urn}' as it is protected: set protect=False in the program first"
            )
        self._replaced.update({old.urn, new.urn})
        fields = tuple(sorted({*Operations.fields(old, new), *difference.replaces}))
        delete_first = difference.delete_before_replace
        if goal.delete_before_replace is not None:
            delete_first = goal.delete_before_replace
        if not delete_first:
            return self._operations.create(provider, new, "replace", condemns=key, fields=fields)
        with self._lock:
            # One replacement at a time: two may share dependents.
            self._delete_dependents(key, old)
        self._delete(key, old)
        return self._operations.create(provider, new, "replace", supersedes=key, fields=fields)

    def _delete_dependents(self, root: int, old: Resource) -> None:
        """Delete first what would itself have to be made anew once the old one is gone."""
        condemned: list[Found] = []
        urns = {old.urn}
        before = self._operations.store.before()
        for key, dependent in dependents_of(before, root):
            if not dependent.pending_replacement and self._goes_along(dependent, urns):
                urns.add(dependent.urn)
                condemned.append((key, dependent))
        for _, dependent in condemned:
            if dependent.protect and not dependent.delete:
                raise InvalidResourceError(
                    f"unable to replace resource '{dependent.urn}' as part of replacing '{old.urn}' as it is "
                    "protected: set protect=False in the program first"
                )
        for key, dependent in reversed(condemned):
            self._replaced.add(dependent.urn)
            self._delete(key, dependent)

    def _goes_along(self, dependent: Resource, urns: set[str]) -> bool:
        # What is registered already cannot depend on what is only being registered: the program has changed that.
        if not dependent.managed or self._naming.seen(dependent.urn):
            return False
        if reference_urn(dependent.provider) in urns or dependent.deleted_with in urns:
            return True
        touched = {
            key for key, dependencies in dependent.property_dependencies.items() if not urns.isdisjoint(dependencies)
        }
        if not touched:
            return False
        inputs: Properties = {key: UNKNOWN if key in touched else value for key, value in dependent.inputs.items()}
        difference = self._operations.diff(self._registry.get(dependent.provider), dependent, inputs)
        return bool(difference.replaces)

    def _delete(self, key: int, old: Resource) -> None:
        """Delete for a replacement; what is retained, or goes with another, is only taken out of the state."""
        skipped = old.retain_on_delete or old.deleted_with in self._replaced
        provider = None if skipped or old.pending_replacement else self._registry.get(old.provider)
        self._operations.delete(provider, key, old, for_replacement=not old.delete)
