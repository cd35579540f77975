"""Pins: the edits of a placed section that are refused, because what is placed cannot become so in place."""

from collections.abc import Iterator, Mapping

from catalogue.contradictions import contradictions
from catalogue.errors import Finding
from catalogue.placement import MOVING, Other, TenantPlacement
from catalogue.plan import DatabasePlan, Plans, StoragePlan
from catalogue.tenant import DatabaseSection, StorageSection, Tenant

GONE = (
    "is placed but no longer written here, and data does not leave that way: put the section back; it leaves with the "
    "tenant, by `state: terminated`"
)


def wanted_sections(
    tenant: Tenant, plans: Plans
) -> Iterator[tuple[str, DatabaseSection | StorageSection, DatabasePlan | StoragePlan]]:
    """The tenant's sections whose plans are known: name, section, plan."""
    if tenant.database is not None and tenant.database.plan in plans.database:
        yield "database", tenant.database, plans.database[tenant.database.plan]
    if tenant.storage is not None and tenant.storage.plan in plans.storage:
        yield "storage", tenant.storage, plans.storage[tenant.storage.plan]


def pin_findings(tenant: Tenant, plans: Plans, placement: TenantPlacement) -> Iterator[Finding]:
    """Edits of a placed tenant that its pins refuse; one that asks for a move is none, unless another is under way."""
    for name, section, plan in wanted_sections(tenant, plans):
        placed, other = placement.sections.get(name), placement.others.get(name)
        if placed is None or (other is not None and _arrives(other, plan, section)):
            continue
        for key, what, old, new in contradictions(placed, plan, section.region):
            pinned = f"{what} is pinned to {old} in placements.yaml and does not become {new} in place"
            if section.migrate and (name, what) == ("database", "provider"):
                yield (name, key), f"{pinned}: databases are not moved from one provider to another, undo the edit"
            elif not section.migrate:
                yield (name, key), f"{pinned}: undo the edit, or ask for a move with `migrate: true`"
            elif not tenant.protected:
                yield (name, key), f"{pinned}: a terminated tenant does not move any more, undo the edit"
            elif other is not None:
                yield (name, key), f"{pinned}: {_under_way(tenant.id, other)}"
    present: Mapping[str, object] = {"database": tenant.database, "storage": tenant.storage}
    for name in placement.sections:
        if present[name] is None:
            yield (name,), GONE


def _arrives(other: Other, plan: DatabasePlan | StoragePlan, section: DatabaseSection | StorageSection) -> bool:
    """Whether the wish is what a move under way leads to; on the way back it is the entry as it was."""
    coming = other.role in MOVING and other.plan == plan.name and (section.migrate or other.returns)
    return coming and not any(contradictions(other, plan, section.region))


def _under_way(tenant: str, other: Other) -> str:
    if other.role in MOVING:
        way_out = f"finish it with `tenantry move {tenant}`, or end it with `tenantry move {tenant} --undo`"
        return f"a move to {other.plan}, generation {other.generation}, is under way: {way_out}"
    way_out = f"drop it with `tenantry move {tenant} --drop`, or undo the edit"
    return f"generation {other.generation} of the last move is still kept, until {other.drop_after}: {way_out}"
