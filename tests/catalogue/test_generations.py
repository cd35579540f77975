"""A section that moves has two generations in the lock file, and each step of the move leads to a file that loads."""

from collections.abc import Callable
from datetime import date

import pytest

from catalogue.generations import Pair, due, expire, forget, freeze, pairs, recall, swap, thaw
from catalogue.load import load_fleet
from catalogue.lockfile import placements_text, write_placements
from catalogue.placement import Placements, place
from tests.catalogue.fleets import FleetFolder

TENANTS = """\
tenants:
  acme:
    database: {plan: timeweb-free}
    storage: {plan: timeweb-s3}
  beta: {database: {plan: timeweb-business}}
  gamma: {database: {plan: timeweb-enterprise, size: {cpu: 8, ram_gb: 16, disk_gb: 220}}}
"""
DAY = date(2026, 12, 1)
AT = "2026-11-24T12:00:00+00:00"


@pytest.fixture
def placed(folder: FleetFolder) -> FleetFolder:
    folder.write("tenants.yaml", TENANTS)
    text = (folder.path / "plans.yaml").read_text(encoding="utf-8")
    bucket = text.index("  timeweb-s3:")
    folder.write("plans.yaml", text[:bucket].replace("regions: [ru-1]", "regions: [ru-1, ru-3]") + text[bucket:])
    folder.place()
    return folder


def ask(folder: FleetFolder, old: str, new: str) -> Placements:
    """Write the edit that asks for a move, and place."""
    folder.edit("tenants.yaml", old, new)
    return folder.place().placements


def pair_of(placements: Placements, tenant: str = "acme") -> Pair:
    (pair,) = pairs(placements, tenant)
    return pair


ASKED = {
    "a larger shared plan": ("{plan: timeweb-free}", "{plan: timeweb-pro, migrate: true}", "acme", "shared-pro-1"),
    "a cluster of one's own": (
        "{plan: timeweb-free}",
        "{plan: timeweb-business, migrate: true}",
        "acme",
        "customer-acme-2",
    ),
    "a smaller plan": ("{plan: timeweb-business}", "{plan: timeweb-free, migrate: true}", "beta", "shared-free-1"),
    "another region": (
        "{plan: timeweb-business}",
        "{plan: timeweb-business, region: ru-3, migrate: true}",
        "beta",
        "customer-beta-2",
    ),
    "another bucket": ("{plan: timeweb-s3}", "{plan: s3-standard, migrate: true}", "acme", None),
}


@pytest.mark.parametrize("case", ASKED)
def test_an_edit_against_the_pins_that_asks_for_a_move_is_placed_beside_what_serves(
    placed: FleetFolder, case: str
) -> None:
    """F18, F22, A54: the serving generation stays where it is, the coming one has a place in the same cell."""
    old, new, tenant, cluster = ASKED[case]
    before = load_fleet(placed.path).placements.tenants[tenant]
    placed.edit("tenants.yaml", old, new)
    assert placed.problems() == ()
    (stale,) = placed.sentences(require_placed=True)
    assert stale.endswith("its move is not planned yet: run `tenantry place`")
    after = placed.place().placements.tenants[tenant]
    assert after.sections == before.sections
    (other,) = after.others.values()
    assert (other.role, other.generation, other.cell, other.cluster) == ("next", 2, 1, cluster)
    assert placed.problems(require_placed=True) == ()


def test_another_engine_version_is_a_move_for_those_who_ask(placed: FleetFolder) -> None:
    """F22, G13: the plan's version changes for all, and each tenant on it moves when its entry says so."""
    placed.edit("plans.yaml", "version: 15\n    size: {cpu: 8", "version: 16\n    size: {cpu: 8")
    assert "postgres version is pinned to 15" in placed.sentences()[0]
    placements = ask(placed, "{plan: timeweb-business}", "{plan: timeweb-business, migrate: true}")
    assert placements.clusters["customer-beta-2"].version == 16
    assert placements.clusters["customer-beta"].version == 15


def test_the_second_generation_is_one_line_of_its_own(placed: FleetFolder) -> None:
    """F5: two branches merge line by line."""
    before = placements_text(load_fleet(placed.path).placements).splitlines()
    after = placements_text(ask(placed, *ASKED["a larger shared plan"][:2])).splitlines()
    assert [line for line in after if line not in before] == [
        (
            "  shared-pro-1: {cell: 1, plan: timeweb-pro, region: ru-1, provider: timeweb, mode: shared, version: 15, "
            "generation: 1}"
        ),
        (
            "    database_other: {cell: 1, cluster: shared-pro-1, generation: 2, plan: timeweb-pro, region: ru-1, "
            "provider: timeweb, mode: shared, version: 15, role: next}"
        ),
    ]
    assert [line for line in before if line not in after] == []


STEPS: list[tuple[Callable[[Placements, Pair], Placements], str | None]] = [
    (lambda placements, pair: freeze(placements, pair, AT), "frozen"),
    (thaw, "next"),
    (lambda placements, pair: freeze(placements, pair, AT), "frozen"),
    (lambda placements, pair: swap(placements, pair, DAY), "held"),
    (recall, "next"),
    (lambda placements, pair: freeze(placements, pair, AT), "frozen"),
    (lambda placements, pair: swap(placements, pair, DAY), "held"),
    (expire, "dropping"),
    (forget, None),
]


@pytest.mark.parametrize("case", ASKED)
def test_every_step_of_a_move_is_a_file_that_loads_as_it_was_written(placed: FleetFolder, case: str) -> None:
    """F18: whatever is killed in between, the next command reads where the move stands."""
    old, new, tenant, cluster = ASKED[case]
    placements = ask(placed, old, new)
    for step, role in STEPS:
        placements = step(placements, pair_of(placements, tenant))
        write_placements(placed.path / "placements.yaml", placements)
        assert load_fleet(placed.path).placements == placements
        assert [pair.other.role for pair in pairs(placements, tenant)] == ([role] if role else [])
        if step is recall:
            # On the way back the entry is as it was.
            placed.edit("tenants.yaml", new, old)
            assert load_fleet(placed.path).placements == placements
    after = placements.tenants[tenant].sections["database" if cluster else "storage"]
    assert after.generation == 1
    assert "-2" not in "".join(name for name in placements.clusters if name.startswith("customer-"))


def test_both_generations_take_a_place_on_their_clusters(placed: FleetFolder) -> None:
    """A40, G6: the connection budget holds while two are there."""
    placed.edit("plans.yaml", "tenants_per_cluster: 100", "tenants_per_cluster: 1")
    placements = ask(placed, "{plan: timeweb-business}", "{plan: timeweb-free, migrate: true}")
    other = placements.tenants["beta"].database_other
    assert other is not None
    assert other.cluster == "shared-free-2"
    placed.edit("tenants.yaml", "  gamma:", "  delta: {database: {plan: timeweb-free}}\n  gamma:")
    assert placed.place().placements.tenants["delta"].clusters == ("shared-free-3",)


def test_a_size_that_only_the_entry_said_is_remembered_of_what_is_left(placed: FleetFolder) -> None:
    """A30: an enterprise cluster keeps its size while its tenant moves away."""
    size = "{plan: timeweb-enterprise, size: {cpu: 8, ram_gb: 16, disk_gb: 220}}"
    placements = ask(placed, size, "{plan: timeweb-pro, migrate: true}")
    assert placements.clusters["customer-gamma"].size == "8/16/220"


def test_a_coming_generation_never_takes_another_tenants_name(placed: FleetFolder) -> None:
    """Design 4, rule 1: at the provider `acme` in generation 2 is `acme-2`."""
    placed.edit("tenants.yaml", "  beta:", "  acme-2: {}\n  beta:")
    placements = ask(placed, *ASKED["another bucket"][:2])
    assert pair_of(placements).other.generation == 3


REFUSED = {
    "another wish while one is under way": (
        "next",
        "{plan: timeweb-pro-plus, migrate: true}",
        (
            "a move to timeweb-pro, generation 2, is under way: finish it with `tenantry move acme`, or end it with "
            "`tenantry move acme --undo`"
        ),
    ),
    "the next move while the last one's source is held": (
        "held",
        "{plan: timeweb-pro-plus, migrate: true}",
        "generation 1 of the last move is still kept, until 2026-12-01: drop it with `tenantry move acme --drop`",
    ),
    "an edit without a wish": (
        "next",
        "{plan: timeweb-pro-plus}",
        "undo the edit, or ask for a move with `migrate: true`",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_one_move_at_a_time(placed: FleetFolder, case: str) -> None:
    """F22."""
    role, edit, sentence = REFUSED[case]
    placements = ask(placed, *ASKED["a larger shared plan"][:2])
    if role == "held":
        placements = swap(placements, pair_of(placements), DAY)
        write_placements(placed.path / "placements.yaml", placements)
    placed.edit("tenants.yaml", "{plan: timeweb-pro, migrate: true}", edit)
    (problem,) = placed.sentences()
    assert problem.startswith("tenants.yaml:3:16: tenants.acme.database.plan: ")
    assert sentence in problem


def test_a_terminated_tenant_does_not_move(placed: FleetFolder) -> None:
    """G26: its data waits for its removal where it is."""
    placed.edit("tenants.yaml", "{plan: timeweb-free}", "{plan: timeweb-pro, migrate: true}\n    state: terminated")
    (problem,) = placed.sentences()
    assert problem.endswith("a terminated tenant does not move any more, undo the edit")


def test_what_was_adopted_is_not_adopted_again_by_a_move(placed: FleetFolder) -> None:
    placed.edit("tenants.yaml", "{plan: timeweb-business}", "{plan: timeweb-business, adopt: '7', migrate: true}")
    (problem,) = placed.sentences()
    assert "remove the key" in problem


FAULTS = {
    "the same generation": ("generation: 2, plan: timeweb-pro", "generation: 1, plan: timeweb-pro", "the same, serves"),
    "held without a day": ("role: next", "role: held", "drop_after is missing"),
    "a plan that is gone": ("role: next", "role: first", "unknown role 'first'"),
    "another cell": ("database_other: {cell: 1", "database_other: {cell: 2", "is in cell 1"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_second_generation_that_contradicts_the_first_is_told(placed: FleetFolder, case: str) -> None:
    """F5: after a merge of two branches or an edit by hand."""
    ask(placed, *ASKED["a larger shared plan"][:2])
    old, new, sentence = FAULTS[case]
    placed.edit("placements.yaml", old, new)
    assert any(sentence in problem for problem in placed.sentences())


def test_what_is_held_is_due_from_its_day_on(placed: FleetFolder) -> None:
    """F18: reversible until the drop."""
    placements = ask(placed, *ASKED["a larger shared plan"][:2])
    assert due(placements, DAY) == ()
    placements = swap(placements, pair_of(placements), DAY)
    assert due(placements, date(2026, 11, 30)) == ()
    assert [pair.tenant for pair in due(placements, DAY)] == ["acme"]


def test_place_leaves_a_move_alone(placed: FleetFolder) -> None:
    """F5: place of place is place, wherever the move stands."""
    placements = ask(placed, *ASKED["a cluster of one's own"][:2])
    for step, _ in STEPS:
        placements = step(placements, pair_of(placements))
        write_placements(placed.path / "placements.yaml", placements)
        if step is recall:
            placed.edit("tenants.yaml", *reversed(ASKED["a cluster of one's own"][:2]))
        fleet = load_fleet(placed.path, require_placed=False)
        again = place(fleet.tenants, fleet.plans, fleet.placements, drop_empty=True)
        assert again.tenants == placements.tenants
