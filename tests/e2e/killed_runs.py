"""What a run that was killed, resumed and run again has to come to: the same as one that nobody killed."""

import re
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import pytest

from engines.embedded.resource import Resource
from tests.e2e.kill_rig import Rig

# What every account numbers or makes up anew.
MADE_UP = {"cluster_id", "branch_id", "port", "created_at", "bucket_id", "bucket", "s3_endpoint", "password"}
MADE_UP |= {"database_url", "direct_url", "access_key", "secret_key"}
Kind = Literal["request", "write", "torn write"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# What a taking-over create may send beside creates: what is set or granted as a whole.
REPEATED = re.compile(
    r"PutUserPolicy|PATCH /api/v1/dbs/N/auto-backups|PUT /v2/databases/N/firewall|PUT /v2/databases/N/pools/admin"
)
USER_DELETED = "DELETE /api/v2/storages/users/N"


@dataclass(frozen=True)
class Undisturbed:
    """The fleet after a run that nobody killed, and what that run sent."""

    marks: dict[str, list[str]]
    contents: list[str]
    outputs: dict[str, Any]
    changes: Counter[str]


@dataclass(frozen=True)
class Killed:
    """One kill: what `resume` found, and which changes were sent once more."""

    kind: Kind
    number: int
    verdicts: Counter[str]
    again: Counter[str]
    seconds: float


def undisturbed(rig: Rig) -> Undisturbed:
    """Bring the fleet up from nothing."""
    rig.reset()
    done = rig.run("up")
    assert (done.status, done.answer["failures"]) == (0, [])
    return Undisturbed(rig.marks(), rig.contents(), outputs(rig), Counter(rig.changes()))


def outputs(rig: Rig) -> dict[str, Any]:
    """The tenants' outputs as far as two accounts can agree."""
    return {name: _agreed(tenant.model_dump()) for name, tenant in rig.tenants().items()}


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


def kill_everywhere(rig: Rig, whole: Undisturbed, kind: Kind, capsys: pytest.CaptureFixture[str]) -> list[Killed]:
    """A kill after every request, or write, that there is; each is told."""
    kills: list[Killed] = []
    while found := kill(rig, whole, kind, len(kills) + 1):
        kills.append(found)
        _tell(capsys, f"{found.kind} {found.number}: {dict(found.verdicts)} {dict(found.again)}\n")
    verdicts: Counter[str] = sum((each.verdicts for each in kills), Counter())
    again: Counter[str] = sum((each.again for each in kills), Counter())
    seconds = sum(each.seconds for each in kills)
    found_all, sent_all = dict(verdicts), dict(again)
    _tell(capsys, f"\n{len(kills)} kills after a {kind} in {seconds:.0f} s; found {found_all}; sent again {sent_all}\n")
    return kills


def look(rig: Rig, whole: Undisturbed, recorded: Mapping[str, Resource]) -> None:
    """No orphan, no duplicate, the same inventory and outputs; what was recorded is as it was."""
    assert rig.marks() == whole.marks
    assert rig.contents() == whole.contents
    assert outputs(rig) == whole.outputs
    now = rig.recorded()
    assert {name: each.id for name, each in recorded.items() if each.custom} == {
        name: now[name].id for name, each in recorded.items() if each.custom
    }
    for name, each in recorded.items():
        for secret in ("password", "access_key", "secret_key"):
            assert each.outputs.get(secret) == now[name].outputs.get(secret), name
    ids = rig.ids()
    for tenant in rig.tenants().values():
        assert tenant.database is not None
        assert tenant.database.cluster_id in ids
        assert tenant.storage is None or tenant.storage.bucket_id in ids
    assert "pending_operations" not in rig.engine().export()["deployment"]


def sent_again(rig: Rig, whole: Undisturbed) -> Counter[str]:
    """What all runs together have sent more often than an undisturbed one: only what may be repeated.

    A storage user whose secret nobody recorded is made anew: it is deleted first, and it holds no data.
    """
    changes = Counter(rig.changes())
    more = changes - whole.changes
    assert whole.changes - changes == Counter()
    users = {name: times for name, times in more.items() if name.startswith("POST sandbox-") and more[USER_DELETED]}
    assert sum(users.values()) == more[USER_DELETED]
    assert all(name in users or name == USER_DELETED or REPEATED.fullmatch(name) for name in more), more
    return Counter({name: times for name, times in more.items() if name not in users})


def _agreed(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {key: _agreed(item) for key, item in value.items() if key not in MADE_UP}
    return value


def _tell(capsys: pytest.CaptureFixture[str], text: str) -> None:
    with capsys.disabled():
        sys.stdout.write(text)
        sys.stdout.flush()
