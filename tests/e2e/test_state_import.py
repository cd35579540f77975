"""A fleet's state goes from the embedded engine to the Pulumi CLI and back, on the same cloud."""

from pathlib import Path

import pytest

from engines.embedded import EmbeddedEngine
from engines.engine import Engine, Result
from engines.pulumi_cli import PulumiCli, make_stack
from tests.e2e.world import STACK, World

pytestmark = pytest.mark.e2e

FLEET = {
    "alpha": {"name": "Alpha", "database": {"plan": "timeweb-pro"}, "storage": {"plan": "timeweb-s3"}},
    "beta": {"name": "Beta", "database": {"plan": "timeweb-pro"}},
}
NEW = {"name": "Gamma", "database": {"plan": "timeweb-pro"}, "storage": {"plan": "timeweb-s3"}}


def test_a_state_goes_to_the_cli_and_back_and_nothing_is_to_do(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Facts 2.7: dynamic types show no change, at once; the outputs and their secrets are the same."""
    if not PulumiCli.available():
        pytest.skip("there is no `pulumi` on PATH")
    world = World.start(tmp_path_factory.mktemp("import") / "sandbox", "embedded", FLEET)
    try:
        make_stack(world.project, STACK, world.environ)
        embedded = EmbeddedEngine(world.project, STACK, Path(world.environ["TENANTRY_STATE"]), world.environ)
        cli = PulumiCli(world.project, STACK, world.environ)
        succeeded(embedded.up())
        handed_over(world, embedded, cli)
        world.edit(lambda tenants: tenants.update(gamma=NEW))
        assert succeeded(cli.up()).counts["delete"] == 0
        handed_over(world, cli, embedded)
        succeeded(embedded.destroy(including_data=True))
        assert {kind: items for kind, items in world.inventory().items() if items} == {}
    finally:
        world.stop()


def handed_over(world: World, giver: Engine, taker: Engine) -> None:
    """The state of one is imported by the other, whose preview is empty."""
    world.forget_requests()
    taker.import_state(giver.export())
    preview = succeeded(taker.preview())
    assert not preview.changed, [change for change in preview.changes if change.operation != "same"]
    assert taker.outputs(show_secrets=True) == giver.outputs(show_secrets=True)
    again = succeeded(taker.up())
    assert not again.changed, [change for change in again.changes if change.operation != "same"]
    assert world.changes() == []


def succeeded(result: Result) -> Result:
    """The result, of which nothing failed."""
    assert result.ok, [failure.message for failure in result.failures]
    return result
