"""Finding what is ours before making it: one listing per kind and process, and a create that is never sent blindly.

Design rule 1: the listing is taken at the first create of a run and repeated only after an uncertain answer (G43).
"""

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, Protocol, TypeVar

from dynamic_providers.errors import AmbiguousMarkError, RefusedError, UncertainError
from dynamic_providers.waiting import Pace


class Identified(Protocol):
    """What a listing holds."""

    @property
    def id(self) -> int | str:
        """The vendor's own key."""


Item = TypeVar("Item", bound=Identified)
Scope = TypeVar("Scope", bound=Hashable)

SENDS = 2
LOOKS = 5


class Inventory(Generic[Scope, Item]):
    """Objects of one kind by mark, per scope (a cluster id; None where the account is the scope). Thread-safe."""

    def __init__(self, listing: Callable[[Scope], tuple[Item, ...]], mark: Callable[[Item], str]) -> None:
        self._listing = listing
        self._mark = mark
        self._known: dict[Scope, list[Item]] = {}
        self._lock = Lock()

    def mark(self, item: Item) -> str:
        """The mark an object carries; "" for none."""
        return self._mark(item)

    def find(self, scope: Scope, mark: str) -> Item | None:
        """The one object that carries the mark; lists on first use. Raises AmbiguousMarkError for two."""
        with self._lock:
            if scope not in self._known:
                self._known[scope] = list(self._listing(scope))
            found = {item.id: item for item in self._known[scope] if self._mark(item) == mark}
        if len(found) > 1:
            ids = ", ".join(str(id_) for id_ in found)
            raise AmbiguousMarkError(f"the mark {mark} is on several objects ({ids}): remove it from all but one")
        return next(iter(found.values()), None)

    def find_afresh(self, scope: Scope, mark: str) -> Item | None:
        """The same with a new listing: after an answer that left it open whether the object exists."""
        self.forget(scope)
        return self.find(scope, mark)

    def add(self, scope: Scope, item: Item) -> None:
        """Notes what was just made, so that no new listing is needed to know it."""
        with self._lock:
            self._known.setdefault(scope, []).append(item)

    def forget(self, scope: Scope) -> None:
        """Drops a listing that is no longer true, after a delete."""
        with self._lock:
            self._known.pop(scope, None)


def find_or_create(
    inventory: Inventory[Scope, Item], scope: Scope, mark: str, create: Callable[[], Item], pace: Pace
) -> Item:
    """Ours, if it is there; else made.

    After an uncertain answer the mark is looked for several times; only when it stays absent is the create sent again,
    once. Raises UncertainError when that is uncertain too; the next run looks again.
    """
    if found := inventory.find(scope, mark):
        return found
    for send in range(1, SENDS + 1):
        try:
            made = create()
        except RefusedError:
            # Some vendors have been seen to refuse and create all the same.
            if found := inventory.find_afresh(scope, mark):
                return found
            raise
        except UncertainError:
            if found := _look_again(inventory, scope, mark, pace):
                return found
            if send == SENDS:
                raise
        else:
            inventory.add(scope, made)
            return made
    raise AssertionError("the last send returns or raises")


def adopt(
    inventory: Inventory[Scope, Item], scope: Scope, mark: str, found: Item, put_mark: Callable[[], Item]
) -> Item:
    """Takes over an object named by the operator and puts our mark on it.

    Raises AmbiguousMarkError when it carries another mark, or another object carries ours.
    """
    carried = inventory.mark(found)
    if carried not in {"", mark}:
        raise AmbiguousMarkError(f"{found.id} carries the mark {carried}: it is not {mark}'s to adopt")
    if (ours := inventory.find(scope, mark)) and ours.id != found.id:
        raise AmbiguousMarkError(f"{ours.id} already carries the mark {mark}: {found.id} cannot be adopted under it")
    if carried == mark:
        return found
    marked = put_mark()
    inventory.add(scope, marked)
    return marked


def _look_again(inventory: Inventory[Scope, Item], scope: Scope, mark: str, pace: Pace) -> Item | None:
    for _ in range(LOOKS):
        pace.sleep(pace.poll)
        if found := inventory.find_afresh(scope, mark):
            return found
    return None
