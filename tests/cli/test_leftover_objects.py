"""The last step of an `up`: what a native plugin made and nobody knows of is told, though the run was green."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import exit_codes
from dynamic_providers.listers import HETZNER
from dynamic_providers.marks import Mark, labels
from tests.cli.conftest import Catalogue, Tenantry
from tests.engines.native import toy_hetzner
from tests.engines.native.toy_cloud import TOKEN, ToyCloud, serve

UP = ("up", "--yes", "--stack", "sandbox", "--engine", "embedded")


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ToyCloud]:
    """An account at Hetzner that the stack has a token of."""
    (tmp_path / "hetzner").mkdir()
    made, database = serve(tmp_path / "hetzner", toy_hetzner.routes, toy_hetzner.refuse)
    monkeypatch.setenv(HETZNER.token[1], TOKEN)
    monkeypatch.setenv(HETZNER.url[1], f"{made.url}/v1")
    yield made
    assert made.server is not None
    made.server.stop()
    database.close()


def test_a_server_that_no_state_knows_makes_a_green_run_fail(
    tenantry: Tenantry, catalogue: Catalogue, cloud: ToyCloud
) -> None:
    """Facts 10: the run itself has nothing to complain of."""
    catalogue.folder.write("tenants.yaml", "tenants: {}\n")
    ran = tenantry(*UP, *catalogue.option())
    assert ran.code == exit_codes.DONE, ran.err
    assert cloud.calls() == ["GET /v1/servers", "GET /v1/ssh_keys"]
    server = {"id": 7, "name": "web-1", "status": "running", "server_type": {"name": "cpx11"}}
    cloud.add("servers", {**server, "labels": labels(Mark("sandbox", "web-1"))})
    ran = tenantry(*UP, *catalogue.option())
    assert ran.code == exit_codes.ENGINE_ERROR
    assert "web-1 is cpx11 web-1 (running), in no state and not wanted" in ran.err
    assert "see `tenantry resume --stack sandbox`" in ran.err
    cloud.all("servers")[0]["labels"]["tenantry-stack"] = "another"
    assert tenantry(*UP, *catalogue.option()).code == exit_codes.DONE


def test_a_vendor_that_does_not_answer_is_told_and_not_taken_for_empty(
    tenantry: Tenantry, catalogue: Catalogue, cloud: ToyCloud
) -> None:
    catalogue.folder.write("tenants.yaml", "tenants: {}\n")
    cloud.strike("token-refused", "GET", "^/v1/servers$")
    ran = tenantry(*UP, *catalogue.option())
    assert ran.code == exit_codes.ENGINE_ERROR
    assert "cannot be listed: Hetzner API error: 401" in ran.err
