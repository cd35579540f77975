"""A move as a state machine: killed before or after anything it does, the same command ends in the same place."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from catalogue.generations import Pair, pairs
from catalogue.placement import ClusterPlacement, Other, Placed, Placements, TenantPlacement
from lifecycle.errors import DataError
from lifecycle.move import MoveError, MoveMistakeError, Outcome, Phase, Rim, drop, move, undo

TODAY = date(2026, 11, 24)
SHARED = {"cell": 1, "region": "ru-1", "provider": "timeweb", "mode": "shared", "version": 15}
CLUSTERS = {
    name: ClusterPlacement.model_validate({**SHARED, "plan": plan})
    for name, plan in (("shared-free-1", "timeweb-free"), ("shared-pro-1", "timeweb-pro"))
}
FIRST = Placed.model_validate({**SHARED, "plan": "timeweb-free", "cluster": "shared-free-1"})
NEXT = Other.model_validate(
    {**SHARED, "plan": "timeweb-pro", "cluster": "shared-pro-1", "generation": 2, "role": "next"}
)
PLANNED = Placements(CLUSTERS, {"acme": TenantPlacement(database=FIRST, database_other=NEXT)})


class KilledError(BaseException):
    """The process is gone: nothing catches this."""


@dataclass
class Generation:
    """A database of the world, as the last run left it."""

    rows: set[int] = field(default_factory=set)
    open: bool = False
    protected: bool = False


@dataclass
class World:
    """Files, a cloud and a tenant that writes whenever it can, through the outputs of the last run.

    `kill_at` counts what is done to the world: with 2k the process dies before step k, with 2k + 1 right after it.
    """

    lock: Placements = PLANNED
    entry: str = "timeweb-pro"
    there: dict[int, Generation] = field(default_factory=lambda: {1: Generation({1}, open=True, protected=True)})
    serving: int = 1
    acknowledged: set[int] = field(default_factory=lambda: {1})
    time: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)
    kill_at: int | None = None
    steps: int = 0
    spoil: Callable[["World", str], None] = lambda _world, _what: None
    told: list[str] = field(default_factory=list)
    fault: str = ""

    def placements(self) -> Placements:
        """As it is written."""
        return self.lock

    def write(self, placements: Placements) -> None:
        """A durable write."""
        self._do(lambda: setattr(self, "lock", placements))

    def wish(self, pair: Pair, *, back: bool) -> None:
        """An edit of the entry."""
        stays = pair.other if back else pair.serving
        self._do(lambda: setattr(self, "entry", stays.plan))

    def up(self, tenant: str) -> None:
        """One run."""
        self._do(lambda: self._run(tenant))

    def precopy(self, pair: Pair) -> None:  # noqa: ARG002 - the protocol's
        """Nothing to gain here."""
        self._do(lambda: None)

    def copy(self, pair: Pair) -> None:
        """All rows."""

        def carry() -> None:
            source, target = self.there[pair.serving.generation], self.there[pair.other.generation]
            assert not source.open, "what is copied is closed"
            target.rows = set(source.rows)

        self._do(carry)
        self.spoil(self, "copy")

    def verify(self, pair: Pair) -> list[str]:
        """By all rows."""
        source, target = self.there[pair.serving.generation], self.there[pair.other.generation]
        return [] if source.rows == target.rows else ["other rows"]

    def hold_days(self, pair: Pair) -> int:
        """A week."""
        return 7 if pair.section == "database" else 0

    def instant(self) -> datetime:
        """The world's time."""
        return self.time

    def phase(self, phase: Phase, tenant: str) -> None:
        """Told."""
        self.told.append(phase)
        assert tenant == "acme"

    def application_writes(self) -> None:
        """One more row, where the outputs say the tenant is served, if it is let in there."""
        here = self.there[self.serving]
        if here.open:
            number = max(self.acknowledged) + 1
            here.rows.add(number)
            self.acknowledged.add(number)

    def _do(self, work: Callable[[], None]) -> None:
        self.steps += 1
        if self.kill_at == 2 * self.steps:
            raise KilledError
        self.application_writes()
        work()
        self.time += timedelta(seconds=1)
        self.application_writes()
        if self.kill_at == 2 * self.steps + 1:
            raise KilledError

    def _run(self, tenant: str) -> None:
        """What the program declares of the lock file, made so."""
        if self.fault:
            raise MoveError(self.fault)
        placement = self.lock.tenants[tenant]
        database, other = placement.database, placement.database_other
        assert database is not None
        declared = {database.generation: other is None or other.role != "frozen"}
        protected = {database.generation}
        if other is not None:
            declared[other.generation] = False
            protected |= {other.generation} if other.role == "held" or other.returns else set()
        for gone in self.there.keys() - declared.keys():
            assert not self.there[gone].protected, "what is protected is not deleted"
            assert gone != self.serving
            del self.there[gone]
        for generation, is_open in declared.items():
            here = self.there.setdefault(generation, Generation())
            here.open, here.protected = is_open, generation in protected
        self.serving = database.generation

    def standing(self) -> tuple[object, ...]:
        """All that is left of a command, but for the time it took."""
        placement = self.lock.tenants["acme"]
        there = {number: (held.open, held.protected) for number, held in self.there.items()}
        return placement, self.lock.clusters, self.entry, there, self.serving


Command = Callable[[Rim], Outcome]
MOVE: Command = lambda rim: move("acme", rim, TODAY)  # noqa: E731 - a row of the table
UNDO: Command = lambda rim: undo("acme", rim, TODAY)  # noqa: E731 - a row of the table
DROP: Command = lambda rim: drop("acme", rim)  # noqa: E731 - a row of the table
# What was done before, and the command that is killed.
STORIES: dict[str, tuple[list[Command], Command]] = {
    "move": ([], MOVE),
    "end before the switch": ([], UNDO),
    "undo": ([MOVE], UNDO),
    "drop": ([MOVE], DROP),
    "drop after an undo": ([MOVE, UNDO], DROP),
}


def told(before: list[Command], **changes: object) -> World:
    world = World()
    for command in before:
        command(world)
    for name, value in changes.items():
        setattr(world, name, value)
    world.steps = 0
    return world


def assert_nothing_is_lost(world: World) -> None:
    here = world.there[world.serving]
    assert here.open
    assert here.rows >= world.acknowledged
    placement = world.lock.tenants["acme"]
    assert placement.database is not None
    assert placement.database.generation == world.serving


@pytest.mark.parametrize("story", STORIES)
def test_killed_anywhere_the_same_command_ends_in_the_same_place(story: str) -> None:
    """F18, H15: before and after each thing that is done, and again while it goes on; the tenant always writes."""
    before, command = STORIES[story]
    whole = told(before)
    command(whole)
    assert_nothing_is_lost(whole)
    kills = range(2, 2 * whole.steps + 2)
    for first in kills:
        for second in (None, *kills):
            world = told(before, kill_at=first)
            with pytest.raises(KilledError):
                command(world)
            assert world.there[world.serving].rows >= world.acknowledged
            world.steps, world.kill_at = 0, second
            try:
                command(world)
            except KilledError:
                world.steps, world.kill_at = 0, None
                command(world)
            assert world.standing() == whole.standing(), (first, second)
            assert_nothing_is_lost(world)


def test_the_time_without_writes_is_counted_from_the_freeze_over_any_kill() -> None:
    """F18: it is printed; the instant stands in the lock file."""
    world = told([])
    outcome = MOVE(world)
    assert outcome == Outcome("acme", "moved", ("database",), 5.0, date(2026, 12, 1))
    assert world.told == ["make", "precopy", "freeze", "copy", "verify", "switch"]
    killed = told([], kill_at=2 * 5 + 1)  # right after the copy
    with pytest.raises(KilledError):
        MOVE(killed)
    killed.kill_at, killed.time = None, killed.time + timedelta(hours=1)
    assert MOVE(killed).refused_seconds == 3600 + 3 + 5
    assert killed.told.count("make") == 1


def test_a_copy_that_is_not_what_it_should_be_leaves_the_source_serving_and_says_so() -> None:
    """F18, H15: opened again, and the next move begins from the start."""

    def spoil(world: World, _what: str) -> None:
        world.there[2].rows.pop()

    world = told([], spoil=spoil)
    with pytest.raises(MoveError, match="database: other rows; nothing has moved, acme is served where it was"):
        MOVE(world)
    assert (world.serving, world.there[1].open, world.there[2].open) == (1, True, False)
    assert [pair.other.role for pair in pairs(world.lock, "acme")] == ["next"]
    world.application_writes()
    assert_nothing_is_lost(world)
    world.spoil = lambda _world, _what: None
    assert MOVE(world).done == "moved"
    assert_nothing_is_lost(world)


def test_a_copy_that_cannot_be_made_leaves_the_source_serving() -> None:
    def spoil(_world: World, _what: str) -> None:
        raise DataError("pg_dump failed")

    world = told([], spoil=spoil)
    with pytest.raises(MoveError, match="pg_dump failed; nothing has moved"):
        MOVE(world)
    assert world.there[1].open


def test_an_undo_whose_copy_fails_leaves_the_new_place_serving() -> None:
    """F18: reversible until the drop, in both directions."""

    def spoil(world: World, _what: str) -> None:
        world.there[1].rows.pop()

    world = told([MOVE], spoil=spoil)
    with pytest.raises(MoveError, match="nothing has moved"):
        UNDO(world)
    assert (world.serving, world.there[2].open, world.there[1].protected) == (2, True, True)
    world.spoil = lambda _world, _what: None
    assert UNDO(world).done == "undone"
    assert_nothing_is_lost(world)


def test_a_command_that_was_done_before_says_so_and_changes_nothing() -> None:
    world = told([MOVE])
    before = world.standing()
    assert MOVE(world).done == "moved before"
    assert world.standing() == before
    UNDO(world)
    assert UNDO(world).done == "undone before"
    DROP(world)
    assert DROP(world).done == "nothing is held"


def test_what_is_not_asked_for_is_not_begun() -> None:
    """A sentence, and the world as it was."""
    world = told([MOVE, DROP])
    with pytest.raises(MoveMistakeError, match="no move of acme is planned"):
        MOVE(world)
    assert world.steps == 0
    before = world.standing()
    assert UNDO(world).done == "nothing is held"
    assert world.standing() == before


def test_what_is_half_dropped_is_neither_moved_nor_undone() -> None:
    """The second run of a drop is all that is left to do."""
    world = told([MOVE], kill_at=2 * 2)
    with pytest.raises(KilledError):
        DROP(world)
    world.kill_at = None
    for command in (MOVE, UNDO):
        with pytest.raises(MoveMistakeError, match="tenantry move acme --drop"):
            command(world)
    assert DROP(world).done == "dropped"
    assert world.there.keys() == {2}


def test_a_run_that_fails_is_told_and_the_same_command_goes_on() -> None:
    world = told([], fault="2 resources failed")
    with pytest.raises(MoveError, match="2 resources failed"):
        MOVE(world)
    world.fault = ""
    assert MOVE(world).done == "moved"
    assert_nothing_is_lost(world)
