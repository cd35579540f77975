"""Calls of one project never overlap, from however many processes (G21); its calls keep Neon's two budgets (F24)."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamic_providers.errors import DeadlineError
from dynamic_providers.limiter import AccountLimiter, HostLimiter
from dynamic_providers.neon.branch import BranchProvider
from dynamic_providers.turns import Turns
from dynamic_providers.waiting import Pace
from sandbox.simulators.neon.serve import Delays, RunningNeon, serve
from sandbox.simulators.servers import NoServers
from tests.dynamic_providers.neon.conftest import KEY, Account
from tests.dynamic_providers.test_limiter import most_in_a_second

ROOT = Path(__file__).resolve().parents[3]
BRANCHER = """
import sys
from pathlib import Path
from dynamic_providers.configuration import Configuration
from dynamic_providers.neon.branch import BranchProvider
from dynamic_providers.neon.session import open_session
from dynamic_providers.waiting import Pace
url, key, folder, project, process = sys.argv[1:]
settings = Configuration(neon_api_key=key, neon_api_url=url, rate_dir=Path(folder), neon_requests_per_minute=60_000)
provider = BranchProvider()
provider.connect(open_session(settings, pace=Pace(0.05, 60)))
print("ready", flush=True)
sys.stdin.readline()
for number in range(3):
    provider.create({"project_id": project, "name": f"branch-{process}-{number}"})
"""
LISTER = """
import sys
from pathlib import Path
from dynamic_providers.configuration import Configuration
from dynamic_providers.neon.session import open_session
url, key, folder, calls = sys.argv[1:]
settings = Configuration(neon_api_key=key, neon_api_url=url, rate_dir=Path(folder), neon_requests_per_minute=1200)
neon = open_session(settings).neon
print("ready", flush=True)
sys.stdin.readline()
for number in range(int(calls)):
    neon.projects("") if number % 2 else neon.projects("", recoverable=True)
"""


def run_together(code: str, arguments: list[list[str]]) -> None:
    """Start one process for each list of arguments, let all begin at once, and await their success."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, *each],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for each in arguments
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, failure = process.communicate(timeout=120)
        assert process.returncode == 0, failure


def test_two_processes_that_work_on_one_project_never_meet(account: Account) -> None:
    """G21: without the turns half of these creates would be answered 423."""
    project, _ = account.project()
    where = [account.running.api_url, KEY, str(account.folder / "rate"), project]
    run_together(BRANCHER, [[*where, "a"], [*where, "b"]])
    posts = [entry.status for entry in account.running.requests("POST")]
    assert posts == [201] * 6
    assert 423 not in account.statuses()
    assert len(account.held("branches")) == 7


def test_threads_of_one_process_wait_for_each_other_too(account: Account) -> None:
    project, _ = account.project()
    provider = account.provider(BranchProvider)
    threads = [
        threading.Thread(target=provider.create, args=({"project_id": project, "name": f"branch-{number}"},))
        for number in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [entry.status for entry in account.running.requests("POST")] == [201] * 3


def test_projects_do_not_wait_for_each_other(tmp_path: Path) -> None:
    turns, pace = Turns(tmp_path / "rate"), Pace(deadline=0.2)
    with turns.take("project a", pace):
        with turns.take("project b", pace):
            pass
        with pytest.raises(DeadlineError, match=r"project a was worked on by others for 0\.2 s: run again later"):
            turns.take("project a", pace).__enter__()
    with turns.take("project a", pace):
        pass


@pytest.fixture
def paced(tmp_path: Path) -> Iterator[RunningNeon]:
    """An organization that keeps Neon's limits."""
    running = serve(tmp_path, key=KEY, servers=NoServers(), delays=Delays(0, 0))
    yield running
    running.stop()


def test_all_processes_together_keep_the_budget_of_the_account_over_all_routes(
    paced: RunningNeon, tmp_path: Path
) -> None:
    """F24: 20 a second here, whichever route: three processes take 60 slots of 50 ms, and nobody is refused."""
    where = [paced.api_url, KEY, str(tmp_path / "rate"), "20"]
    began = time.monotonic()
    run_together(LISTER, [where] * 3)
    assert time.monotonic() - began >= 59 / 20
    assert {entry.status for entry in paced.requests()} == {200}
    assert most_in_a_second([entry.time for entry in paced.requests()]) <= 21


def test_a_call_takes_from_the_accounts_budget_and_from_its_routes(tmp_path: Path) -> None:
    """F24: the account's pace holds over all routes, and a route's own is kept where it is the tighter one."""
    now = [1000.0]

    def limiter(folder: str, per_second: float) -> HostLimiter:
        def sleep(seconds: float) -> None:
            now[0] += seconds

        return HostLimiter(tmp_path / folder, per_second, clock=lambda: now[0], sleep=sleep)

    def took(both: AccountLimiter, routes: int) -> float:
        began = now[0]
        for number in range(12):
            both.acquire(f"GET https://api.example/v2/route-{number % routes} account")
        return now[0] - began

    by_account = AccountLimiter(account=limiter("first", 10), endpoints=limiter("first", 1000))
    by_route = AccountLimiter(account=limiter("second", 1000), endpoints=limiter("second", 40))
    assert took(by_account, routes=4) == pytest.approx(1.155, abs=0.01)
    assert took(by_route, routes=1) == pytest.approx(0.289, abs=0.01)
