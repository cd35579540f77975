"""Incidents at Neon and DigitalOcean while a whole run is under way: it converges, or says why and the next one does.

After each there is nothing that nobody knows of and nothing twice, counted in the vendors' own inventories.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sandbox.simulators.control import Edit
from sandbox.simulators.request_log import Entry
from tests.e2e.kill_rig import Ended, Rig, rigged
from tests.e2e.killed_runs import Undisturbed, outputs, undisturbed

pytestmark = pytest.mark.e2e

CATALOGUE = """\
tenants:
  ash: {database: {plan: neon-pro, branches: {dev: {endpoint: true}}}}
  birch: {database: {plan: neon-free}}
  damson: {database: {plan: managed-pro}}
"""
DEADLINE_SECONDS = 4
PROJECTS, BRANCHES, CLUSTERS = r"^/api/v2/projects$", r"/branches$", r"^/v2/databases$"
ONE_CLUSTER, OPERATIONS = r"^/v2/databases/[0-9a-f-]{36}$", r"/operations$"
ANY = r"^/api/v2/"
CHARGED = {"pulumi-python:dynamic/neon:Project", "digitalocean:index/databaseCluster:DatabaseCluster"}


@dataclass(frozen=True)
class Incident:
    """A fault at a vendor; `times` 0: as long as the run lasts."""

    vendor: str
    name: str
    method: str
    path: str
    times: int = 1


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Two accounts that are emptied before each test; nothing at Neon is waited for long."""
    settings = {"NEON_DEADLINE_SECONDS": str(DEADLINE_SECONDS), "TIMEWEB_RETRY_SECONDS": "10"}
    folder = tmp_path_factory.mktemp("faults")
    with rigged(folder, CATALOGUE, vendors=("neon", "digitalocean"), settings=settings) as rig:
        yield rig


@pytest.fixture(scope="module")
def whole(rig: Rig) -> Undisturbed:
    """What every disturbed run has to come to."""
    return undisturbed(rig)


def disturbed(rig: Rig, *incidents: Incident) -> list[str]:
    """Bring the fleet up from nothing through incidents; what failed, but for what was not attempted after it."""
    rig.reset()
    for each in incidents:
        rig.clouds[each.vendor].strike(each.name, each.method, each.path, times=each.times)
    ran = rig.run("up")
    met = Counter(entry.fault for entry in rig.entries() if entry.fault)
    for name in {each.name for each in incidents}:
        times = [each.times for each in incidents if each.name == name]
        assert met[name] == sum(times) or (0 in times and met[name] > 1), f"{name} did not come as often as it should"
    for cloud in rig.clouds.values():
        cloud.ground.faults.clear()
    return failures(ran)


def failures(ran: Ended) -> list[str]:
    return [text for text in ran.answer["failures"] if "not attempted" not in text]


def put_in_order(rig: Rig, whole: Undisturbed) -> Counter[str]:
    """`resume`, then `up`, and what must then be so; the verdicts."""
    before = rig.changes()
    resumed = rig.run("resume", options=[])
    assert resumed.status == 0, resumed.answer
    assert rig.changes() == before, "resume has changed something"
    verdicts = Counter(row["verdict"] for row in resumed.answer["findings"])
    assert verdicts.keys() <= {"adopt", "clear"}, resumed.answer
    again = rig.run("up")
    assert (again.status, again.answer["failures"]) == (0, []), again.answer
    assert rig.marks() == whole.marks
    assert rig.contents() == whole.contents
    assert outputs(rig) == whole.outputs
    return verdicts


def asked(rig: Rig, vendor: str, method: str, path: str) -> list[Entry]:
    """The requests of one kind, in order."""
    found = rig.clouds[vendor].entries()
    return [entry for entry in found if entry.method == method and re.search(path, entry.path)]


def creates(rig: Rig) -> list[tuple[str, int]]:
    """How often each of the three creates was sent that must never be sent blindly."""
    kinds = (("neon", PROJECTS), ("neon", BRANCHES), ("digitalocean", CLUSTERS))
    return [(path, len(asked(rig, vendor, "POST", path))) for vendor, path in kinds]


ONCE = [(PROJECTS, 2), (BRANCHES, 1), (CLUSTERS, 1)]


@pytest.mark.parametrize("incident", ["response-lost", "error-after-work"])
def test_an_answer_that_is_lost_is_looked_for_and_nothing_is_made_twice(
    rig: Rig, whole: Undisturbed, incident: str
) -> None:
    """G43: work that was done is found, by a listing each, in the same run; no create is sent again."""
    incidents = [("neon", PROJECTS, 2), ("neon", BRANCHES, 1), ("digitalocean", CLUSTERS, 1)]
    lost = [Incident(vendor, incident, "POST", path, times) for vendor, path, times in incidents]
    assert disturbed(rig, *lost) == []
    assert creates(rig) == ONCE
    listings = [entry.n for entry in asked(rig, "neon", "GET", PROJECTS)]
    posts = [entry.n for entry in asked(rig, "neon", "POST", PROJECTS)]
    assert min(listings) < min(posts)
    assert max(listings) > max(posts)
    assert put_in_order(rig, whole) == {}
    assert creates(rig) == ONCE


def test_423_and_503_on_every_mutating_call_are_waited_out(rig: Rig, whole: Undisturbed) -> None:
    """Both say that nothing was done, so the same call is sent again until it is: no look-up, no second object."""
    storm = [("locked", "POST"), ("unavailable", "POST")]
    assert disturbed(rig, *(Incident("neon", name, method, ANY, times=2) for name, method in storm)) == []
    answers = Counter(entry.status for entry in asked(rig, "neon", "POST", ANY))
    assert answers == {423: 2, 503: 2, 201: 3}
    assert len(asked(rig, "neon", "GET", PROJECTS)) <= 2
    assert put_in_order(rig, whole) == {}


def test_423_on_changes_and_deletes_is_waited_out_too(rig: Rig, whole: Undisturbed) -> None:
    """A smaller compute and a branch less: each call is sent until it is done, and done once."""
    assert disturbed(rig) == []
    rig.fleet.edit("plans.yaml", 'max_cu: "2"', 'max_cu: "1"')
    rig.fleet.edit("tenants.yaml", ", branches: {dev: {endpoint: true}}", "")
    try:
        for method in ("PATCH", "DELETE"):
            rig.clouds["neon"].strike("locked", method, ANY, times=2)
        assert failures(rig.run("up")) == []
    finally:
        rig.fleet.edit("plans.yaml", 'max_cu: "1"', 'max_cu: "2"')
        rig.fleet.write("tenants.yaml", CATALOGUE)
    assert Counter(entry.status for entry in asked(rig, "neon", "PATCH", ANY)) == {423: 2, 200: 2}
    assert Counter(entry.status for entry in asked(rig, "neon", "DELETE", ANY)) == {423: 2, 200: 1}
    left = [name for name in rig.marks()["neon branches"] if not name.endswith("(deleted)")]
    assert left == ["sandbox-ash/main", "sandbox-birch/main"]
    assert rig.marks()["neon projects"] == whole.marks["neon projects"]


def test_a_storm_of_423_ends_in_a_sentence_and_the_next_run_goes_on(rig: Rig, whole: Undisturbed) -> None:
    """A branch that cannot be begun costs the deadline, and nothing of the others."""
    (reason,) = disturbed(rig, Incident("neon", "locked", "POST", BRANCHES, times=0))
    assert f"was put off for {DEADLINE_SECONDS} s, run again later" in reason
    assert re.search(r"POST /projects/[\w-]+/branches", reason)
    refused = {entry.status for entry in asked(rig, "neon", "POST", BRANCHES)}
    assert refused == {423}
    assert put_in_order(rig, whole) == {}
    assert [entry.status for entry in asked(rig, "neon", "POST", BRANCHES)][-1] == 201


def test_403_while_polling_loses_neither_a_project_nor_a_cluster(rig: Rig, whole: Undisturbed) -> None:
    """What was ordered stays in no state, billed: `resume` tells it, and the next run takes it over by its mark."""
    reasons = disturbed(
        rig,
        Incident("neon", "operation-forbidden", "GET", OPERATIONS, times=2),
        Incident("digitalocean", "forbidden", "GET", ONE_CLUSTER),
    )
    assert len(reasons) == 3
    assert all("403" in reason for reason in reasons), reasons
    assert not {name for name in rig.recorded() if "project" in name or name.endswith("-cluster-1")}
    assert put_in_order(rig, whole) == {"adopt": 3}
    assert creates(rig) == ONCE


def test_a_failed_operation_is_named_and_the_project_is_taken_over(rig: Rig, whole: Undisturbed) -> None:
    """Neon's own failure: told by the operation's id; the project is there, so it is not ordered again."""
    (reason,) = disturbed(rig, Incident("neon", "operation-failed", "POST", PROJECTS))
    assert re.search(r"operation [0-9a-f-]{36} \(start_compute\) of Neon project [\w-]+ has failed", reason)
    assert put_in_order(rig, whole) == {"adopt": 1}
    assert creates(rig) == ONCE


def test_an_operation_that_never_ends_costs_the_deadline_and_is_waited_for_by_the_next_run(
    rig: Rig, whole: Undisturbed
) -> None:
    """One sentence that names the project; a later run goes on where this one stopped, once Neon does."""
    (reason,) = disturbed(rig, Incident("neon", "operation-stuck", "POST", PROJECTS))
    assert re.search(rf"the work on Neon project [\w-]+ is not finished after {DEADLINE_SECONDS} s: ", reason)
    neon = rig.clouds["neon"]
    for row in neon.inventory()["operations"]:
        if row["status"] != "finished":
            neon.edit(Edit(kind="operation", id=str(row["id"]), set={"done_at": 0.0}))
    assert put_in_order(rig, whole) == {"adopt": 1}
    assert creates(rig) == ONCE


def test_a_cluster_that_was_not_begun_is_ordered_by_the_next_run(rig: Rig, whole: Undisturbed) -> None:
    """503 to the order itself: it is looked for once, not found, and not sent again in this run."""
    (reason,) = disturbed(rig, Incident("digitalocean", "unavailable", "POST", CLUSTERS))
    assert "503" in reason
    assert [entry.status for entry in asked(rig, "digitalocean", "POST", CLUSTERS)] == [503]
    assert put_in_order(rig, whole) == {}
    assert [entry.status for entry in asked(rig, "digitalocean", "POST", CLUSTERS)] == [503, 201]


def test_what_no_state_knows_is_listed_without_a_price_and_removed_when_it_is_named(
    rig: Rig, whole: Undisturbed
) -> None:
    """F36: a lost state leaves projects, a cluster and what is in them; none of it goes unless its name is typed."""
    assert disturbed(rig) == []
    for file in (rig.folder / "state").glob("*"):
        file.unlink()
    findings = rig.run("resume", options=["--policy", "remove"]).answer["findings"]
    prices = {(row["name"], row["monthly"]) for row in findings if row["type"] in CHARGED}
    assert prices == {("ash-project-1", None), ("birch-project-1", None), ("shared-managed-pro-1-cluster-1", None)}
    assert "damson-own-database-1" in {row["name"] for row in findings}
    assert {row["verdict"] for row in findings} == {"orphan"}

    remove = ["--policy", "remove", "--remove", "--yes"]
    kept = rig.run("resume", options=remove)
    # Logins that hold nothing need no name.
    assert {name.partition("-")[2] for name in kept.answer["removed"]} == {"setup-1"}
    assert rig.marks() == whole.marks

    named = [word for row in findings for word in ("--confirm", row["name"])]
    removed = rig.run("resume", options=[*remove, *named]).answer["removed"]
    assert sorted([*kept.answer["removed"], *removed]) == sorted(row["name"] for row in findings)
    assert rig.marks()["digitalocean clusters"] == []
    gone = [f"{name} (deleted)" for name in whole.marks["neon projects"]]
    assert rig.marks()["neon projects"] == gone
    assert rig.run("resume", options=["--policy", "remove"]).answer["findings"] == []
