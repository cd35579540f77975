"""The loopback ports of a sandbox."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ports:
    """Where the servers listen; 0 is any free port. Databases take the ports from `database` up."""

    simulator: int
    storage: int
    database: int
    neon: int = 0
    digitalocean: int = 0
    platform: int = 0


DEFAULT_PORTS = Ports(simulator=8701, storage=8702, database=8710, neon=8703, digitalocean=8704, platform=8705)
ANY_PORTS = Ports(0, 0, 0)
