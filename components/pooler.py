"""Where tenants of pooled plans are served: a host, a port of its own for each cluster's pooler, and their security."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FIRST_PORT = 6432
LAST_PORT = 65535
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# Stack configuration key → environment variable, which wins.
POOLER_SOURCES: Mapping[str, str] = {
    "tenantry:poolerHost": "TENANTRY_POOLER_HOST",
    "tenantry:poolerPort": "TENANTRY_POOLER_PORT",
    "tenantry:poolerSslmode": "TENANTRY_POOLER_SSLMODE",
}
# A name or an address, IPv6 without brackets: it goes into a URL as it stands.
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")


@dataclass(frozen=True)
class PoolerAddress:
    """Where one cluster's pooler is reached, and with which `sslmode`."""

    host: str
    port: int
    sslmode: str


@dataclass(frozen=True)
class PoolerSettings:
    """What a stack says of its poolers; without `host` tenants are sent to their clusters themselves."""

    host: str | None = None
    first_port: int = FIRST_PORT
    sslmode: str = "require"

    def port(self, number: int) -> int:
        """The port of the pooler with this number of `placements.yaml`: the first one's for 1, and so on.

        Raises ValueError where no port is left.
        """
        if (port := self.first_port + number - 1) > LAST_PORT:
            raise ValueError(f"pooler {number} would be at port {port}: lower tenantry:poolerPort")
        return port

    def address(self, number: int | None) -> PoolerAddress | None:
        """Where tenants find the pooler with this number; None without a host or a number."""
        if self.host is None or number is None:
            return None
        return PoolerAddress(self.host, self.port(number), self.sslmode)


def read_pooler(value: Callable[[str], str | None]) -> PoolerSettings:
    """The settings, from what a key of `POOLER_SOURCES` is set to. Raises ValueError, naming the key."""
    host = value("tenantry:poolerHost") or None
    port = value("tenantry:poolerPort") or str(FIRST_PORT)
    sslmode = value("tenantry:poolerSslmode") or "require"
    if host is not None and _HOST.fullmatch(host) is None:
        raise ValueError(f"setting tenantry:poolerHost must be a host's name or address, without a port, not '{host}'")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= LAST_PORT):
        raise ValueError(f"setting tenantry:poolerPort must be a port from 1 to {LAST_PORT}, not '{port}'")
    if sslmode not in SSLMODES:
        raise ValueError(f"setting tenantry:poolerSslmode must be one of {', '.join(SSLMODES)}, not '{sslmode}'")
    return PoolerSettings(host, int(port), sslmode)
