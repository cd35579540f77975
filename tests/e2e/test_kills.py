"""An `up` of twelve tenants, killed after a request or after a write of its journal, resumed and run again (F36).

Every number of requests and of writes takes minutes: `make kills` does that, and `make e2e` a spread sample.
"""

import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pytest

from components.outputs import TenantOutputs
from engines.embedded.resource import Resource
from sandbox.simulators.timeweb.inventory import inventory
from tests.e2e.kill_rig import Rig, rigged

TENANTS = [f"tenant-{letter}" for letter in "abcdefghijkl"]
# One cluster for all, a bucket with its user for every other.
CATALOGUE = "tenants:\n" + "".join(
    f"  {name}: {{database: {{plan: timeweb-pro}}{', storage: {plan: timeweb-s3}' if index % 2 else ''}}}\n"
    for index, name in enumerate(TENANTS)
)


MADE_UP = {"cluster_id", "bucket_id", "bucket", "s3_endpoint", "password", "database_url", "direct_url"}
MADE_UP |= {"access_key", "secret_key"}
Kind = Literal["request", "write", "torn write"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What a taking-over create may send beside creates: rights that are put whole, and a schedule that is set whole.
REPEATED = re.compile(r"PutUserPolicy|PATCH /api/v1/dbs/N/auto-backups")
USER_DELETED = "DELETE /api/v2/storages/users/N"


@dataclass(frozen=True)
class Undisturbed:
    """The fleet after a run that nobody killed: twelve schemas, six buckets, and what that run sent."""

    marks: dict[str, list[str]]
    roles: set[str]
    outputs: dict[str, dict[str, Any]]
    changes: Counter[str]


@dataclass(frozen=True)
class Killed:
    """One kill: what `resume` found, and which creates were sent once more."""

    kind: Kind
    number: int
    verdicts: Counter[str]
    again: Counter[str]
    seconds: float


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A cloud that is emptied before each run."""
    with rigged(tmp_path_factory.mktemp("kills"), CATALOGUE) as rig:
        yield rig


@pytest.fixture(scope="module")
def whole(rig: Rig) -> Undisturbed:
    """What every killed run has to come to."""
    rig.reset()
    done = rig.run("up")
    assert (done.status, done.answer["failures"]) == (0, [])
    assert (len(rig.server.roles()), len(rig.marks()["buckets"])) == (72, 6)
    return Undisturbed(rig.marks(), rig.server.roles(), comparable(rig.tenants()), Counter(rig.changes()))


def comparable(tenants: dict[str, TenantOutputs]) -> dict[str, dict[str, Any]]:
    """Outputs without what every account numbers or makes up anew."""
    return {
        name: tenant.model_dump(exclude={"database": MADE_UP, "storage": MADE_UP}) for name, tenant in tenants.items()
    }


def kill(rig: Rig, whole: Undisturbed, kind: Kind, number: int) -> Killed | None:
    """Kill an `up`, resume, run it again and look; None where it had ended before."""
    began = time.monotonic()
    rig.reset()
    order = {"requests": number} if kind == "request" else {"writes": number, "torn": kind == "torn write"}
    first = rig.run("up", **order)
    if not first.killed:
        assert (first.status, first.answer["failures"]) == (0, [])
        return None
    recorded, sent = rig.recorded(), Counter(rig.changes())
    resumed = rig.run("resume", options=[])
    assert resumed.status == 0
    assert Counter(rig.changes()) == sent, "resume has changed something"
    verdicts = Counter(row["verdict"] for row in resumed.answer["findings"])
    assert verdicts.keys() <= {"adopt", "clear"}, resumed.answer
    again = rig.run("up")
    assert (again.status, again.answer["failures"]) == (0, []), again.answer
    look(rig, whole, recorded)
    return Killed(kind, number, verdicts, sent_again(rig, whole), time.monotonic() - began)


def look(rig: Rig, whole: Undisturbed, recorded: dict[str, Resource]) -> None:
    """No orphan, no duplicate, the same inventory and outputs; what was recorded is as it was."""
    assert rig.marks() == whole.marks
    assert rig.server.roles() == whole.roles
    assert comparable(rig.tenants()) == whole.outputs
    now = rig.recorded()
    assert {name: each.id for name, each in recorded.items() if each.custom} == {
        name: now[name].id for name, each in recorded.items() if each.custom
    }
    for name, each in recorded.items():
        for secret in ("password", "access_key", "secret_key"):
            assert each.outputs.get(secret) == now[name].outputs.get(secret), name
    ids = {kind: {str(item["id"]) for item in items} for kind, items in inventory(rig.state).items()}
    for tenant in rig.tenants().values():
        assert tenant.database is not None
        assert tenant.database.cluster_id in ids["clusters"]
        assert tenant.storage is None or tenant.storage.bucket_id in ids["buckets"]
    assert "pending_operations" not in rig.engine().export()["deployment"]


def sent_again(rig: Rig, whole: Undisturbed) -> Counter[str]:
    """What both runs together have sent more often than an undisturbed one: only what may be repeated.

    A storage user whose secret nobody recorded is made anew: it is deleted first, and it holds no data.
    """
    changes = Counter(rig.changes())
    more = changes - whole.changes
    assert whole.changes - changes == Counter()
    users = {name: times for name, times in more.items() if name.startswith("POST sandbox-")}
    assert sum(users.values()) == more[USER_DELETED]
    assert all(name in users or name == USER_DELETED or REPEATED.fullmatch(name) for name in more), more
    return Counter({name: times for name, times in more.items() if name not in users})


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("kind", "number"),
    [
        *(("request", number) for number in (1, 13, 27, 40, 52)),
        *(("write", number) for number in (9, 40, 70)),
        *(("torn write", number) for number in (25, 60)),
    ],
)
def test_a_run_killed_anywhere_is_resumed(rig: Rig, whole: Undisturbed, kind: Kind, number: int) -> None:
    """F36, G43, H4: no orphan, no duplicate, the same inventory and outputs, and nothing is made a second time."""
    assert kill(rig, whole, kind, number) is not None


@pytest.mark.kills
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_killed_at_every_point_is_resumed(
    rig: Rig, whole: Undisturbed, kind: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    """F36, for every number there is."""
    kills: list[Killed] = []
    while found := kill(rig, whole, kind, len(kills) + 1):
        kills.append(found)
        with capsys.disabled():
            sys.stdout.write(f"{found.kind} {found.number}: {dict(found.verdicts)} {dict(found.again)}\n")
            sys.stdout.flush()
    assert len(kills) > 50
    verdicts: Counter[str] = sum((each.verdicts for each in kills), Counter())
    again: Counter[str] = sum((each.again for each in kills), Counter())
    seconds = sum(each.seconds for each in kills)
    with capsys.disabled():
        told = f"{len(kills)} kills after a {kind} in {seconds:.0f} s; found {dict(verdicts)}; sent again {dict(again)}"
        sys.stdout.write(f"\n{told}\n")
