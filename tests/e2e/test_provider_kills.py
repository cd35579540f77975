"""An `up` of six tenants on three vendors, killed after a request or a write of its journal, resumed and run again.

Every number of requests takes minutes: `make kills` does that, and `make e2e` a spread sample.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.kill_rig import Rig, rigged
from tests.e2e.killed_runs import KINDS, Kind, Undisturbed, kill, kill_everywhere, undisturbed

# Three Neon projects, one of them with a branch; a managed cluster for two; a schema on a shared cluster.
CATALOGUE = """\
tenants:
  ash: {database: {plan: neon-free}}
  birch: {database: {plan: neon-pro, branches: {dev: {endpoint: true}}}}
  cedar: {database: {plan: neon-free}}
  damson: {database: {plan: managed-pro}}
  elder: {database: {plan: managed-pro}}
  fir: {database: {plan: timeweb-pro}}
"""
PROJECTS = ["sandbox-ash", "sandbox-birch", "sandbox-cedar"]
MANAGED = "tenantry:sandbox:shared-managed-pro-1-cluster-1"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Three accounts that are emptied before each run."""
    with rigged(tmp_path_factory.mktemp("kills"), CATALOGUE, vendors=("timeweb", "neon", "digitalocean")) as rig:
        yield rig


@pytest.fixture(scope="module")
def whole(rig: Rig) -> Undisturbed:
    """What every killed run has to come to, each object once."""
    whole = undisturbed(rig)
    assert whole.marks["neon projects"] == PROJECTS
    assert [name for name in whole.marks["neon branches"] if not name.endswith("/main")] == ["sandbox-birch/dev"]
    assert whole.marks["digitalocean clusters"] == [MANAGED]
    assert len(whole.marks["timeweb clusters"]) == 1
    assert [name for name in whole.contents if name in ("tenant_damson", "tenant_elder")] == [
        "tenant_damson",
        "tenant_elder",
    ]
    made = {name: times for name, times in whole.changes.items() if name.startswith("POST")}
    assert set(made.values()) == {1}, made
    return whole


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("kind", "number"),
    [*(("request", number) for number in (3, 11, 18, 25, 32)), ("write", 30), ("torn write", 45)],
)
def test_a_run_over_three_vendors_killed_anywhere_is_resumed(
    rig: Rig, whole: Undisturbed, kind: Kind, number: int
) -> None:
    """F36, G43: no orphan, no duplicate, the same inventory and outputs; no project and no cluster is ordered twice."""
    assert kill(rig, whole, kind, number) is not None


@pytest.mark.kills
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_over_three_vendors_killed_at_every_point_is_resumed(
    rig: Rig, whole: Undisturbed, kind: Kind, capsys: pytest.CaptureFixture[str]
) -> None:
    """F36, for every number there is."""
    assert len(kill_everywhere(rig, whole, kind, capsys)) > 30
