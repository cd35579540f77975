"""Ours is found before it is made, and nothing is made twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from dynamic_providers.errors import AmbiguousMarkError, ProviderError, RefusedError, UncertainError
from dynamic_providers.inventory import LOOKS, Inventory, adopt, find_or_create
from dynamic_providers.waiting import Pace


@dataclass(frozen=True)
class Thing:
    """What the cloud of these tests holds."""

    id: int
    mark: str


class Cloud:
    """Lists things, makes them, and may answer in another way than it acts."""

    def __init__(self, *things: Thing) -> None:
        self.things = list(things)
        self.listings = 0
        self.sends = 0
        self.slept: list[float] = []
        self.inventory: Inventory[None, Thing] = Inventory(self._list, lambda thing: thing.mark)
        self.pace = Pace(poll=1, sleep=self.slept.append)

    def _list(self, _scope: None) -> tuple[Thing, ...]:
        self.listings += 1
        return tuple(self.things)

    def make(self, mark: str) -> Thing:
        """A new thing."""
        self.sends += 1
        thing = Thing(100 + self.sends, mark)
        self.things.append(thing)
        return thing

    def ensure(self, mark: str, create: Callable[[], Thing] | None = None) -> Thing:
        """What the code under test does."""
        return find_or_create(self.inventory, None, mark, create or (lambda: self.make(mark)), self.pace)


def test_one_listing_serves_every_create_of_a_run() -> None:
    """Design rule 1."""
    cloud = Cloud(Thing(1, "a"))
    assert cloud.ensure("a").id == 1
    made = cloud.ensure("b")
    assert cloud.ensure("b") == made
    assert (cloud.listings, cloud.sends) == (1, 1)


def test_threads_share_the_listing() -> None:
    cloud = Cloud()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(cloud.ensure, [f"mark-{n}" for n in range(40)]))
    assert (cloud.listings, len(cloud.things)) == (1, 40)


def test_an_uncertain_create_that_worked_is_found_and_not_repeated() -> None:
    """G43."""
    cloud = Cloud()

    def lost() -> Thing:
        cloud.make("a")
        raise UncertainError("no answer")

    assert cloud.ensure("a", lost).mark == "a"
    assert (cloud.sends, cloud.listings, len(cloud.things)) == (1, 2, 1)


def test_an_uncertain_create_that_did_not_work_is_sent_again_after_several_looks() -> None:
    cloud = Cloud()
    answers = iter([UncertainError("503")])

    def flaky() -> Thing:
        if error := next(answers, None):
            cloud.sends += 1
            raise error
        return cloud.make("a")

    assert cloud.ensure("a", flaky).mark == "a"
    assert (cloud.sends, cloud.listings, cloud.slept) == (2, 1 + LOOKS, [1] * LOOKS)


def test_two_uncertain_creates_are_the_end() -> None:
    cloud = Cloud()

    def dead() -> Thing:
        cloud.sends += 1
        raise UncertainError("503")

    with pytest.raises(UncertainError):
        cloud.ensure("a", dead)
    assert cloud.sends == 2


@pytest.mark.parametrize("worked", [True, False])
def test_a_refused_create_is_never_sent_again_but_looked_for_once(*, worked: bool) -> None:
    """F37: refused, but created."""
    cloud = Cloud()

    def refused() -> Thing:
        if worked:
            cloud.make("a")
        raise RefusedError("Timeweb", 422, "{}")

    if worked:
        assert cloud.ensure("a", refused).mark == "a"
    else:
        with pytest.raises(RefusedError):
            cloud.ensure("a", refused)
    assert (cloud.listings, cloud.slept) == (2, [])


def test_two_objects_with_one_mark_are_refused() -> None:
    cloud = Cloud(Thing(1, "a"), Thing(2, "a"))
    with pytest.raises(AmbiguousMarkError, match="1, 2"):
        cloud.ensure("a")
    assert cloud.sends == 0


def test_an_object_listed_and_noted_counts_once() -> None:
    cloud = Cloud(Thing(1, "a"))
    assert cloud.inventory.find(None, "a")
    cloud.inventory.add(None, Thing(1, "a"))
    assert cloud.ensure("a").id == 1


def test_a_forgotten_listing_is_taken_again() -> None:
    cloud = Cloud(Thing(1, "a"))
    cloud.ensure("a")
    cloud.things.clear()
    cloud.inventory.forget(None)
    assert cloud.ensure("a").id == 101


@pytest.mark.parametrize(
    ("found", "others", "error"),
    [
        (Thing(7, ""), [], None),
        (Thing(7, "mine"), [Thing(7, "mine")], None),
        (Thing(7, "theirs"), [], "7 carries the mark theirs"),
        (Thing(7, ""), [Thing(8, "mine")], "8 already carries the mark mine"),
    ],
)
def test_adoption_takes_only_what_is_nobodys_or_ours(found: Thing, others: list[Thing], error: str | None) -> None:
    """H5."""
    cloud = Cloud(*others)

    def put_mark() -> Thing:
        return Thing(found.id, "mine")

    if error:
        with pytest.raises(ProviderError, match=error):
            adopt(cloud.inventory, None, "mine", found, put_mark)
        return
    assert adopt(cloud.inventory, None, "mine", found, put_mark) == Thing(7, "mine")
    assert cloud.ensure("mine").id == 7
    assert cloud.sends == 0
