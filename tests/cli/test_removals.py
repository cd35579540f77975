"""A removal that was written too early is told by tenant, from what the state still protects."""

from pathlib import Path
from typing import Any

from catalogue.load import load_fleet
from cli.removals import early_removals
from tests.catalogue.fleets import FleetFolder

GONE = "{state: terminated, removed: {on: 2026-11-01, backup: b-1}, storage: {plan: timeweb-s3}}"


def resource(name: str, *, protect: bool) -> dict[str, Any]:
    return {"urn": f"urn:pulumi:prod::tenantry::pulumi-python:dynamic/timeweb:Bucket::{name}", "protect": protect}


def test_only_what_is_removed_and_still_protected_is_told_and_by_its_own_tenant(tmp_path: Path) -> None:
    """G26: acme's neighbour acme-group has names that begin alike."""
    folder = FleetFolder(tmp_path)
    folder.write("tenants.yaml", f"tenants:\n  acme: {GONE}\n  acme-group: {{}}\n  beta: {GONE}\n")
    state = [
        resource("acme-bucket-1", protect=True),
        resource("acme-storage-user-1", protect=False),
        resource("acme-group-bucket-1", protect=True),
        resource("beta-bucket-1", protect=False),
        resource("shared-free-1-cluster-1", protect=True),
    ]
    assert early_removals(load_fleet(folder.path), state) == {"acme": ["acme-bucket-1"]}
