"""The simulated account: its tables, its clock, and the servers behind its clusters. No HTTP."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from sandbox.simulators.digitalocean.records import Cluster, Db, Pool, Tag, User
from sandbox.simulators.digitalocean.servers import ManagedServers
from sandbox.simulators.objects import Database, Table

DEFAULT_PROJECT = str(uuid5(NAMESPACE_URL, "project"))


@dataclass(frozen=True)
class Delays:
    """Seconds a cluster spends in its passing states."""

    create: float = 5.0
    resize: float = 2.0


class State:
    """All the account owns. `clock` gives seconds since 1970, `certificate` is the CA's, as PEM text."""

    def __init__(
        self,
        database: Database,
        servers: ManagedServers,
        certificate: str,
        clock: Callable[[], float],
        delays: Delays,
    ) -> None:
        self.database = database
        self.servers = servers
        self.certificate = certificate
        self.clock = clock
        self.delays = delays
        self.clusters = Table(database, "cluster", Cluster)
        self.dbs = Table(database, "db", Db)
        self.users = Table(database, "user", User)
        self.pools = Table(database, "pool", Pool)
        self.tags = Table(database, "tag", Tag)


def default_network(region: str) -> str:
    """The id of a region's own private network."""
    return str(uuid5(NAMESPACE_URL, f"network/{region}"))


def new_password() -> str:
    """As the vendor makes them: long, of letters and digits."""
    return f"AVNS_{secrets.token_hex(12)}"


def timestamp(seconds: float) -> str:
    """A time as the vendor writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
