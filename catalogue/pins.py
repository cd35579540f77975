"""Pins: the edits of a placed section that are refused, because what is placed cannot become so in place."""

from collections.abc import Iterator, Mapping

from catalogue.errors import Finding
from catalogue.placement import TenantPlacement, contradictions
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
    """Edits of a placed tenant that its pins refuse."""
    for name, section, plan in wanted_sections(tenant, plans):
        placed = placement.sections.get(name)
        if placed is not None:
            for key, what, old, new in contradictions(placed, plan, section.region):
                yield (name, key), _refusal(what, old, new, migrate=section.migrate)
    present: Mapping[str, object] = {"database": tenant.database, "storage": tenant.storage}
    for name in placement.sections:
        if present[name] is None:
            yield (name,), GONE


def _refusal(what: str, old: object, new: object, *, migrate: bool) -> str:
    pinned = f"{what} is pinned to {old} in placements.yaml and does not become {new} in place"
    if migrate:
        return f"{pinned}: moves (`migrate: true`) are not available in this version yet, undo the edit"
    return f"{pinned}: undo the edit, or ask for a move with `migrate: true`"
