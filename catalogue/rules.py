"""Rules that need more than one key: a tenant against its state, its plans and what this version does."""

from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import date

from catalogue.errors import Finding, did_you_mean, shown
from catalogue.names import MAIN_BRANCH, bucket_name
from catalogue.placement import Placements
from catalogue.plan import DatabasePlan, Plans, StoragePlan
from catalogue.tenant import DatabaseSection, State, StorageSection, Tenant


def tenant_findings(tenant: Tenant, plans: Plans, unsound_plans: Container[str] = ()) -> Iterator[Finding]:
    """What is wrong with a tenant; `unsound_plans` are at fault themselves, and nothing is said of who is on them."""
    yield from _state_findings(tenant)
    if not tenant.declared:
        return
    if tenant.hosting is not None:
        yield ("hosting",), "this version does not provision hosting yet: remove the section"
    if tenant.servers:
        yield ("servers",), "this version does not provision servers yet: remove the section"
    if tenant.database is not None and tenant.database.plan not in unsound_plans:
        yield from _database_findings(tenant.database, plans)
    if tenant.storage is not None and tenant.storage.plan not in unsound_plans:
        yield from _storage_findings(tenant.id, tenant.storage, plans)


def removal_findings(tenant: Tenant, today: date | None) -> Iterator[Finding]:
    """A removal that is dated later than today, where the day is known: it would delete what is promised until then."""
    if today is not None and tenant.removed is not None and tenant.removed.on > today:
        yield ("removed", "on"), f"is later than today, {today}: write `removed:` when the day has come"


def _state_findings(tenant: Tenant) -> Iterator[Finding]:
    if tenant.state is State.TRIAL and tenant.trial_until is None:
        yield ("trial_until",), "is missing: a trial needs an end"
    if tenant.removed is not None and tenant.state is not State.TERMINATED:
        yield ("removed",), f"stands only beside `state: terminated`, not {tenant.state}: `lifecycle run` writes it"


def _database_findings(section: DatabaseSection, plans: Plans) -> Iterator[Finding]:
    plan = plans.database.get(section.plan)
    if plan is None:
        yield ("database", "plan"), _unknown_plan(section.plan, plans.database, plans.storage, "storage")
        return
    yield from _region_findings("database", section, plan)
    if section.adopt is not None and plan.mode == "shared":
        # A second, empty object would be made beside the one that was meant, and paid for.
        yield ("database", "adopt"), f"plan {plan.name} has no cluster of the tenant's own to adopt: remove the key"
    yield from _adoption_findings("database", section)
    yield from _branch_findings(section, plan)
    if plan.custom:
        if section.preset is None and section.size is None:
            yield ("database", "plan"), f"plan {plan.name} has no size of its own: add preset or size"
        if section.preset is not None and section.size is not None:
            yield ("database", "preset"), "preset and size both name a size: keep one of them"
        return
    for key in ("preset", "size"):
        if getattr(section, key) is not None:
            yield ("database", key), f"plan {plan.name} has its own size: remove {key}, or take a custom plan"


def _branch_findings(section: DatabaseSection, plan: DatabasePlan) -> Iterator[Finding]:
    """Branches that the plan does not have, or that grow from nothing."""
    if not section.branches:
        return
    if not plan.branches:
        yield ("database", "branches"), f"plan {plan.name} has no branches: remove the key"
        return
    if len(section.branches) > plan.branches:
        allowed = f"plan {plan.name} has at most {plan.branches}"
        yield ("database", "branches"), f"Limit reached: {len(section.branches)}/{plan.branches} branches: {allowed}"
    for name, branch in section.branches.items():
        here = ("database", "branches", name)
        if name == MAIN_BRANCH:
            yield here, f"'{MAIN_BRANCH}' is the branch that every project has: choose another name"
        elif branch.parent not in (MAIN_BRANCH, *section.branches):
            known = (MAIN_BRANCH, *section.branches)
            yield (*here, "parent"), f"no branch '{shown(branch.parent)}'{did_you_mean(branch.parent, known)}"
        elif not _reaches_main(name, section):
            yield (*here, "parent"), f"the parents of '{name}' go round in a circle and never reach {MAIN_BRANCH}"


def _reaches_main(name: str, section: DatabaseSection) -> bool:
    seen: set[str] = set()
    while name in section.branches and name not in seen:
        seen.add(name)
        name = section.branches[name].parent
    return name not in seen


def _storage_findings(tenant: str, section: StorageSection, plans: Plans) -> Iterator[Finding]:
    try:
        bucket_name(tenant, 1)
    except ValueError as error:
        yield ("storage",), str(error)
    plan = plans.storage.get(section.plan)
    if plan is None:
        yield ("storage", "plan"), _unknown_plan(section.plan, plans.storage, plans.database, "database")
        return
    if section.adopt is not None and plan.shape != "timeweb":
        yield ("storage", "adopt"), f"plan {plan.name} cannot adopt a bucket: remove the key"
    yield from _adoption_findings("storage", section)
    yield from _region_findings("storage", section, plan)


def _adoption_findings(name: str, section: DatabaseSection | StorageSection) -> Iterator[Finding]:
    if section.adopt is not None and section.migrate:
        # The coming generation would take over the very object that is to be left.
        yield (name, "adopt"), "what was adopted is ours by now, and a move makes a new one: remove the key"


def _region_findings(
    name: str, section: DatabaseSection | StorageSection, plan: DatabasePlan | StoragePlan
) -> Iterator[Finding]:
    if section.region is not None and section.region not in plan.regions:
        hint = did_you_mean(section.region, plan.regions)
        offered = f"plan {plan.name} offers {', '.join(plan.regions)}"
        yield (name, "region"), f"{offered}, not region '{section.region}'{hint}"


def _unknown_plan(plan: str, known: Iterable[str], elsewhere: Iterable[str], other: str) -> str:
    if plan in elsewhere:
        return f"plan '{plan}' is for the section {other}"
    return f"unknown plan '{shown(plan)}'{did_you_mean(plan, known)}"


def name_findings(tenants: Mapping[str, Tenant], placements: Placements) -> Iterator[Finding]:
    """Generations whose names at the provider would be another tenant's: `acme` in generation 2 is `acme-2` there."""
    for tenant, placement in placements.tenants.items():
        for section, placed in placement:
            if placed is None or placed.generation == 1:
                continue
            clash, kind = f"{tenant}-{placed.generation}", section.removesuffix("_other")
            if clash in tenants:
                path = ("tenants", tenant, section, "generation")
                yield path, f"at the provider this {kind} would have the name of tenant '{clash}'"
