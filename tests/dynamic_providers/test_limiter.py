"""One pace for all processes of a host."""

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dynamic_providers.errors import ProviderError
from dynamic_providers.limiter import FRESH, HostLimiter, State, default_folder, next_slot
from sandbox.simulators.timeweb.serve import RunningTimeweb

PROJECT = Path(__file__).resolve().parents[2]
CALLER = """
import sys, time
from pathlib import Path
from dynamic_providers.limiter import HostLimiter
limiter = HostLimiter(Path(sys.argv[1]), float(sys.argv[2]))
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[3])):
    limiter.acquire("GET https://api.example/things account")
    print(time.monotonic(), flush=True)
"""
HOLDER = """
import fcntl, os, sys, time
for name in os.listdir(sys.argv[1]):
    fcntl.flock(os.open(os.path.join(sys.argv[1], name), os.O_RDWR), fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(60)
"""
ENDPOINT = "GET https://api.example/things account"


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def most_in_a_second(times: list[float], second: float = 1.0) -> int:
    ordered = sorted(times)
    return max(sum(1 for t in ordered if begin <= t < begin + second) for begin in ordered)


def test_several_processes_together_keep_the_pace(tmp_path: Path) -> None:
    """A5: never more than the rate in any second, however many processes ask. Ten times the real rate, to be quick."""
    callers = [start(CALLER, tmp_path / "rate", 200, 60) for _ in range(4)]
    for caller in callers:
        assert caller.stdout
        assert caller.stdout.readline() == "ready\n"
    times: list[float] = []
    begun = time.monotonic()
    for caller in callers:
        assert caller.stdin
        caller.stdin.write("go\n")
        caller.stdin.flush()
    for caller in callers:
        out, _ = caller.communicate(timeout=60)
        times += [float(line) for line in out.split()]
    assert len(times) == 240
    assert most_in_a_second(times) <= 200
    assert time.monotonic() - begun >= 239 / 200


def test_a_killed_holder_does_not_block_the_others(tmp_path: Path) -> None:
    limiter = HostLimiter(tmp_path / "rate", 1000)
    limiter.acquire(ENDPOINT)
    holder = start(HOLDER, tmp_path / "rate")
    assert holder.stdout
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=10)
    begun = time.monotonic()
    limiter.acquire(ENDPOINT)
    assert time.monotonic() - begun < 1


def test_endpoints_have_budgets_of_their_own(tmp_path: Path) -> None:
    limiter = HostLimiter(tmp_path / "rate", 2)
    begun = time.monotonic()
    for endpoint in "abcdefgh":
        limiter.acquire(endpoint)
    assert time.monotonic() - begun < 2


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        self.now += seconds

    def limiter(self, folder: Path, per_second: float = 20) -> HostLimiter:
        """A limiter that lives in this time."""
        return HostLimiter(folder, per_second, clock=lambda: self.now, sleep=self.sleep)


def test_at_most_twenty_fit_in_any_second(tmp_path: Path) -> None:
    clock = Time()
    limiter = clock.limiter(tmp_path / "rate")
    times = []
    for _ in range(100):
        limiter.acquire(ENDPOINT)
        times.append(clock.now)
    assert most_in_a_second(times) <= 20
    # Even when every call leaves late by up to the margin of one slot.
    assert most_in_a_second(times, 1.05) <= 20


def test_an_idle_endpoint_answers_at_once_and_saves_nothing_up(tmp_path: Path) -> None:
    clock = Time()
    limiter = clock.limiter(tmp_path / "rate")
    limiter.acquire(ENDPOINT)
    clock.now += 3600
    before = clock.now
    limiter.acquire(ENDPOINT)
    assert clock.now == before
    limiter.acquire(ENDPOINT)
    assert clock.now > before + 0.05


def test_a_state_from_before_a_reboot_is_forgotten(tmp_path: Path) -> None:
    """CLOCK_MONOTONIC begins anew: another boot has other files, and without its id a far slot is a leftover."""
    before = HostLimiter(tmp_path / "rate", 20, clock=lambda: 100.0, boot="1")
    before.acquire(ENDPOINT)
    slept: list[float] = []
    after_reboot = HostLimiter(tmp_path / "rate", 20, clock=lambda: 90.0, sleep=slept.append, boot="2")
    after_reboot.acquire(ENDPOINT)
    assert slept == []
    slot, after, _ = next_slot(State(90_000.0, 90_000.0, 89_990.0), 12.0, 20)
    assert slot == 12.0
    assert after.slot < 13


def test_a_torn_file_counts_as_fresh(tmp_path: Path) -> None:
    clock = Time()
    limiter = clock.limiter(tmp_path / "rate")
    limiter.acquire(ENDPOINT)
    (file,) = (tmp_path / "rate").iterdir()
    file.write_bytes(b"xx")
    limiter.acquire(ENDPOINT)
    assert clock.now == 1000.0


@pytest.mark.parametrize(("calls_per_second", "alerts"), [(5, 0), (9, 0), (15, 1), (20, 1)])
def test_more_than_half_of_the_budget_for_a_while_raises_one_alert_a_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, calls_per_second: int, alerts: int
) -> None:
    """A5."""
    clock = Time()
    limiters = [clock.limiter(tmp_path / "rate") for _ in range(2)]
    with caplog.at_level(logging.WARNING):
        for number in range(calls_per_second * 30):
            limiters[number % 2].acquire(ENDPOINT)
            clock.now = max(clock.now, 1000 + (number + 1) / calls_per_second)
    assert len(caplog.records) == alerts
    assert all("more than 10 times a second" in record.getMessage() for record in caplog.records)
    assert all("account" not in record.getMessage() for record in caplog.records)


def test_a_short_burst_is_no_alert(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Time()
    limiter = clock.limiter(tmp_path / "rate")
    for _ in range(8):
        limiter.acquire(ENDPOINT)
    assert caplog.records == []


def test_the_alert_comes_again_after_a_minute() -> None:
    load = State(0, 1005.0, 990.0)
    assert next_slot(load, 1000.0, 20)[2] is False
    assert next_slot(load._replace(alerted=939.0), 1000.0, 20)[2] is True
    assert next_slot(FRESH, 1000.0, 20)[2] is False


def test_a_call_costs_far_less_than_a_millisecond(tmp_path: Path) -> None:
    limiter = HostLimiter(tmp_path / "rate", 10**9)
    rounds = 2000
    begun = time.process_time()
    for _ in range(rounds):
        limiter.acquire(ENDPOINT)
    assert (time.process_time() - begun) / rounds < 0.0005


def test_the_folder_is_the_users_own(tmp_path: Path) -> None:
    folder = tmp_path / "rate"
    HostLimiter(folder, 20).acquire(ENDPOINT)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in folder.iterdir()] == [0o600]
    assert default_folder().name.endswith(str(os.geteuid()))


def test_a_folder_that_others_can_write_or_own_is_refused(tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    for folder in (open_folder, link):
        with pytest.raises(ProviderError, match="TENANTRY_RATE_DIR"):
            HostLimiter(folder, 20)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    with pytest.raises(ProviderError, match="TENANTRY_RATE_DIR"):
        HostLimiter(folder, 20)


CLIENT = """
import sys
from pathlib import Path
from dynamic_providers.configuration import Configuration
from dynamic_providers.timeweb.session import open_session
settings = Configuration(token=sys.argv[1], api_url=sys.argv[2], iam_url=sys.argv[2], rate_dir=Path(sys.argv[3]))
timeweb = open_session(settings).timeweb
print("ready", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[5])):
    timeweb.clusters() if sys.argv[4] == "clusters" else timeweb.buckets()
    print("done", flush=True)
"""


@pytest.mark.e2e
def test_cells_of_one_account_stay_within_its_limit_and_none_starves(timeweb: RunningTimeweb, tmp_path: Path) -> None:
    """A5, design rule 8: four processes at one endpoint, one of them killed, and a fifth at another endpoint."""
    where = (timeweb.token, timeweb.url, tmp_path / "rate")
    same = [start(CLIENT, *where, "clusters", 15) for _ in range(4)]
    other = start(CLIENT, *where, "buckets", 5)
    for client in (*same, other):
        assert client.stdin
        assert client.stdout
        assert client.stdout.readline() == "ready\n"
    for client in (*same, other):
        assert client.stdin
        client.stdin.write("go\n")
        client.stdin.flush()
    killed = same.pop()
    assert killed.stdout
    killed.stdout.readline()
    killed.kill()
    killed.communicate()
    for client, times in [*((each, 15) for each in same), (other, 5)]:
        out, _ = client.communicate(timeout=60)
        assert out.split() == ["done"] * times
    asked = {path: timeweb.requests("GET", f"/api/v1/{path}") for path in ("databases", "storages/buckets")}
    assert {entry.status for entries in asked.values() for entry in entries} <= {200, None}
    assert most_in_a_second([entry.time for entry in asked["databases"]]) <= 20
    # Five in a row take a quarter of a second there, whatever the queue at the other endpoint.
    waited = asked["storages/buckets"][-1].time - asked["storages/buckets"][0].time
    assert waited < asked["databases"][-1].time - asked["databases"][0].time
