"""What the documents tell a reader to type is typed into a fresh copy of the checkout, and ends as they say."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from engines.pulumi_cli import PulumiCli
from sandbox.start import ANY_PORTS, environment, start, stop
from tests.docs.console import PROJECT, Block, Reader, Step, blocks
from tests.e2e.conftest import FEW

pytestmark = pytest.mark.e2e

# What a sandbox sets beside the account and its credentials.
NOT_OF_AN_ACCOUNT = {"TENANTRY_FLEET", "TENANTRY_STATE", "TENANTRY_SANDBOX", "PULUMI_BACKEND_URL"}


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


def test_the_guide_to_isolation_works(reader: Reader) -> None:
    reader.type(blocks(PROJECT / "docs" / "how-to" / "isolation.md"))


def test_the_guide_to_poolers_works(reader: Reader) -> None:
    reader.type(blocks(PROJECT / "docs" / "how-to" / "pooler.md"))


def test_the_guide_to_the_platform_database_works(reader: Reader) -> None:
    reader.type(blocks(PROJECT / "docs" / "how-to" / "platform.md"))


def test_the_tutorial_works(customer: Reader) -> None:
    customer.type(blocks(PROJECT / "docs" / "tutorial.md"))


def test_the_production_guide_works(customer: Reader) -> None:
    customer.type(blocks(PROJECT / "docs" / "production.md"))


def test_the_readme_works_and_a_second_up_changes_nothing(reader: Reader) -> None:
    if not PulumiCli.available():
        pytest.skip("there is no `pulumi` on PATH")
    reader.type(twice(block, "pulumi up") for block in blocks(PROJECT / "README.md"))


def twice(block: Block, command: str) -> Block:
    """The block with this command typed a second time, which must say that all is unchanged."""
    steps: list[Step] = []
    for step in block.steps:
        steps.append(step)
        if step.command.startswith(command):
            steps.append(replace(step, output=("… unchanged",)))
    return replace(block, steps=tuple(steps))
