"""The loopback ports of a sandbox."""

from dataclasses import dataclass
from typing import Self

_DATABASES_AFTER = 9


@dataclass(frozen=True)
class Ports:
    """Where the servers listen; 0 is any free port. Databases take the ports from `database` up, a range a vendor."""

    simulator: int = 0
    storage: int = 0
    database: int = 0
    neon: int = 0
    digitalocean: int = 0
    platform: int = 0

    @classmethod
    def from_first(cls, port: int) -> Self:
        """One after the other from this port up; 0 gives any free ones."""
        if not port:
            return cls()
        return cls(port, port + 1, port + _DATABASES_AFTER, port + 2, port + 3, port + 4)


DEFAULT_PORTS = Ports.from_first(8701)
ANY_PORTS = Ports()
