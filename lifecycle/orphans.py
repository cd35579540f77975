"""What an object that nobody serves costs a month, by the price list."""

from billing.money import Money
from catalogue.plan import Size
from catalogue.price import PriceBook
from dynamic_providers.marks import Marked

# The vendor that the price list knows sizes of.
TIMEWEB = "pulumi-python:dynamic/timeweb:"


def monthly(found: Marked, prices: PriceBook) -> Money | None:
    """The price of an object by its size; zero for what its vendor does not charge for, None where no source says."""
    if not found.charged:
        return Money(0, prices.timeweb.currency)
    if not found.type.startswith(TIMEWEB):
        return None
    size = {name: int(value) for name, value in found.size.items() if isinstance(value, int | float)}
    if size.keys() == {"cpu", "ram_gb", "disk_gb"}:
        return prices.database_monthly(Size(**size))
    return prices.storage_monthly(size["disk_gb"]) if size.keys() == {"disk_gb"} else None
