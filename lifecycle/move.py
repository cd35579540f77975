"""A move of a tenant's sections to their other generation, and back: nothing is lost, whatever ends it half way.

    make ──▶ precopy ──▶ freeze ──▶ copy ──▶ verify ──▶ switch ──▶ (held) ──▶ unprotect ──▶ delete
      ▲                    │          │         │
      └────────────────────┴── thaw ◀─┴─────────┘

How far a move is stands in the lock file alone (`catalogue/generations.py`), and each phase can be done again: the same
command goes on where the last one ended. The serving generation is closed to its tenant from `freeze` to `switch`, by
the means of a suspension, which are read back; what refuses all sessions also refuses all writes. A copy that cannot
be made, or is not what it should be, opens it again.

Pure but for `Rim`, through which everything is done.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, Protocol

from catalogue.generations import Pair, expire, forget, freeze, pairs, recall, swap, thaw
from catalogue.placement import MOVING, Placements
from dynamic_providers.errors import ProviderError
from lifecycle.errors import DamagedError, DataError

Phase = Literal["make", "precopy", "freeze", "copy", "verify", "switch", "thaw", "unprotect", "delete"]


class MoveError(Exception):
    """A move that did not get on; one sentence that says who serves now and what to do."""


class MoveMistakeError(MoveError):
    """A move was asked for that there is none of; nothing was begun."""


class Rim(Protocol):
    """What a move does to the world. Everything may be repeated."""

    def placements(self) -> Placements:
        """The lock file as it is now."""
        ...

    def write(self, placements: Placements) -> None:
        """Replace the lock file, durably."""
        ...

    def wish(self, pair: Pair, *, back: bool) -> None:
        """Write into the tenant's entry what serves, or with `back` what is to serve again."""
        ...

    def up(self, tenant: str) -> None:
        """Bring the tenant's cell to what the files say; raises where any of it fails."""
        ...

    def precopy(self, pair: Pair) -> None:
        """Copy what can be copied while the tenant goes on writing."""
        ...

    def copy(self, pair: Pair) -> None:
        """Make the coming generation hold what the serving one holds, and nothing else."""
        ...

    def verify(self, pair: Pair) -> list[str]:
        """In words, where the two generations differ."""
        ...

    def hold_days(self, pair: Pair) -> int:
        """For how many days what has served is kept."""
        ...

    def instant(self) -> datetime:
        """The time of day, with its zone: for how long writes were refused is measured by it."""
        ...

    def phase(self, phase: Phase, tenant: str) -> None:
        """Tell what is begun."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What a command came to: the sections it moved, and for how long the tenant was shut out, in seconds."""

    tenant: str
    done: Literal["moved", "moved before", "ended", "undone", "undone before", "dropped", "nothing is held"]
    sections: tuple[str, ...] = ()
    refused_seconds: float | None = None
    drop_after: date | None = None


def move(tenant: str, rim: Rim, today: date) -> Outcome:
    """Take the tenant's coming generations into service. Raises `MoveError`."""
    found = pairs(rim.placements(), tenant)
    coming = _coming(found)
    if not coming:
        if not found:
            raise MoveMistakeError(
                f"no move of {tenant} is planned: edit its entry with `migrate: true`, then `tenantry place`"
            )
        _refuse_dropping(tenant, found)
        rim.phase("switch", tenant)
        rim.up(tenant)
        done: Literal["moved before", "undone before"] = "undone before" if found[0].undone else "moved before"
        return Outcome(tenant, done, _names(found), drop_after=found[0].other.drop_after)
    for pair in coming:
        if pair.returns:
            rim.wish(pair, back=True)
    if any(pair.other.role == "next" for pair in coming):
        rim.phase("make", tenant)
        rim.up(tenant)
        rim.phase("precopy", tenant)
        for pair in coming:
            rim.precopy(pair)
    coming = _freeze(tenant, rim, coming)
    try:
        _copy_and_verify(tenant, rim, coming)
    except (DataError, ProviderError) as error:
        _thaw(tenant, rim)
        raise MoveError(f"{error}; nothing has moved, {tenant} is served where it was: move it again") from error
    return _switch(tenant, rim, coming, today)


def undo(tenant: str, rim: Rim, today: date) -> Outcome:
    """Bring the tenant back to where it was before its move, with all it has written since. Raises `MoveError`."""
    found = pairs(rim.placements(), tenant)
    if not found:
        _sweep(tenant, rim)
        return Outcome(tenant, "nothing is held")
    _refuse_dropping(tenant, found)
    if first := tuple(pair for pair in _coming(found) if not pair.returns):
        return _end(tenant, rim, first)
    if held := tuple(pair for pair in found if pair.other.role == "held" and not pair.undone):
        _change(rim, held, recall)
    outcome = move(tenant, rim, today)
    return Outcome(
        tenant,
        "undone before" if outcome.done == "undone before" else "undone",
        outcome.sections,
        outcome.refused_seconds,
        outcome.drop_after,
    )


def drop(tenant: str, rim: Rim) -> Outcome:
    """Delete what is held of a tenant's move: unprotect it in one run, and no longer declare it in the next."""
    held = tuple(pair for pair in pairs(rim.placements(), tenant) if pair.other.role not in MOVING)
    if held:
        rim.phase("unprotect", tenant)
        _change(rim, held, expire)
        rim.up(tenant)
        _change(rim, pairs(rim.placements(), tenant), forget, only="dropping")
    _sweep(tenant, rim)
    return Outcome(tenant, "dropped" if held else "nothing is held", _names(held))


def _freeze(tenant: str, rim: Rim, coming: Sequence[Pair]) -> tuple[Pair, ...]:
    rim.phase("freeze", tenant)
    since = next((pair.other.frozen_at for pair in coming if pair.other.frozen_at), None) or rim.instant().isoformat()
    _change(rim, coming, lambda placements, pair: freeze(placements, pair, since))
    rim.up(tenant)
    return _coming(pairs(rim.placements(), tenant))


def _copy_and_verify(tenant: str, rim: Rim, coming: Sequence[Pair]) -> None:
    rim.phase("copy", tenant)
    for pair in coming:
        rim.copy(pair)
    rim.phase("verify", tenant)
    wrong = [f"{pair.section}: {difference}" for pair in coming for difference in rim.verify(pair)]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""  # noqa: PLR2004 - as many as a line holds
        raise DamagedError(f"the copy of {tenant} is not what it should be: {'; '.join(wrong[:3])}{more}")


def _switch(tenant: str, rim: Rim, coming: Sequence[Pair], today: date) -> Outcome:
    rim.phase("switch", tenant)
    days = {pair.section: today + timedelta(days=rim.hold_days(pair)) for pair in coming}
    _change(rim, coming, lambda placements, pair: swap(placements, pair, days[pair.section]))
    rim.up(tenant)
    since = [datetime.fromisoformat(pair.other.frozen_at) for pair in coming if pair.other.frozen_at]
    refused = (rim.instant() - min(since)).total_seconds() if since else None
    return Outcome(tenant, "moved", _names(coming), refused, max(days.values()))


def _end(tenant: str, rim: Rim, coming: Sequence[Pair]) -> Outcome:
    """Leave the tenant where it is; what was to come holds nothing of its own."""
    if any(pair.other.role == "frozen" for pair in coming):
        _thaw(tenant, rim)
    for pair in coming:
        rim.wish(pair, back=False)
    _change(rim, _coming(pairs(rim.placements(), tenant)), forget)
    _sweep(tenant, rim)
    return Outcome(tenant, "ended", _names(coming))


def _sweep(tenant: str, rim: Rim) -> None:
    """Delete what is not declared any more, also where nothing is left to do: a run may have been cut off here."""
    rim.phase("delete", tenant)
    rim.up(tenant)


def _thaw(tenant: str, rim: Rim) -> None:
    rim.phase("thaw", tenant)
    _change(rim, _coming(pairs(rim.placements(), tenant)), thaw)
    rim.up(tenant)


def _change(
    rim: Rim, found: Sequence[Pair], step: Callable[[Placements, Pair], Placements], only: str | None = None
) -> None:
    """Take a step with several pairs in one write."""
    placements = rim.placements()
    for pair in found:
        if only is None or pair.other.role == only:
            placements = step(placements, pair)
    rim.write(placements)


def _coming(found: Sequence[Pair]) -> tuple[Pair, ...]:
    return tuple(pair for pair in found if pair.other.role in MOVING)


def _names(found: Sequence[Pair]) -> tuple[str, ...]:
    return tuple(pair.section for pair in found)


def _refuse_dropping(tenant: str, found: Sequence[Pair]) -> None:
    if any(pair.other.role == "dropping" for pair in found):
        raise MoveMistakeError(
            f"what {tenant} has left is being dropped: finish that with `tenantry move {tenant} --drop`"
        )
