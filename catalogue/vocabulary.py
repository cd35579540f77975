"""The vocabulary of the catalogue: what an id, a plan's name, a region, a date or an amount of money may look like.

A type refuses a value with a `ValueError` whose sentence goes to the user as it stands.
"""

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo
from typing_extensions import Doc

from billing.money import MINOR_UNITS, Money
from catalogue.errors import did_you_mean, shown
from catalogue.names import LONGEST_ID, is_label

T = TypeVar("T")

# Trusted ones: a cluster's administrator may create them without being superuser, and they open no file or connection.
# https://www.postgresql.org/docs/15/contrib.html
EXTENSIONS = (
    *("btree_gin", "btree_gist", "citext", "cube", "dict_int", "fuzzystrmatch", "hstore", "intarray", "isn", "lo"),
    *("ltree", "pg_trgm", "pgcrypto", "seg", "tablefunc", "tcn", "tsm_system_rows", "tsm_system_time", "unaccent"),
    "uuid-ossp",
)


class Entry(BaseModel):
    """A mapping of the catalogue: frozen, without unknown keys, without guessed types (`"1"` is no number)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)


# The context of validation for what a file says.
WRITTEN: Mapping[str, object] = MappingProxyType({"written": True})


def _given(value: object, info: ValidationInfo) -> object:
    if value is None and info.context is WRITTEN:
        raise ValueError("is empty: give it a value or remove the key")
    return value


# A key may be left out; in a file, written without a value, it is a slip and not a wish for nothing.
Maybe = Annotated[T | None, BeforeValidator(_given)]
# YAML has lists only; the catalogue is frozen.
Listed = Annotated[tuple[T, ...], Strict(strict=False)]


def matching(pattern: str, sentence: str, longest: int = 200) -> AfterValidator:
    """Refuses text that does not match as a whole."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"is longer than {longest} characters")
        if compiled.fullmatch(text) is None:
            raise ValueError(f"'{shown(text)}' {sentence}")
        return text

    return AfterValidator(check)


def one_of(what: str, known: tuple[str, ...]) -> AfterValidator:
    """Refuses text that is not among `known`."""
    words = frozenset(known)

    def check(text: str) -> str:
        if text not in words:
            raise ValueError(unknown(what, text, known))
        return text

    return AfterValidator(check)


def unknown(what: str, word: str, known: tuple[str, ...]) -> str:
    """The sentence for a word that is none of a small set."""
    return f"unknown {what} '{shown(word)}'{did_you_mean(word, known)}: use one of {', '.join(known)}"


def _tenant_id(text: str) -> str:
    if not is_label(text, LONGEST_ID):
        raise ValueError(
            f"'{shown(text)}' is no tenant id: use a DNS label (a-z, 0-9, '-' inside) of at most {LONGEST_ID}"
        )
    return text


def _label(text: str) -> str:
    if not is_label(text):
        raise ValueError(f"'{shown(text)}' is no DNS label: use a-z, 0-9 and '-' inside, at most 63 characters")
    return text


def _day(value: object) -> object:
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is None:
        raise ValueError("must be a date like 2026-11-01")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"'{value}' is not in the calendar") from None


def _decimal(value: object) -> object:
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        # An unquoted 1.10 has already become a binary float when we see it.
        example = value if isinstance(value, int | float) else "12.50"
        raise ValueError(f'must be a decimal in quotes, like "{example}"')  # noqa: TRY004 - pydantic takes ValueError only
    if re.fullmatch(r"\d{1,10}(\.\d{1,4})?", value) is None:
        raise ValueError(f"'{shown(value)}' is no decimal: write digits with at most four decimals, like \"12.50\"")
    return Decimal(value)


def _identifier(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


# `Doc` words a type for the reference.
TenantId = Annotated[str, AfterValidator(_tenant_id), Doc(f"DNS label of at most {LONGEST_ID} characters")]
Label = Annotated[str, AfterValidator(_label), Doc("DNS label")]
# <engine>-<tier>: the engine tells plans of different sources apart.
PlanName = Annotated[
    str,
    matching(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", "is no plan name: write <engine>-<tier>, like timeweb-pro", LONGEST_ID),
    Doc("plan's name"),
]
DisplayName = Annotated[str, matching(r"\S|\S.*\S", "must be one line without blanks at its ends"), Doc("line of text")]
Email = Annotated[str, matching(r"[^@\s]+@[^@\s]+\.[^@\s.]+", "is no mail address", 254), Doc("mail address")]
Word = Annotated[str, matching(r"\S+", "must be a word without blanks"), Doc("word without blanks")]
ProviderId = Annotated[
    str, BeforeValidator(_identifier), matching(r"\S+", "is no provider's id"), Doc("id at the provider")
]
Country = Annotated[
    str,
    matching(r"[A-Z]{2}", "is no country: write two capital letters (ISO 3166), like DE"),
    Doc("country (ISO 3166)"),
]
TimeZone = Annotated[
    str,
    matching(r"[A-Za-z]+(/[A-Za-z0-9_+-]+)*", "is no time zone: write it like Europe/Berlin"),
    Doc("time zone, like `Europe/Berlin`"),
]
Domain = Annotated[
    str,
    matching(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]", "is no domain name in small letters", 253),
    Doc("domain name"),
]
EnvironmentName = Annotated[
    str,
    matching(r"[A-Za-z_][A-Za-z0-9_]*", "is no name of an environment variable"),
    Doc("name of an environment variable"),
]
Day = Annotated[date, BeforeValidator(_day), Doc("date, like `2026-11-01`")]
Figure = Annotated[Decimal, BeforeValidator(_decimal), Doc('decimal in quotes, like `"12.50"`')]
"""An exact decimal that is not negative, quoted in YAML."""
Count = Annotated[int, Field(ge=1)]
Currency = Annotated[str, one_of("currency", tuple(MINOR_UNITS)), Doc(f"one of {', '.join(MINOR_UNITS)}")]
Extension = Annotated[str, one_of("extension", EXTENSIONS), Doc(f"one of {', '.join(EXTENSIONS)}")]
Mode: TypeAlias = Literal["shared", "dedicated"]


class Price(Entry):
    """What a plan is sold for a month."""

    amount: Figure
    """major units of the currency"""
    currency: Currency
    """of the amount"""

    @property
    def money(self) -> Money:
        """The amount as money, rounded once."""
        return Money.of(self.amount, self.currency)
