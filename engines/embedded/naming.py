"""Names of the resources of a run: URNs, each used once, and the former names under which an old one is found."""

import threading
from collections.abc import Callable, Iterator

from engines.embedded.errors import InvalidResourceError
from engines.embedded.goal import Alias, Goal
from engines.embedded.resource import Resource
from engines.embedded.urns import STACK_TYPE, make_urn, name_of, qualified_type, type_of

Found = tuple[int, Resource]


class Naming:
    """Knows which URNs the program has registered and which old resource each of them continues."""

    def __init__(self, project: str, stack: str, live: Callable[[str], Found | None]) -> None:
        self._project = project
        self._stack = stack
        self._live = live
        self._goals: dict[str, Goal] = {}
        self._former: dict[str, str] = {}
        self._claimed: dict[str, str] = {}
        self._lock = threading.Lock()

    def urn(self, goal: Goal) -> str:
        """Name a registration."""
        return make_urn(self._stack, self._project, goal.parent, goal.type, goal.name)

    def inherit(self, goal: Goal) -> Goal:
        """Complete a registration with what its parent passes on. Raises InvalidResourceError for an unknown parent."""
        with self._lock:
            parent = self._goals.get(goal.parent)
        if goal.parent and parent is None:
            raise InvalidResourceError(f"could not find parent resource {goal.parent}")
        return goal.inherit(parent)

    def claim(self, goal: Goal) -> Found | None:
        """Take the URN and answer the old resource that it continues, under this or a former name."""
        urn = self.urn(goal)
        with self._lock:
            if urn in self._goals:
                raise InvalidResourceError(f"Duplicate resource URN '{urn}'; try giving it a unique name")
            if urn in self._claimed:
                raise InvalidResourceError(
                    f"Duplicate resource URN '{urn}' conflicting with alias on resource with URN '{self._claimed[urn]}'"
                )
            self._goals[urn] = goal
            found = self._live(urn)
            for alias in () if found else self._aliases(goal):
                if alias != urn and (found := self._live(alias)):
                    self._take(urn, alias)
                    break
            return found

    def _take(self, urn: str, alias: str) -> None:
        if alias in self._goals or alias in self._claimed:
            raise InvalidResourceError(
                f"Duplicate resource alias '{alias}' applied to resource with URN '{urn}' conflicting with "
                f"resource with URN '{self._claimed.get(alias, alias)}'"
            )
        self._claimed[alias] = urn
        self._former[urn] = alias

    def seen(self, urn: str) -> bool:
        """Whether a resource, under this or as a former name, is still part of the program."""
        with self._lock:
            return urn in self._goals or urn in self._claimed

    def _aliases(self, goal: Goal) -> Iterator[str]:
        former_parent = self._former.get(goal.parent)
        own = [self._alias(goal, alias) for alias in goal.aliases]
        yield from own
        if former_parent:
            yield self._inherited(goal.type, goal.name, goal.parent, former_parent)
            for urn in own:
                yield self._inherited(type_of(urn), name_of(urn), goal.parent, former_parent)

    def _alias(self, goal: Goal, alias: Alias) -> str:
        if alias.urn:
            return alias.urn
        parent = goal.parent if alias.parent is None else self._former.get(alias.parent, alias.parent)
        if parent and qualified_type(parent) == STACK_TYPE:
            parent = ""
        stack, project = alias.stack or self._stack, alias.project or self._project
        return make_urn(stack, project, parent, alias.type or goal.type, alias.name or goal.name)

    def _inherited(self, type_: str, name: str, parent: str, former_parent: str) -> str:
        # `web-disk` of parent `web` was `site-disk` when its parent was `site`.
        if name.startswith(name_of(parent)):
            name = name_of(former_parent) + name.removeprefix(name_of(parent))
        return make_urn(self._stack, self._project, former_parent, type_, name)
