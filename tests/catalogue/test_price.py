"""Prices: the figures of the requirement book with their source, and none that nobody stated."""

from datetime import date
from decimal import Decimal

import pytest

from billing.money import Money
from catalogue.load import load_fleet
from catalogue.plan import Size
from catalogue.price import PriceBook
from tests.catalogue.fleets import FleetFolder


@pytest.fixture
def book(folder: FleetFolder) -> PriceBook:
    return load_fleet(folder.path, require_placed=False).prices


@pytest.mark.parametrize(
    ("cpu", "ram_gb", "disk_gb", "roubles"),
    [(1, 1, 8, 380), (1, 2, 20, 600), (2, 2, 30, 1050), (2, 4, 40, 1575), (4, 8, 80, 2775), (8, 16, 220, 6000)],
)
def test_a_cluster_costs_what_its_size_costs(
    book: PriceBook, cpu: int, ram_gb: int, disk_gb: int, roubles: int
) -> None:
    """A14."""
    size = Size(cpu=cpu, ram_gb=ram_gb, disk_gb=disk_gb)
    assert book.database_monthly(size) == Money(roubles * 100, "RUB")


def test_a_size_nobody_priced_has_no_price(book: PriceBook) -> None:
    """G27."""
    assert book.database_monthly(Size(cpu=16, ram_gb=64, disk_gb=500)) is None


def test_the_sample_preset_ids_map_to_sizes(book: PriceBook) -> None:
    """A26, A27, A28, A29, A31."""
    sizes = {preset: str(book.database_size(preset)) for preset in (123, 124, 125, 126, 999)}
    assert sizes == {123: "1/2/20", 124: "2/4/40", 125: "4/8/80", 126: "8/16/220", 999: "None"}


def test_a_bucket_costs_two_roubles_a_gb_and_month(book: PriceBook) -> None:
    """A21."""
    assert book.storage_monthly(100) == Money(20000, "RUB")


def test_bulk_egress_and_requests_are_as_stated(book: PriceBook) -> None:
    """A21."""
    storage = book.timeweb.storage
    assert (storage.bulk.disk_gb, storage.bulk.monthly) == (2048, Decimal(3999))
    assert (storage.egress.free_gb, storage.egress.per_gb, storage.requests) == (100, Decimal(1), Decimal(0))


def test_terms_give_a_tenth_and_a_fifth(book: PriceBook) -> None:
    """A45."""
    terms = {term.months: term.discount for term in book.timeweb.reserved}
    assert terms == {6: Decimal("0.10"), 12: Decimal("0.20")}


def test_a_bucket_in_a_store_of_ones_own_has_no_price_in_the_book(folder: FleetFolder) -> None:
    fleet = load_fleet(folder.path, require_placed=False)
    assert fleet.prices.plan_monthly(fleet.plans.storage["s3-standard"]) is None
    assert fleet.prices.plan_monthly(fleet.plans.storage["timeweb-s3"]) == Money(20000, "RUB")


def test_every_row_says_where_it_is_from_and_when(book: PriceBook) -> None:
    """F4, G27."""
    for row in (*book.timeweb.databases, book.timeweb.storage, *book.timeweb.reserved):
        assert row.source.startswith("requirement")
        assert row.date == date(2026, 11, 21)


REFUSED = {
    "an unquoted price": (
        'monthly: "380"',
        "monthly: 380",
        'prices.yaml:11:39: timeweb.databases[0].monthly: must be a decimal in quotes, like "380"',
    ),
    "an unquoted fraction": (
        'gb_month: "2"',
        "gb_month: 1.10",
        'prices.yaml:20:5: timeweb.storage.gb_month: must be a decimal in quotes, like "1.1"',
    ),
    "a row without a source": (
        ", source: requirement A14, date: 2026-11-21}",
        ", date: 2026-11-21}",
        "prices.yaml:11:7: timeweb.databases[0]: key 'source' is missing",
    ),
    "a row without a day": (
        ", source: requirement A14, date: 2026-11-21}",
        ", source: requirement A14}",
        "prices.yaml:11:7: timeweb.databases[0]: key 'date' is missing",
    ),
    "a size with two prices": (
        "{cpu: 1, ram_gb: 1, disk_gb: 8,",
        "{cpu: 1, ram_gb: 2, disk_gb: 20,",
        "prices.yaml:12:7: timeweb.databases[1]: size 1/2/20 has a price already",
    ),
    "a discount of the whole": (
        'discount: "0.10"',
        'discount: "10"',
        'prices.yaml:29:19: timeweb.reserved[0].discount: a discount is a fraction of the price, like "0.10"',
    ),
    "an unknown currency": (
        "currency: RUB",
        "currency: RUR",
        "prices.yaml:6:3: timeweb.currency: unknown currency 'RUR' (did you mean 'RUB'?): use one of RUB, EUR, USD",
    ),
    "an unknown vendor": (
        "timeweb:\n",
        "timweb: {}\ntimeweb:\n",
        "prices.yaml:5:1: timweb: unknown key 'timweb' (did you mean 'timeweb'?)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_price_that_is_not_exact_or_not_sourced_is_refused(folder: FleetFolder, case: str) -> None:
    """F4, F9, G27."""
    old, new, sentence = REFUSED[case]
    folder.edit("prices.yaml", old, new)
    assert folder.sentences() == [sentence]
