"""Money: integer minor units with a currency, and the one rounding rule (half up, once, to the minor unit)."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Self

# Every currency of the price books has two decimals (ISO 4217).
MINOR_UNITS = {"RUB": 2, "EUR": 2, "USD": 2}


class CurrencyError(ValueError):
    """Two currencies were mixed without a rate, or a currency is not one of ours."""


@dataclass(frozen=True, order=True)
class Money:
    """An amount in minor units (kopecks, cents) of one currency."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in MINOR_UNITS:
            raise CurrencyError(f"unknown currency '{self.currency}': use one of {', '.join(MINOR_UNITS)}")

    @classmethod
    def of(cls, amount: Decimal | str | int, currency: str) -> Self:
        """Major units, rounded half up to the minor unit: `Money.of("12.505", "RUB")` is 12.51 RUB."""
        exact = Decimal(amount).scaleb(MINOR_UNITS.get(currency, 0))
        return cls(int(exact.to_integral_value(ROUND_HALF_UP)), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units."""
        return Decimal(self.minor).scaleb(-MINOR_UNITS[self.currency])

    def __add__(self, other: "Money") -> "Money":
        if other.currency != self.currency:
            raise CurrencyError(f"cannot add {other.currency} to {self.currency} without a rate")
        return Money(self.minor + other.minor, self.currency)

    def split(self, parts: int) -> "tuple[Money, ...]":
        """Equal shares that sum to the whole; the first ones carry the odd minor units."""
        share, odd = divmod(self.minor, parts)
        return tuple(Money(share + (index < odd), self.currency) for index in range(parts))

    def __str__(self) -> str:
        return f"{self.amount:,.{MINOR_UNITS[self.currency]}f} {self.currency}"


def total(amounts: Iterable[Money]) -> dict[str, Money]:
    """Sums per currency."""
    sums: dict[str, Money] = {}
    for money in amounts:
        sums[money.currency] = sums[money.currency] + money if money.currency in sums else money
    return sums
