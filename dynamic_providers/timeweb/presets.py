"""Choosing a size on offer, by id or by what it holds; none or several is an error that lists candidates (A15)."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from dynamic_providers.errors import PresetError
from dynamic_providers.timeweb.models import DatabasePreset, StoragePreset

Preset = TypeVar("Preset", DatabasePreset, StoragePreset)

FAMILY = "postgres"


def database_preset(
    presets: Iterable[DatabasePreset], *, location: str, preset_id: int | None, size: Mapping[str, float | None]
) -> DatabasePreset:
    """The PostgreSQL preset of a location with that id, else the one whose cpu, ram_gb and disk_gb are those given."""
    offered = [preset for preset in presets if preset.type == FAMILY and preset.location == location]
    wanted = {"id": preset_id} if preset_id is not None else size
    return _only(offered, wanted, f"PostgreSQL preset in {location}")


def storage_preset(
    presets: Iterable[StoragePreset], *, location: str, storage_class: str, disk_gb: float
) -> StoragePreset:
    """The storage preset of a location and class with that disk."""
    offered = [preset for preset in presets if (preset.location, preset.storage_class) == (location, storage_class)]
    return _only(offered, {"disk_gb": disk_gb}, f"{storage_class} storage preset in {location}")


def _only(offered: list[Preset], wanted: Mapping[str, float | None], what: str) -> Preset:
    stated = {name: value for name, value in wanted.items() if value is not None}
    matches = [preset for preset in offered if all(getattr(preset, name) == value for name, value in stated.items())]
    if len(matches) == 1:
        return matches[0]
    asked = ", ".join(f"{name} {value:g}" for name, value in stated.items())
    found, candidates = ("several match", matches) if matches else ("none matches; offered", offered)
    listed = "; ".join(_described(preset) for preset in candidates) or "nothing"
    raise PresetError(f"{what} with {asked}: {found}: {listed}")


def _described(preset: DatabasePreset | StoragePreset) -> str:
    sizes = {name: getattr(preset, name, None) for name in ("cpu", "ram_gb", "disk_gb")}
    figures = ", ".join(f"{name} {value:g}" for name, value in sizes.items() if value is not None)
    return f"id {preset.id} ({figures}, {preset.price} a month)"
