"""What every shape of storage is declared from."""

from dataclasses import dataclass

from billing.money import Money
from catalogue.placement import Placed
from catalogue.plan import StoragePlan
from catalogue.tenant import StorageSection, Tenant
from components.settings import Settings


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """One tenant's storage section, placed; `cost` is what the bucket costs a month."""

    tenant: Tenant
    section: StorageSection
    plan: StoragePlan
    placed: Placed
    settings: Settings
    cost: Money | None
