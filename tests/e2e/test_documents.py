"""What the documents tell a reader to type is typed into a fresh copy of the checkout, and ends as they say."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from engines.pulumi_cli import PulumiCli
from sandbox.start import ANY_PORTS, environment, start, stop
from tests.docs.console import PROJECT, Reader, blocks

pytestmark = pytest.mark.e2e

# Of the example fleet: enough for neighbours on one cluster.
FEW = ("alder-bakery", "birch-dental")
# What a sandbox sets beside the account and its credentials.
NOT_OF_AN_ACCOUNT = {"TENANTRY_FLEET", "TENANTRY_STATE", "TENANTRY_SANDBOX", "PULUMI_BACKEND_URL"}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody new, with nothing but the checkout."""
    arrived = Reader.arrive(tmp_path, FEW)
    try:
        yield arrived
    finally:
        stop(arrived.folder / ".sandbox")


@pytest.fixture
def customer(tmp_path: Path) -> Iterator[Reader]:
    """Somebody new with an account: the sandbox's, in place of what their shell exports by hand."""
    account = tmp_path / "account"
    start(account, ANY_PORTS)
    try:
        yield with_account(Reader.arrive(tmp_path, FEW), environment(account))
    finally:
        stop(account, wipe=True)


def with_account(reader: Reader, account: Mapping[str, str]) -> Reader:
    """The reader whose shell has the variables of an account."""
    return replace(
        reader,
        environ={
            **reader.environ,
            **{name: value for name, value in account.items() if name not in NOT_OF_AN_ACCOUNT},
        },
    )


def test_the_guide_to_the_sandbox_works(reader: Reader) -> None:
    reader.type(blocks(PROJECT / "docs" / "sandbox.md"))


def test_the_guide_to_backups_works(reader: Reader) -> None:
    reader.type(blocks(PROJECT / "docs" / "how-to" / "backups.md"))


def test_the_guide_to_poolers_works(reader: Reader) -> None:
    reader.type(blocks(PROJECT / "docs" / "how-to" / "pooler.md"))


def test_the_tutorial_works(customer: Reader) -> None:
    customer.type(blocks(PROJECT / "docs" / "tutorial.md"))


def test_the_production_guide_works(customer: Reader) -> None:
    customer.type(blocks(PROJECT / "docs" / "production.md"))


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


def test_the_readme_works(reader: Reader) -> None:
    if not PulumiCli.available():
        pytest.skip("there is no `pulumi` on PATH")
    reader.type(blocks(PROJECT / "README.md"))
