"""What is declared of a section that moves: two generations, of which one serves, by the role of the other."""

from collections.abc import Callable
from datetime import date

import pytest

from catalogue.generations import Pair, expire, freeze, pairs, recall, swap
from catalogue.load import load_fleet
from catalogue.lockfile import write_placements
from catalogue.placement import Placements
from tests.components.program import Program
from tests.components.recorder import Declaration, Secret

BEFORE = "database: {plan: timeweb-free}, storage: {plan: timeweb-s3}"
ASKED = "database: {plan: timeweb-business, migrate: true}, storage: {plan: s3-standard, migrate: true}"
Step = Callable[[Placements, Pair], Placements]
FREEZE: Step = lambda placements, pair: freeze(placements, pair, "2026-11-24T12:00:00+00:00")  # noqa: E731 - a row of the table
SWAP: Step = lambda placements, pair: swap(placements, pair, date(2026, 12, 1))  # noqa: E731 - a row of the table
FIRST = {"acme-schema-1", "acme-bucket-1", "acme-storage-user-1"}
SECOND = {
    *("acme-schema-2", "acme-bucket-2", "acme-storage-user-2", "acme-storage-key-2", "acme-storage-policy-2"),
    *("customer-acme-cluster-2", "customer-acme-main-2", "customer-acme-admin-2", "customer-acme-backups-2"),
}
SHARED = {"shared-free-1-cluster-1", "shared-free-1-main-1", "shared-free-1-admin-1"}
# role: the steps to it; whether generation 1 and 2 are blocked; which generations are protected; which one serves
ROLES: dict[str, tuple[list[Step], tuple[bool, bool], set[str], int]] = {
    "next": ([], (False, True), FIRST | SHARED, 1),
    "frozen": ([FREEZE], (True, True), FIRST | SHARED, 1),
    "held": ([FREEZE, SWAP], (True, False), FIRST | SHARED | SECOND, 2),
    "dropping": ([FREEZE, SWAP, expire], (True, False), SECOND, 2),
    "coming back": ([FREEZE, SWAP, recall], (True, False), FIRST | SHARED | SECOND, 2),
}


def declare(program: Program, steps: list[Step]) -> Declaration:
    """Ask for a move of both sections and take its steps in the lock file."""
    program.write({"acme": BEFORE})
    program.folder.place()
    program.write({"acme": ASKED})
    placements = program.folder.place().placements
    for step in steps:
        for pair in pairs(placements, "acme"):
            placements = step(placements, pair)
    write_placements(program.path / "placements.yaml", placements)
    assert load_fleet(program.path).placements == placements
    return program.run()


@pytest.mark.parametrize("role", ROLES)
def test_both_generations_are_declared_and_stand_as_the_role_says(program: Program, role: str) -> None:
    """F18, G46: the coming one is closed, the frozen and the held one too, and what holds data is protected."""
    steps, blocked, protected, serving = ROLES[role]
    declared = declare(program, steps)
    # Migrations and access roles are for the one that serves; a move brings the tables along with their ledger.
    assert declared.names == FIRST | SHARED | SECOND | {f"acme-setup-{serving}"}
    assert declared[f"acme-setup-{serving}"].inputs["blocked"] == blocked[serving - 1]
    assert (declared["acme-schema-1"].inputs["blocked"], declared["acme-schema-2"].inputs["blocked"]) == blocked
    users = (
        declared["acme-storage-user-1"].inputs["blocked"],
        "Deny" in declared["acme-storage-policy-2"].inputs["policy"],
    )
    assert users == blocked
    assert {each.name for each in declared.made if each.protect} == protected
    tenant = declared.tenants["acme"]
    plans = ["timeweb-free", "timeweb-business"][:: 1 if serving == 1 else -1]
    assert [tenant["database"]["plan"], tenant["other"]["database"]["plan"]] == plans
    assert tenant["database"]["schema"] == ("c_acme" if serving == 1 else "public")
    assert (tenant["storage"]["plan"] == "timeweb-s3") == (serving == 1)


def test_the_login_keeps_its_password_and_it_stays_a_secret(program: Program) -> None:
    """Design 4.7: the coming login is given the serving one's password; afterwards nothing names it any more."""
    declared = declare(program, [])
    assert isinstance(declared["acme-schema-2"].inputs["given_password"], Secret)
    assert "acme-schema-1" in declared["acme-schema-2"].needs
    assert declared["acme-schema-1"].inputs.get("given_password") is None
    after = declare(program, [FREEZE, SWAP])
    assert after["acme-schema-2"].inputs.get("given_password") is None


def test_a_cluster_that_is_left_keeps_the_size_only_its_entry_said(program: Program) -> None:
    """A30: the entry names the new plan, and the old cluster is not resized for it."""
    program.write({"acme": "database: {plan: timeweb-enterprise, size: {cpu: 2, ram_gb: 4, disk_gb: 40}}"})
    program.folder.place()
    program.write({"acme": "database: {plan: timeweb-pro, migrate: true}"})
    program.folder.place()
    cluster = program.run()["customer-acme-cluster-1"].inputs
    assert [cluster[name] for name in ("cpu", "ram_gb", "disk_gb")] == [2, 4, 40]


def test_a_suspended_tenant_stays_closed_wherever_it_moves(program: Program) -> None:
    """G46."""
    program.write({"acme": BEFORE})
    program.folder.place()
    program.write({"acme": f"{ASKED}, state: suspended"})
    placements = program.folder.place().placements
    for step in (FREEZE, SWAP):
        for pair in pairs(placements, "acme"):
            placements = step(placements, pair)
    write_placements(program.path / "placements.yaml", placements)
    declared = program.run()
    assert declared["acme-schema-2"].inputs["blocked"]
    assert "Deny" in declared["acme-storage-policy-2"].inputs["policy"]
