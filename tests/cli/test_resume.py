"""`tenantry resume` on a simulated account: what is settled, what is only said, what is removed and when."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cli import exit_codes
from dynamic_providers.timeweb.models import Signer
from dynamic_providers.timeweb.objects import open_s3
from sandbox.simulators.control import Edit
from sandbox.simulators.timeweb.inventory import edit
from tests.cli.conftest import Catalogue, Ran, Tenantry

STACK = ("--stack", "sandbox", "--engine", "embedded")
FLEET = """\
tenants:
  acme: {storage: {plan: timeweb-s3}}
  beta: {storage: {plan: timeweb-s3}}
"""
ALONE = "tenants:\n  acme: {storage: {plan: timeweb-s3}}\n"


class Fleet:
    """Two tenants with a bucket each, brought up, and what a test does to their state."""

    def __init__(self, tenantry: Tenantry, catalogue: Catalogue) -> None:
        self._tenantry = tenantry
        self.catalogue = catalogue
        self.account = catalogue.account

    @property
    def file(self) -> Path:
        """The state."""
        return self.catalogue.state / "sandbox.json"

    def run(self, *words: str) -> Ran:
        """Run a command on the stack."""
        return self._tenantry(*words, *STACK, *self.catalogue.option())

    def findings(self, *words: str) -> list[tuple[str, str]]:
        """What `resume` finds, as verdict and name."""
        ran = self.run("resume", "--json", *words)
        return sorted((row["verdict"], row["name"]) for row in json.loads(ran.out)["findings"])

    def edit(self, *, without: str = "", noting: str = "", operation: str = "creating") -> None:
        """Forget a resource, or note an operation on it that was cut off."""
        document = json.loads(self.file.read_text())
        resources: list[dict[str, Any]] = document["deployment"]["resources"]
        named = {entry["urn"].rpartition("::")[2]: entry for entry in resources}
        if noting:
            document["deployment"]["pending_operations"] = [{"type": operation, "resource": named[noting]}]
        document["deployment"]["resources"] = [entry for entry in resources if entry is not named.get(without)]
        self.file.write_text(json.dumps(document))

    def lose(self, kind: str, id_: object) -> None:
        """Remove an object behind our back."""
        edit(self.account.state, Edit(kind=kind, id=str(id_), delete=True))

    def put_object(self, tenant: str) -> None:
        """Data in a tenant's bucket."""
        bucket = next(each for each in self.account.state.buckets.all() if tenant in each.name)
        account = self.account.state.account
        keys = Signer(access_key=account.access_key, secret_key=account.secret_key)
        store = open_s3(self.account.s3_endpoint, "ru-1", keys)
        store.put_object(Bucket=bucket.full_name, Key="loaf", Body=b"rye")
        store.close()

    def pending(self) -> list[dict[str, Any]]:
        """Notes in the state."""
        notes: list[dict[str, Any]] = json.loads(self.file.read_text())["deployment"].get("pending_operations") or []
        return notes

    def changes(self) -> list[str]:
        """Requests that change something, since the log was last cleared."""
        return [f"{entry.method} {entry.path}" for entry in self.account.requests() if entry.method != "GET"]


@pytest.fixture
def fleet(tenantry: Tenantry, catalogue: Catalogue) -> Fleet:
    """The fleet, and an empty request log."""
    catalogue.folder.write("tenants.yaml", FLEET)
    catalogue.folder.place()
    fleet = Fleet(tenantry, catalogue)
    assert fleet.run("up", "--yes").code == exit_codes.DONE
    catalogue.account.log.clear()
    return fleet


def test_a_fleet_in_order_has_nothing_to_settle(fleet: Fleet) -> None:
    ran = fleet.run("resume", "--check")
    assert (ran.code, ran.out, ran.err) == (exit_codes.DONE, "sandbox: nothing to settle\n", "")
    assert fleet.run("resume").code == exit_codes.DONE
    assert fleet.changes() == []


def test_a_create_that_was_cut_off_is_adopted_by_the_next_up(fleet: Fleet) -> None:
    """F15, G43, H4: the note goes, the object stays, and no second one is made."""
    fleet.edit(without="acme-storage-user-1", noting="acme-bucket-1")
    fleet.edit(without="acme-bucket-1")
    assert fleet.run("resume", "--check").code == exit_codes.CHANGES_PENDING
    assert len(fleet.pending()) == 1
    ran = fleet.run("resume")
    assert ran.code == exit_codes.DONE
    (bucket,) = [each for each in fleet.account.state.buckets.all() if "acme" in each.name]
    assert f"adopt    acme-bucket-1 is there as {bucket.id}: taken over by its mark" in ran.out
    assert fleet.pending() == []
    assert fleet.run("up", "--yes").code == exit_codes.DONE
    assert "POST /api/v1/storages/buckets" not in fleet.changes()
    assert fleet.findings() == []


def test_a_create_that_did_nothing_is_only_a_note(fleet: Fleet) -> None:
    fleet.edit(without="acme-storage-user-1", noting="acme-storage-user-1")
    (user,) = [each for each in fleet.account.state.storage_users.all() if each.name.endswith("acme")]
    fleet.lose("storage_user", user.uuid)
    assert fleet.findings() == [("clear", "acme-storage-user-1")]
    assert fleet.pending() == []


def test_an_update_that_was_cut_off_is_read_and_its_note_goes(fleet: Fleet) -> None:
    fleet.edit(noting="acme-bucket-1", operation="updating")
    ran = fleet.run("resume")
    assert "clear    acme-bucket-1 the note of a cut-off updating operation is cleared" in ran.out
    assert fleet.pending() == []
    assert fleet.changes() == []
    assert any(entry.path.startswith("/api/v1/storages/buckets/") for entry in fleet.account.requests("GET"))


def test_a_lost_state_is_found_again(fleet: Fleet) -> None:
    """Every object is adopted by the next `up`, and none made."""
    for file in fleet.catalogue.state.glob("*.json*"):
        file.unlink()
    assert [verdict for verdict, _ in fleet.findings()] == ["adopt"] * 4
    assert fleet.run("up", "--yes").code == exit_codes.DONE
    assert "POST /api/v1/storages/buckets" not in fleet.changes()
    assert fleet.findings() == []


def orphaned(fleet: Fleet) -> None:
    """Tenant beta is in no state and no catalogue, and its objects are in the cloud."""
    fleet.edit(without="beta-bucket-1")
    fleet.edit(without="beta-storage-user-1")
    fleet.catalogue.placements.unlink()
    fleet.catalogue.folder.write("tenants.yaml", ALONE)
    fleet.catalogue.folder.place()


def test_orphans_are_listed_with_their_price_and_stay(fleet: Fleet) -> None:
    """Design section 4: what nobody knows of and everybody pays for."""
    orphaned(fleet)
    ran = fleet.run("resume")
    assert ran.code == exit_codes.DONE
    lines = sorted(line for line in ran.out.splitlines() if line.startswith("orphan"))
    assert len(lines) == 2
    assert "beta-bucket-1 is bucket " in lines[0]
    assert lines[0].endswith("in no state and not wanted: 200.00 RUB a month")
    assert lines[1].endswith("in no state and not wanted: 0.00 RUB a month")
    assert fleet.changes() == []


def test_orphans_are_removed_only_when_that_is_asked_for_and_agreed_to(fleet: Fleet) -> None:
    orphaned(fleet)
    assert fleet.run("resume", "--remove").code == exit_codes.USAGE
    assert fleet.changes() == []
    ran = fleet.run("resume", "--remove", "--yes")
    assert ran.code == exit_codes.DONE
    assert [path.split("/")[-2] for path in fleet.changes()] == ["users", "buckets"]
    assert fleet.findings() == []


def test_an_orphan_that_holds_data_goes_only_by_its_name(fleet: Fleet) -> None:
    fleet.put_object("beta")
    orphaned(fleet)
    ran = fleet.run("resume", "--remove", "--yes")
    assert "add --confirm beta-bucket-1" in ran.err
    assert fleet.findings() == [("orphan", "beta-bucket-1")]
    removed = fleet.run("resume", "--remove", "--confirm", "beta-bucket-1", "--yes", "--json")
    assert json.loads(removed.out)["removed"] == ["beta-bucket-1"]
    assert fleet.findings() == []


def test_what_is_recorded_but_gone_is_said(fleet: Fleet) -> None:
    bucket = next(each for each in fleet.account.state.buckets.all() if "acme" in each.name)
    fleet.lose("bucket", bucket.id)
    ran = fleet.run("resume")
    assert f"missing  acme-bucket-1 is recorded as {bucket.id}, and not in the cloud: run `tenantry up" in ran.out
    assert fleet.changes() == []


def test_the_lock_of_a_dead_run_is_broken_and_told(fleet: Fleet) -> None:
    """F15, F25: host, process, age."""
    lock = fleet.catalogue.state / "sandbox.lock"
    lock.write_text(json.dumps({"pid": 1, "host": socket.gethostname(), "since": "2026-11-21T12:00:00+00:00"}))
    assert fleet.run("resume", "--check").code == exit_codes.CHANGES_PENDING
    assert lock.read_text()
    ran = fleet.run("resume")
    assert f"the lock of process 1 on {socket.gethostname()}, since 2026-11-21T12:00:00+00:00, " in ran.out
    assert "whose run is dead, is broken" in ran.out
    assert lock.read_text() == ""


def test_the_lock_of_another_host_is_not_broken(fleet: Fleet) -> None:
    (fleet.catalogue.state / "sandbox.lock").write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": "now"}))
    ran = fleet.run("resume")
    assert (ran.code, ran.out) == (exit_codes.ENGINE_ERROR, "")
    assert "the stack is locked (process 1 on elsewhere, since now): if that run is dead" in ran.err


def test_a_vendor_that_does_not_answer_makes_nothing_absent(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Design rule 4: its types are left out of the comparison, and the command fails."""
    monkeypatch.setenv("TIMEWEB_RETRY_SECONDS", "0.2")
    fleet.account.strike("bare-404", times=100, path="/api/v1/storages/buckets")
    ran = fleet.run("resume")
    assert ran.code == exit_codes.ENGINE_ERROR
    assert "timeweb:Bucket" in ran.err
    assert "cannot be listed" in ran.err
    assert "missing" not in ran.out
