"""Money neither loses nor invents a minor unit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import CurrencyError, Money, total

amounts = st.integers(min_value=0, max_value=10**12)


@given(minor=amounts, parts=st.integers(min_value=1, max_value=1000))
def test_shares_sum_to_the_whole_and_differ_by_at_most_one_minor_unit(minor: int, parts: int) -> None:
    """F27: parts of a split always sum to the whole."""
    shares = Money(minor, "RUB").split(parts)
    assert sum(share.minor for share in shares) == minor
    assert max(shares).minor - min(shares).minor <= 1


@pytest.mark.parametrize(
    ("text", "minor"), [("12.50", 1250), ("0.005", 1), ("0.004", 0), ("1575", 157500), ("0.125", 13)]
)
def test_an_amount_is_rounded_once_half_up(text: str, minor: int) -> None:
    assert Money.of(text, "EUR").minor == minor


def test_an_amount_is_shown_with_its_currency() -> None:
    assert str(Money.of("1575", "RUB")) == "1,575.00 RUB"
    assert Money.of("6.38", "USD").amount == Decimal("6.38")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(CurrencyError, match="without a rate"):
        Money(1, "RUB") + Money(1, "EUR")
    with pytest.raises(CurrencyError, match="unknown currency 'XXX'"):
        Money(1, "XXX")


def test_a_total_is_kept_per_currency() -> None:
    assert total([Money(1, "RUB"), Money(2, "EUR"), Money(3, "RUB")]) == {
        "RUB": Money(4, "RUB"),
        "EUR": Money(2, "EUR"),
    }
