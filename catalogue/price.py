"""Prices: what providers charge, as typed from `prices.yaml`; a price that no source states is None, never guessed."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from billing.money import Money
from catalogue.errors import Finding
from catalogue.plan import Size, StoragePlan
from catalogue.vocabulary import Count, Currency, Day, DisplayName, Entry, Figure, Label, Listed


class Sourced(Entry):
    """A row that says where its figures come from and on which day they were taken over."""

    source: DisplayName
    """where the figures are from"""
    date: Day
    """day on which they were taken over"""


class DatabasePrice(Sourced):
    """A cluster size by the month. `preset_ids` maps an account to the id its API knows the size by."""

    cpu: Count
    """virtual CPUs"""
    ram_gb: Count
    """memory in GB"""
    disk_gb: Count
    """disk in GB"""
    monthly: Figure
    """price of a month"""
    preset_ids: Mapping[Label, int] = {}
    """account → the id under which its API knows the size; the size decides, not the id"""

    @property
    def size(self) -> Size:
        """What the price is for."""
        return Size(cpu=self.cpu, ram_gb=self.ram_gb, disk_gb=self.disk_gb)


class BulkPrice(Entry):
    """A fixed amount of storage for a fixed price."""

    disk_gb: Count
    """storage in GB"""
    monthly: Figure
    """price of a month"""


class EgressPrice(Entry):
    """Traffic out: so much a month is free, then each GB costs."""

    free_gb: Count
    """GB a month that cost nothing"""
    per_gb: Figure
    """price of each GB after them"""


class StoragePrice(Sourced):
    """Object storage: per GB and month, or in bulk; `requests` is the price of a request."""

    gb_month: Figure
    """price of a GB for a month"""
    bulk: BulkPrice
    """price of a fixed amount of storage"""
    egress: EgressPrice
    """traffic out"""
    requests: Figure
    """price of a request"""


class ReservedTerm(Sourced):
    """Capacity paid in advance: `discount` is a fraction of the price."""

    months: Count
    """length of the term"""
    discount: Figure
    """fraction of the price that is saved, like `"0.10"`"""


class TimewebPrices(Entry):
    """All that Timeweb charges for, in one currency."""

    currency: Currency
    """of all amounts of this section"""
    databases: Listed[DatabasePrice]
    """clusters by size; a size that is not here costs n/a"""
    storage: StoragePrice
    """object storage"""
    reserved: Listed[ReservedTerm] = ()
    """discounts for payment in advance"""


class PriceBook(Entry):
    """The whole file, a section for each provider."""

    timeweb: TimewebPrices
    """what Timeweb charges"""

    def database_monthly(self, size: Size) -> Money | None:
        """A cluster's price a month; None where no source states one."""
        return next(
            (self._money(row.monthly) for row in self.timeweb.databases if row.size == size),
            None,
        )

    def database_size(self, preset: int) -> Size | None:
        """The size that any account knows under this preset id."""
        return next((row.size for row in self.timeweb.databases if preset in row.preset_ids.values()), None)

    def storage_monthly(self, disk_gb: int) -> Money:
        """A Timeweb bucket of this quota, at the price per GB (bulk is the report's advice, not taken by itself)."""
        return self._money(disk_gb * self.timeweb.storage.gb_month)

    def plan_monthly(self, plan: StoragePlan) -> Money | None:
        """A bucket of this plan; None where its provider's price is not in the book."""
        return self.storage_monthly(plan.disk_gb) if plan.provider == "timeweb" else None

    def _money(self, amount: Decimal) -> Money:
        return Money.of(amount, self.timeweb.currency)


def price_findings(book: PriceBook) -> Iterable[Finding]:
    """Rows that contradict each other, and discounts above the whole price."""
    seen: set[Size] = set()
    for index, row in enumerate(book.timeweb.databases):
        if row.size in seen:
            yield ("timeweb", "databases", index), f"size {row.size} has a price already"
        seen.add(row.size)
    for index, term in enumerate(book.timeweb.reserved):
        if term.discount >= 1:
            yield ("timeweb", "reserved", index, "discount"), 'a discount is a fraction of the price, like "0.10"'
