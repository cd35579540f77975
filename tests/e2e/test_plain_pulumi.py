"""A plain `pulumi` in the checkout, in a sandbox's environment; what the README types is in test_documents."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.pulumi_cli import PulumiCli
from tests.e2e.conftest import SMALL
from tests.e2e.world import PROJECT, World

pytestmark = pytest.mark.e2e


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    if not PulumiCli.available():
        pytest.skip("there is no `pulumi` on PATH")
    # A folder that a shell has to be careful with.
    started = World.start(tmp_path / "it's a sandbox", "pulumi", SMALL)
    try:
        yield started
    finally:
        started.stop()


def shell(world: World, line: str) -> str:
    """A line in a user's shell after `eval "$(tenantry sandbox env)"`."""
    script = f'eval "$({PROJECT}/.venv/bin/tenantry sandbox env --folder "$SANDBOX")" && {line}'
    environ = {"PATH": world.environ["PATH"], "HOME": world.environ["HOME"], "SANDBOX": str(world.folder)}
    done = subprocess.run(["sh", "-c", script], cwd=PROJECT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_stack_left_by_the_readme_leaves_the_checkout_as_it_was(world: World) -> None:
    before = subprocess.run(["git", "status", "--porcelain"], cwd=PROJECT, capture_output=True, check=False).stdout
    shell(world, "pulumi preview --stack sandbox --non-interactive --color never")
    after = subprocess.run(["git", "status", "--porcelain"], cwd=PROJECT, capture_output=True, check=False).stdout
    assert before == after
