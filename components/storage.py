"""What every shape of storage is declared from."""

from dataclasses import dataclass

from billing.money import Money
from catalogue.placement import Placed
from catalogue.plan import StoragePlan
from catalogue.tenant import StorageSection, Tenant
from components.settings import Settings


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """One generation of a tenant's storage section; `cost` is what the bucket costs a month."""

    tenant: Tenant
    section: StorageSection
    plan: StoragePlan
    placed: Placed
    settings: Settings
    cost: Money | None
    blocked: bool
    protect: bool

    @property
    def adopt(self) -> str | None:
        """What is taken over is so once, by the first generation."""
        return self.section.adopt if self.placed.generation == 1 else None
