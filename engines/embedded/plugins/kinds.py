"""A plugin as a table of its types: the part that is the same whatever the vendor."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from engines.embedded.errors import RefusedError
from engines.embedded.plugins import Arguments, Problem
from engines.embedded.provider import Difference, Found, Made


class Kind(Protocol):
    """One type of resource. `arguments` are all it knows, `replaces` those that cannot change in place."""

    arguments: frozenset[str]
    required: frozenset[str]
    replaces: frozenset[str]

    def normal(self, arguments: Arguments) -> dict[str, Any]:
        """Answer the arguments with defaults, in a form that can be compared."""
        ...

    def create(self, arguments: Arguments) -> Made:
        """Make or adopt the object."""
        ...

    def read(self, id_: str, outputs: Arguments) -> dict[str, Any] | None:
        """Answer the outputs of today, None where the object is gone."""
        ...

    def update(self, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Change the object."""
        ...

    def delete(self, id_: str, outputs: Arguments) -> None:
        """Delete the object."""
        ...


class KindsPlugin:
    """One provider instance: what each type does."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds

    def check(self, type_: str, news: Arguments) -> Sequence[Problem]:
        """Refuse what a type does not know and miss what it needs."""
        kind = self._kind(type_)
        unknown = sorted(news.keys() - kind.arguments)
        problems = [(name, "the embedded engine does not know this argument") for name in unknown]
        missing = sorted(kind.required - news.keys())
        return problems + [(name, "it must be given: the embedded engine makes up no names") for name in missing]

    def diff(self, type_: str, olds: Arguments, news: Arguments) -> Difference:
        """Compare argument by argument."""
        kind = self._kind(type_)
        before, wanted = kind.normal(olds), kind.normal(news)
        changed = {name for name in kind.arguments if before.get(name) != wanted.get(name)}
        return Difference(bool(changed), sorted(changed & kind.replaces))

    def create(self, type_: str, arguments: Arguments) -> Made:
        """Make or adopt the object."""
        return self._kind(type_).create(arguments)

    def read(self, type_: str, id_: str, outputs: Arguments) -> Found | None:
        """Read the object; its drift shows in the outputs."""
        found = self._kind(type_).read(id_, outputs)
        return None if found is None else Found(id_, found)

    def update(self, type_: str, id_: str, olds: Arguments, news: Arguments) -> dict[str, Any]:
        """Change the object."""
        return self._kind(type_).update(id_, olds, news)

    def delete(self, type_: str, id_: str, outputs: Arguments) -> None:
        """Delete the object."""
        self._kind(type_).delete(id_, outputs)

    def _kind(self, type_: str) -> Kind:
        if type_ not in self._kinds:
            raise RefusedError(f"the type '{type_}'")
        return self._kinds[type_]
