"""The servers behind managed clusters: what the rules ask of them, and a stand-in that keeps none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sandbox.simulators.servers import Address, ClusterServers, NoServers


@dataclass(frozen=True)
class Guard:
    """Who may come in, as IPv4 addresses and networks (None: everybody), and the database behind each pool."""

    trusted: tuple[str, ...] | None = None
    pools: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """The names of what is on a server, whoever made it: databases, and logins without superuser's rights."""

    databases: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()


class ManagedServers(ClusterServers, Protocol):
    """Real servers by cluster id, each behind TLS."""

    def pool_place(self, cluster_id: int) -> Address | None:
        """Where sessions of pools are opened, each by its pool's name."""

    def guard(self, cluster_id: int, guard: Guard) -> None:
        """From now on let in only these, and serve these pools; sessions that run stay."""

    def held(self, cluster_id: int) -> Held:
        """What the server holds; nothing while it does not answer."""


class NoManagedServers(NoServers):
    """Clusters without a server behind them: the vendor's usual ports, where nothing listens."""

    def place(self, cluster_id: int) -> Address | None:  # noqa: ARG002 - one address serves all
        """The address of nothing."""
        return Address("localhost", "127.0.0.1", 25060)

    def pool_place(self, cluster_id: int) -> Address | None:  # noqa: ARG002 - one address serves all
        """The address of no pool."""
        return Address("localhost", "127.0.0.1", 25061)

    def guard(self, cluster_id: int, guard: Guard) -> None:
        """Nothing to guard."""

    def held(self, cluster_id: int) -> Held:  # noqa: ARG002 - it holds for all
        """Nothing is held."""
        return Held()
