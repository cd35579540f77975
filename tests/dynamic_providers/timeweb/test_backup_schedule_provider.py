"""Backup schedules of a simulated cluster."""

from typing import Any

import pytest

from dynamic_providers.timeweb.backup_schedule import BackupScheduleProvider
from tests.dynamic_providers.timeweb.conftest import Account, drift


@pytest.fixture
def wanted(account: Account) -> dict[str, Any]:
    fields = {"name": "shared-pro-1", "type": "postgres15", "preset_id": 124}
    cluster = str(account.session.timeweb.create_cluster(fields).id)
    account.edit("cluster", cluster, status="started")
    account.running.log.clear()
    return {"cluster_id": cluster, "enabled": True, "interval": "day", "copy_count": 7.0}


@pytest.fixture
def provider(account: Account) -> BackupScheduleProvider:
    return account.provider(BackupScheduleProvider)


def path(wanted: dict[str, Any]) -> str:
    return f"/api/v1/dbs/{wanted['cluster_id']}/auto-backups"


def test_a_create_is_one_patch_with_every_field_the_vendor_demands(
    account: Account, provider: BackupScheduleProvider, wanted: dict[str, Any]
) -> None:
    """A48."""
    made = provider.create(wanted)
    assert made.id == wanted["cluster_id"]
    assert account.mutations() == [f"PATCH {path(wanted)}"]
    assert account.bodies("PATCH") == [
        {
            "is_enabled": True,
            "interval": "day",
            "copy_count": 7,
            "creation_start_at": "2026-11-01T00:00:00Z",
            "day_of_week": 1,
        }
    ]
    assert provider.diff(made.id, made.outs or {}, wanted).changes is False
    assert drift(provider, made.id, wanted, made.outs or {}) == set()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"interval": "week"}, "interval"),
        ({"copy_count": 3}, "copy_count"),
        ({"is_enabled": False}, "enabled"),
    ],
    ids=str,
)
def test_drift_is_mended_by_one_request(
    account: Account, provider: BackupScheduleProvider, wanted: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    """H5: a schedule switched off behind our back shows and comes back."""
    made = provider.create(wanted)
    settings = {"is_enabled": True, "interval": "day", "copy_count": 7, "day_of_week": 5}
    start = {"creation_start_at": "2026-10-01T00:00:00Z"} if change.get("is_enabled", True) else {}
    body = settings | start | change if start else {"is_enabled": False}
    account.session.timeweb.set_backups(made.id, body)
    assert drift(provider, made.id, wanted, made.outs or {}) == {field}
    account.running.log.clear()
    mended = provider.update(made.id, provider.read(made.id, made.outs or {}).outs or {}, wanted)
    assert account.mutations() == [f"PATCH {path(wanted)}"]
    assert provider.diff(made.id, mended.outs or {}, wanted).changes is False
    if start:
        assert account.bodies("PATCH")[0]["creation_start_at"].startswith("2026-10-01")
        assert account.bodies("PATCH")[0]["day_of_week"] == 5


def test_a_schedule_that_is_off_has_nothing_else_to_differ_in(
    account: Account, provider: BackupScheduleProvider, wanted: dict[str, Any]
) -> None:
    """A46: `free` has none."""
    off = {"cluster_id": wanted["cluster_id"], "enabled": False, "interval": "month", "copy_count": 30.0}
    made = provider.create(off)
    assert account.bodies("PATCH") == [{"is_enabled": False}]
    assert drift(provider, made.id, off, made.outs or {}) == set()


def test_a_delete_switches_it_off_and_reads_it_back(
    account: Account, provider: BackupScheduleProvider, wanted: dict[str, Any]
) -> None:
    made = provider.create(wanted)
    account.running.log.clear()
    provider.delete(made.id, made.outs or {})
    assert [(entry.method, entry.path) for entry in account.running.requests()] == [
        ("PATCH", path(wanted)),
        ("GET", path(wanted)),
    ]
    assert account.session.timeweb.backup_settings(made.id).is_enabled is False


def test_without_its_cluster_it_is_gone(
    account: Account, provider: BackupScheduleProvider, wanted: dict[str, Any]
) -> None:
    made = provider.create(wanted)
    account.remove("cluster", made.id)
    assert provider.read(made.id, made.outs or {}).id is None
    provider.delete(made.id, made.outs or {})


@pytest.mark.parametrize("edit", [{"copy_count": 0}, {"copy_count": 100}, {"interval": "hour"}])
def test_check_refuses_what_the_vendor_does_not_offer(edit: dict[str, Any]) -> None:
    assert BackupScheduleProvider().check({}, {"cluster_id": "1", "enabled": True} | edit).failures
