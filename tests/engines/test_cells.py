"""Children that run stacks: how many of them start up at once."""

import os
import sys
from pathlib import Path

from engines.cells import run_jobs
from engines.orders import Job, Order, Outcome

# A child that takes a moment to start, then works a little longer: it notes both instants in a file that all write to.
CHILD = """
import json, os, sys, time
from datetime import UTC, datetime
journal = sys.argv[1]
def note(word):
    with open(journal, "a") as stream:
        stream.write(word + chr(10))
note("starts")
time.sleep(0.2)
note("begins")
event = {"time": datetime.now(UTC).isoformat(), "kind": "message", "message": "at work"}
print(json.dumps({"event": event}), flush=True)
time.sleep(0.4)
print(json.dumps({"outcome": {"revision": "1", "interrupted": False}}), flush=True)
"""


def test_no_more_children_start_up_at_once_than_there_are_processors(tmp_path: Path) -> None:
    journal, processors = tmp_path / "journal", os.cpu_count() or 1
    jobs = [Job(Order("up"), f"prod-{number}", "embedded", str(tmp_path)) for number in range(2 * processors + 2)]
    ended: dict[str, Outcome] = {}
    whole = run_jobs(
        jobs,
        [sys.executable, "-c", CHILD, str(journal)],
        os.environ,
        at_once=len(jobs),
        watch=lambda _stack, _event: None,
        done=ended.__setitem__,
    )
    assert whole
    assert set(ended) == {job.stack for job in jobs}
    starting = most = 0
    for word in journal.read_text().split():
        starting += 1 if word == "starts" else -1
        most = max(most, starting)
    assert 0 < most <= processors
