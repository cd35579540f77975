"""The steps of a move in the lock file, each a pure function from placements to placements.

        place            freeze             swap              expire            forget
(one) ────────▶ next ─────────────▶ frozen ───────▶ held ─────────────▶ dropping ────────▶ (one)
                  │ ▲ ◀───────────                    │
           forget │ │      thaw                       │ recall: what is held comes back
        (one) ◀───┘ └─────────────────────────────────┘
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from catalogue.placement import MOVING, Other, Placed, Placements, Role, TenantPlacement, taken

Section = Literal["database", "storage"]


@dataclass(frozen=True)
class Pair:
    """The two generations of one section of one tenant."""

    tenant: str
    section: Section
    serving: Placed
    other: Other

    @property
    def returns(self) -> bool:
        """Whether the coming generation has served before, so that the move is an undo."""
        return self.other.returns

    @property
    def undone(self) -> bool:
        """Whether the move has been undone: what is held is the younger one."""
        return self.other.role not in MOVING and self.other.generation > self.serving.generation


def pairs(placements: Placements, tenant: str) -> tuple[Pair, ...]:
    """The sections of a tenant that have two generations."""
    placement = placements.tenants.get(tenant, TenantPlacement())
    found = ((placement.database, placement.database_other), (placement.storage, placement.storage_other))
    named: tuple[Section, Section] = ("database", "storage")
    return tuple(
        Pair(tenant, section, serving, other)
        for section, (serving, other) in zip(named, found, strict=True)
        if serving is not None and other is not None
    )


def freeze(placements: Placements, pair: Pair, at: str) -> Placements:
    """The serving generation is to be closed from `at` on, an instant in ISO 8601."""
    return _with(placements, pair, pair.serving, _as(pair.other, "frozen", frozen_at=at))


def thaw(placements: Placements, pair: Pair) -> Placements:
    """The serving generation is to be open again; nothing has moved."""
    return _with(placements, pair, pair.serving, _as(pair.other, "next", frozen_at=None))


def swap(placements: Placements, pair: Pair, drop_after: date) -> Placements:
    """The coming generation is to serve, and what served is to be held until `drop_after`."""
    serving = Placed(**{name: getattr(pair.other, name) for name in Placed.model_fields})
    held = Other(**dict(pair.serving), role="held", drop_after=drop_after)
    return _with(placements, pair, serving, held)


def recall(placements: Placements, pair: Pair) -> Placements:
    """What is held is to come back: a move of its own, towards the older generation."""
    return _with(placements, pair, pair.serving, _as(pair.other, "next"))


def expire(placements: Placements, pair: Pair) -> Placements:
    """What is held is to lose its protection, so that the step after this one may delete it."""
    return _with(placements, pair, pair.serving, _as(pair.other, "dropping"))


def forget(placements: Placements, pair: Pair) -> Placements:
    """The other generation is no longer declared, nor a cluster that was its own."""
    left = _with(placements, pair, pair.serving, None)
    cluster = left.clusters.get(pair.other.cluster or "")
    if cluster is None or cluster.mode == "shared" or taken(left.tenants)[str(pair.other.cluster)]:
        return left
    return replace(left, clusters={name: held for name, held in left.clusters.items() if name != pair.other.cluster})


def due(placements: Placements, on: date) -> tuple[Pair, ...]:
    """The generations whose last day of being held is over, by tenant; those that are half dropped too."""
    found = (pair for tenant in sorted(placements.tenants) for pair in pairs(placements, tenant))
    return tuple(pair for pair in found if pair.other.role not in MOVING and _over(pair.other, on))


def _over(other: Other, on: date) -> bool:
    return other.drop_after is None or on >= other.drop_after


def _as(other: Other, role: Role, **changes: str | date | None) -> Other:
    return other.model_copy(update={"role": role, **changes})


def _with(placements: Placements, pair: Pair, serving: Placed, other: Other | None) -> Placements:
    changed: Mapping[str, Placed | None] = {pair.section: serving, f"{pair.section}_other": other}
    tenant = placements.tenants[pair.tenant].model_copy(update=changed)
    return replace(placements, tenants={**placements.tenants, pair.tenant: tenant})
