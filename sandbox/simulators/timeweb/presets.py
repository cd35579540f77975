"""The sizes the simulated account may order: sample ids and prices in roubles a month, sizes in MB."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sandbox.simulators.timeweb.records import StorageClass

GB = 1024
CPU_FREQUENCY = "3.3"
Family = Literal["postgres", "mysql", "redis"]

ZONES: Mapping[str, tuple[str, ...]] = {
    "ru-1": ("spb-1", "spb-2", "spb-3", "spb-4"),
    "ru-3": ("msk-1",),
    "nl-1": ("ams-1",),
}
COUNTRIES: Mapping[str, str] = {"ru-1": "RU", "ru-3": "RU", "nl-1": "NL"}


@dataclass(frozen=True)
class DatabasePreset:
    """A size for clusters; a cluster may move to another one with the same tag that has no smaller disk."""

    id: int
    family: Family
    location: str
    cpu: int
    ram: int
    disk: int
    price: int

    @property
    def tag(self) -> str:
        """The group a cluster may change its size within."""
        return f"{self.family}_{self.location}"


@dataclass(frozen=True)
class StoragePreset:
    """A size for buckets."""

    id: int
    disk: int
    price: int
    storage_class: StorageClass
    location: str = "ru-1"


_SIZES = (  # number, cpu, ram GB, disk GB, price
    (21, 1, 1, 8, 380),
    (23, 1, 2, 20, 600),
    (22, 2, 2, 30, 1050),
    (24, 2, 4, 40, 1575),
    (25, 4, 8, 80, 2775),
    (26, 8, 16, 220, 6000),
)
_SERIES: tuple[tuple[int, Family, str], ...] = (
    (100, "postgres", "ru-1"),
    (200, "postgres", "ru-3"),
    (300, "postgres", "nl-1"),
    (400, "mysql", "ru-1"),
    (500, "redis", "ru-1"),
)
DATABASE_PRESETS: Mapping[int, DatabasePreset] = {
    series + number: DatabasePreset(series + number, family, location, cpu, ram * GB, disk * GB, price)
    for series, family, location in _SERIES
    for number, cpu, ram, disk, price in _SIZES
}

_BULK_GB = 2048
_BULK_PRICE = 3999
_STORAGE_GB = (1, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 1024)
STORAGE_PRESETS: Mapping[int, StoragePreset] = {
    preset.id: preset
    for preset in (
        *(StoragePreset(380 + i, disk * GB, disk * 2, "hot") for i, disk in enumerate(_STORAGE_GB)),
        StoragePreset(399, _BULK_GB * GB, _BULK_PRICE, "hot"),
        *(StoragePreset(480 + i, disk * GB, disk, "cold") for i, disk in enumerate(_STORAGE_GB)),
    )
}


@dataclass(frozen=True)
class Configurator:
    """Free choice of a cluster's size within a location."""

    id: int
    location: str


CONFIGURATORS: Mapping[int, Configurator] = {11: Configurator(11, "ru-1"), 12: Configurator(12, "nl-1")}
STORAGE_CONFIGURATORS = frozenset({73})


@dataclass(frozen=True)
class DatabaseType:
    """An engine in one major version, as `type` of a new cluster."""

    type: str
    name: str
    version: str
    family: Family


DATABASE_TYPES: Mapping[str, DatabaseType] = {
    entry.type: entry
    for entry in (
        *(DatabaseType(f"postgres{major}", "postgres", str(major), "postgres") for major in range(14, 19)),
        DatabaseType("mysql", "mysql", "8.0", "mysql"),
        DatabaseType("mysql8_4", "mysql", "8.4", "mysql"),
        DatabaseType("valkey8_1", "valkey", "8.1", "redis"),
    )
}

POSTGRES_PRIVILEGES: Mapping[str, str] = {
    "SELECT": "DATA",
    "INSERT": "DATA",
    "UPDATE": "DATA",
    "DELETE": "DATA",
    "TRUNCATE": "DATA",
    "REFERENCES": "STRUCTURE",
    "TRIGGER": "STRUCTURE",
    "CREATE": "STRUCTURE",
    "TEMPORARY": "OTHERS",
    "CREATEDB": "GLOBAL",
    "CREATEROLE": "GLOBAL",
}
