"""The runbooks are rehearsed, one after the other, on one fleet in one sandbox."""

import httpx
import pytest

from sandbox.start import environment
from tests.docs.console import PROJECT, Reader, blocks

pytestmark = pytest.mark.e2e


def test_the_runbooks_work_one_after_the_other(reader: Reader) -> None:
    """Each leaves the fleet as healthy as it found it: the next one begins there."""
    runbooks = sorted(
        (PROJECT / "docs" / "runbooks").glob("*.md"), key=lambda path: (path.name != "README.md", path.name)
    )
    reader.type(block for runbook in runbooks for block in blocks(runbook))
    address = environment(reader.folder / ".sandbox")["TIMEWEB_API_URL"]
    there = httpx.get(f"{address}/_sandbox/inventory").raise_for_status().json()
    # The state was lost in between, and nothing was made a second time.
    ours = {kind: [item for item in items if item["mark"]] for kind, items in there.items()}
    assert {kind: len(items) for kind, items in ours.items() if items} == {
        "clusters": 1,
        "databases": 1,
        "admins": 1,
        "buckets": 2,
        "storage_users": 2,
    }
