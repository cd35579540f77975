"""An `up` of twelve tenants, killed after a request or after a write of its journal, resumed and run again (F36).

Every number of requests and of writes takes minutes: `make kills` does that, and `make e2e` a spread sample.
"""

from collections.abc import Iterator

import pytest

from tests.e2e.kill_rig import Rig, rigged
from tests.e2e.killed_runs import KINDS, Kind, Undisturbed, kill, kill_everywhere, undisturbed

TENANTS = [f"tenant-{letter}" for letter in "abcdefghijkl"]
# One cluster for all, a bucket with its user for every other.
CATALOGUE = "tenants:\n" + "".join(
    f"  {name}: {{database: {{plan: timeweb-pro}}{', storage: {plan: timeweb-s3}' if index % 2 else ''}}}\n"
    for index, name in enumerate(TENANTS)
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A cloud that is emptied before each run."""
    with rigged(tmp_path_factory.mktemp("kills"), CATALOGUE) as rig:
        yield rig


@pytest.fixture(scope="module")
def whole(rig: Rig) -> Undisturbed:
    """What every killed run has to come to: twelve schemas of six roles each, six buckets."""
    whole = undisturbed(rig)
    assert (len(whole.contents), len(whole.marks["timeweb buckets"])) == (72, 6)
    return whole


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
    assert len(kill_everywhere(rig, whole, kind, capsys)) > 50
