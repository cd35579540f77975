"""What may be ordered: versions with their dates, sizes and regions. A selection of the vendor's list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

ENGINE = "pg"
REGIONS = (
    *("ams3", "blr1", "fra1", "lon1", "nyc1", "nyc2", "nyc3"),
    *("sfo2", "sfo3", "sgp1", "syd1", "tor1", "ric1", "atl1"),
)
DEFAULT_VERSION = "17"
GIB = 1024


@dataclass(frozen=True)
class Version:
    """A major version: what it is in full, and until when it can be ordered and is looked after."""

    name: str
    semantic: str
    end_of_availability: datetime
    end_of_life: datetime


@dataclass(frozen=True)
class Size:
    """A size of one node; memory and disk in MiB."""

    slug: str
    memory: int
    disk: int
    several_nodes: bool = True


def _day(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, tzinfo=UTC)


VERSIONS: Mapping[str, Version] = {
    version.name: version
    for version in (
        Version("13", "13.22", _day(2025, 5, 13), _day(2025, 11, 13)),
        Version("14", "14.19", _day(2026, 5, 12), _day(2026, 11, 12)),
        Version("15", "15.14", _day(2027, 5, 12), _day(2027, 11, 11)),
        Version("16", "16.10", _day(2028, 5, 9), _day(2028, 11, 9)),
        Version("17", "17.6", _day(2029, 5, 8), _day(2029, 11, 8)),
    )
}
SIZES: Mapping[str, Size] = {
    size.slug: size
    for size in (
        Size("db-s-1vcpu-1gb", 1 * GIB, 10 * GIB, several_nodes=False),
        Size("db-s-1vcpu-2gb", 2 * GIB, 30 * GIB),
        Size("db-s-2vcpu-4gb", 4 * GIB, 60 * GIB),
        Size("db-s-4vcpu-8gb", 8 * GIB, 140 * GIB),
        Size("db-s-6vcpu-16gb", 16 * GIB, 290 * GIB),
        Size("gd-2vcpu-8gb", 8 * GIB, 30 * GIB),
        Size("gd-4vcpu-16gb", 16 * GIB, 60 * GIB),
    )
}
# Number of nodes → sizes.
LAYOUTS: Mapping[int, tuple[str, ...]] = {
    nodes: tuple(size.slug for size in SIZES.values() if size.several_nodes or nodes == 1) for nodes in (1, 2, 3)
}


def pool_connections(size: Size) -> int:
    """Connections that all pools of a cluster share: 25 a GiB, of which three are the vendor's."""
    return 25 * size.memory // GIB - 3
