"""The loopback ports of a sandbox."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ports:
    """Where the servers listen; 0 is any free port. Databases take the ports from `database` up."""

    simulator: int
    storage: int
    database: int


DEFAULT_PORTS = Ports(simulator=8701, storage=8702, database=8710)
ANY_PORTS = Ports(0, 0, 0)
