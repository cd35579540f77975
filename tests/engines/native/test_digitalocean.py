"""The fault table's rows of DigitalOcean's plugin (facts 6 and 10): each is cured by `resume`, and then an `up`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynamic_providers.listers import DIGITALOCEAN
from engines.engine import EngineError
from tests.engines.native import toy_digitalocean
from tests.engines.native.field import Field, Vendor, field_of

pytestmark = pytest.mark.native

VENDOR = Vendor(DIGITALOCEAN, "digitalocean", toy_digitalocean.routes, toy_digitalocean.refuse)
HEAD = """
import pulumi_digitalocean as do

cloud = on(do.Provider("cloud"))
"""
DROPLET = (
    HEAD
    + """
do.Droplet(
    "web-1",
    name="web-1",
    region="nyc1",
    size="s-1vcpu-1gb",
    image="ubuntu-22-04-x64",
    user_data=pulumi.Output.secret("#cloud-config: a-sentinel-secret"),
    tags=["tenantry:dev:web-1"],
    opts=cloud,
)
"""
)
CLUSTER = (
    HEAD
    + """
do.DatabaseCluster(
    "main-1",
    name="main-1",
    engine="pg",
    version="16",
    size="db-s-1vcpu-1gb",
    region="nyc1",
    node_count=1,
    tags=["tenantry:dev:main-1"],
    opts=cloud,
)
"""
)
DROPLETS, DATABASES = "^/v2/droplets$", "^/v2/databases$"


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Field]:
    with field_of(VENDOR, DROPLET, tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def without_retries(field: Field) -> Field:
    """A field whose plugin never sends a request again: a lost answer is seen, not doubled."""
    field.lab.environ["DIGITALOCEAN_HTTP_RETRY_MAX"] = "0"
    return field


def test_a_droplet_whose_answer_was_lost_is_adopted(without_retries: Field) -> None:
    """F36, G43: before, the next `up` makes a second one, and nobody knows of the first."""
    field = without_retries
    field.cloud.strike("response-lost", "POST", DROPLETS)
    assert [failure.name for failure in field.up().failures] == ["web-1"]
    droplet = field.cloud.all("droplets")[0]
    assert field.resume() == ([("adopt", "web-1")], [f"web-1 is adopted as {droplet['id']}"])
    field.in_order()
    assert field.up().ok
    assert field.cloud.changes() == ["POST /v2/droplets"]
    assert "a-sentinel-secret" not in str(field.engine.export())


def test_a_droplet_that_the_plugin_doubled_is_found_by_its_mark_and_removed_by_name(field: Field) -> None:
    """Facts 10, the worst of it: with the plugin's own retries the run is green, and the second droplet nobody's."""
    field.cloud.strike("response-lost", "POST", DROPLETS)
    assert field.up().ok
    assert field.cloud.changes() == ["POST /v2/droplets", "POST /v2/droplets"]
    kept = field.id_of("web-1")
    findings, inventory, _ = field.findings()
    assert [(each.verdict, each.name) for each in findings] == [("orphan", "web-1")]
    assert findings[0].id != kept
    found = inventory.of(findings[0])
    assert found is not None
    assert found.holds_data
    inventory.listers[found.type].remove(found)
    assert [str(droplet["id"]) for droplet in field.cloud.all("droplets")] == [kept]
    field.in_order()


def test_of_two_droplets_in_no_state_neither_is_adopted(without_retries: Field) -> None:
    """Design rule 1: two matches are refused; which one it is, a human says."""
    field = without_retries
    field.cloud.strike("response-lost", "POST", DROPLETS, times=2)
    field.up()
    field.up()
    first, second = field.cloud.all("droplets")
    assert field.resume() == ([("twice", "web-1"), ("twice", "web-1")], [])
    assert "web-1" not in field.lab.names()
    second["tags"].clear()
    assert field.resume()[1] == [f"web-1 is adopted as {first['id']}"]
    field.in_order()


def test_a_droplet_whose_create_was_killed_is_adopted(field: Field) -> None:
    """F15, H4: an `up` in its place would be refused; the plugin alone would make a second droplet, and be green."""
    field.cloud.held = True
    field.cut_off(lambda: "POST /v2/droplets" in field.cloud.calls())
    field.engine.break_lock()
    with pytest.raises(EngineError, match="was cut off while it was creating web-1"):
        field.up()
    field.cloud.held = False
    droplet = field.cloud.all("droplets")[0]
    assert field.resume() == ([("adopt", "web-1")], [f"web-1 is adopted as {droplet['id']}"])
    field.in_order()
    assert field.up().ok
    assert field.cloud.changes() == ["POST /v2/droplets"]


def test_a_cluster_whose_id_the_plugin_dropped_is_adopted(field: Field) -> None:
    """Facts 10: one refused look while it is polled, and a cluster that is billed is in no state."""
    field.lab.program(CLUSTER)
    field.cloud.strike("token-refused", "GET", r"^/v2/databases/[^/]+$")
    assert [failure.name for failure in field.up().failures] == ["main-1"]
    assert "main-1" not in field.lab.names()
    cluster = field.cloud.all("databases")[0]
    assert field.resume() == ([("adopt", "main-1")], [f"main-1 is adopted as {cluster['id']}"])
    field.in_order()
    assert field.up().ok
    assert field.cloud.changes() == ["POST /v2/databases"]
