"""Who lists what carries our mark, one row for each vendor: what `resume` compares with the states."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from dynamic_providers.configuration import Source, read_configuration
from dynamic_providers.marks import Marked
from dynamic_providers.postgres.connection import Limits
from dynamic_providers.postgres.marked import PostgresLister
from dynamic_providers.timeweb.marked import TimewebLister
from dynamic_providers.timeweb.session import open_session


class Lister(Protocol):
    """Finds every object of some types, and can remove one."""

    @property
    def types(self) -> tuple[str, ...]:
        """Pulumi's tokens of what `marked` finds all of; what lies in another object comes before it."""

    def marked(self) -> Iterator[Marked]:
        """Everything that carries our mark. Raises ProviderError where the vendor does not answer."""

    def remove(self, found: Marked) -> None:
        """Delete an object with all it holds, and read back that it is gone."""


@dataclass(frozen=True)
class Owner:
    """Whose marks: the base stack, and the prefix of names that are marks themselves."""

    stack: str
    prefix: str


def _timeweb(settings: Source, owner: Owner) -> list[Lister]:
    configuration = read_configuration(settings)
    if not configuration.token:
        return []
    account = TimewebLister(open_session(configuration), owner.stack, owner.prefix)
    # What lies in a cluster goes before it.
    limits = Limits(total=configuration.retry_seconds)
    return [PostgresLister(account.places, owner.stack, limits), account]


# A vendor → the listers of an account that the stack's configuration, or the environment, names; none without a token.
# In the order in which objects are removed: what lies in another goes before it.
VENDORS: Mapping[str, Callable[[Source, Owner], list[Lister]]] = {"Timeweb": _timeweb}


def open_listers(settings: Source, owner: Owner) -> list[Lister]:
    """The listers of all vendors that this stack has an account at. Raises ProviderError."""
    return [lister for open_vendor in VENDORS.values() for lister in open_vendor(settings, owner)]
