"""Why a removal is refused: who is removed in the catalogue but was never applied as terminated, told once for each."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from catalogue.load import Fleet
from cli.cells import stacks
from cli.options import EngineName
from cli.runs import open_engine
from cli.terminal import complain

REFUSED = (
    "{tenant}: `removed:` was written before a run had applied `state: terminated`, so its data is still protected "
    "({names}) and is kept: take `removed:` out, with the tenant's lines in placements.yaml as they were, run "
    "`tenantry up`, then put it back and run again"
)


def tell_early_removals(fleet: Fleet, stack: str, engine: EngineName, cells: str | None) -> None:
    """Complain of each tenant whose removal the engine refuses; the states are read only where somebody is removed."""
    if all(tenant.declared for tenant in fleet.tenants.values()):
        return
    for name in stacks(fleet, stack, cells):
        resources = open_engine(engine, name, fleet).export().get("deployment", {}).get("resources") or []
        for tenant, names in early_removals(fleet, resources).items():
            complain(REFUSED.format(tenant=tenant, names=", ".join(names)))


def early_removals(fleet: Fleet, resources: Iterable[Mapping[str, Any]]) -> Mapping[str, Sequence[str]]:
    """The removed tenants' resources that a state still protects, by tenant."""
    found: dict[str, list[str]] = {}
    for resource in resources:
        name = str(resource["urn"]).rpartition("::")[2]
        owner = max((tenant for tenant in fleet.tenants if name.startswith(f"{tenant}-")), key=len, default=None)
        if owner is not None and resource.get("protect") and not fleet.tenants[owner].declared:
            found.setdefault(owner, []).append(name)
    return found
