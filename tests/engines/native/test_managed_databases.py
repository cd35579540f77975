"""What DigitalOcean's plugin asks for a cluster, its trusted sources and a pool, by the simulator's log (facts 6)."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.simulators.clock import MovableClock
from sandbox.simulators.digitalocean.serve import Delays, RunningDigitalOcean, serve
from sandbox.simulators.digitalocean.servers import NoManagedServers
from tests.engines.laboratory import Laboratory, is_secret

pytestmark = pytest.mark.native

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TOKEN = "a-digitalocean-token"
CLUSTER = """
import pulumi_digitalocean as do

cloud = on(do.Provider("cloud"))
cluster = do.DatabaseCluster(
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
PARTS = """
do.DatabaseFirewall(
    "main-1-firewall",
    cluster_id=cluster.id,
    rules=[{"type": "ip_addr", "value": "127.0.0.1"}],
    opts=cloud,
)
do.DatabaseConnectionPool(
    "main-1-pool",
    cluster_id=cluster.id,
    name="main-pool",
    mode="transaction",
    size=5,
    db_name="defaultdb",
    user="doadmin",
    opts=cloud,
)
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[RunningDigitalOcean]:
    """An account whose clusters need ten seconds: the plugin's first look, after fifteen, finds them online."""
    for needed in ("pulumi", "pulumi-resource-digitalocean"):
        if shutil.which(needed) is None:
            pytest.skip(f"there is no {needed} on PATH")
    running = serve(
        tmp_path,
        token=TOKEN,
        servers=NoManagedServers(),
        certificate="no certificate",
        clock=MovableClock(),
        delays=Delays(create=10, resize=1),
    )
    yield running
    running.stop()


@pytest.fixture
def lab(tmp_path: Path, cloud: RunningDigitalOcean) -> Laboratory:
    made = Laboratory(tmp_path / "lab", "pulumi")
    made.environ.update(cloud.environment)
    made.environ["DIGITALOCEAN_HTTP_RETRY_MAX"] = "0"
    return made


def asked(cloud: RunningDigitalOcean) -> list[str]:
    """What was asked since the last look, in order, the cluster's id as ID; the log is empty then."""
    told = [f"{entry.method} {entry.path.removeprefix('/v2/')} {entry.status or 'lost'}" for entry in cloud.requests()]
    cloud.log.clear()
    return [UUID.sub("ID", each) for each in told]


def test_cluster_firewall_and_pool_live_and_die_by_these_requests(lab: Laboratory, cloud: RunningDigitalOcean) -> None:
    """Facts 6 for the cluster; the requests for its parts were first seen here.

    A pool that changes is deleted and made anew, a firewall that goes leaves the cluster open to everybody.
    """
    lab.program(CLUSTER)
    assert lab.up().ok
    assert asked(cloud) == ["POST databases 201", "GET databases/ID 200", "GET databases/ID 200"]
    lab.program(CLUSTER + PARTS)
    assert lab.up().ok
    made = ["PUT databases/ID/firewall 204", "GET databases/ID/firewall 200"]
    pooled = ["POST databases/ID/pools 201", "GET databases/ID/pools/main-pool 200"]
    assert sorted(asked(cloud)) == sorted([*made, *pooled])
    assert not lab.up().changed
    assert asked(cloud) == [], "a plain `up` asks for nothing"
    refreshed = lab.cli.refresh().changes
    assert {change.operation for change in refreshed if change.name.startswith("main-1")} == {"same"}
    looks = ["GET databases/ID 200", "GET databases/ID/firewall 200", "GET databases/ID/pools/main-pool 200"]
    assert sorted(asked(cloud)) == looks
    kept = {name: entry["outputs"] for name, entry in lab.resources().items() if name.startswith("main-1")}
    secrets = {"main-1": ("password", "uri", "privateUri"), "main-1-pool": ("password", "uri", "privateUri")}
    assert all(is_secret(kept[name][key]) for name, keys in secrets.items() for key in keys)
    lab.program((CLUSTER + PARTS).replace("127.0.0.1", "10.0.0.0/8").replace("size=5", "size=6"))
    assert {change.name: change.operation for change in lab.up().changes if change.operation != "same"} == {
        "main-1-firewall": "update",
        "main-1-pool": "replace",
    }
    told = asked(cloud)
    assert [each for each in told if "firewall" in each] == made
    assert [each for each in told if "pools" in each] == ["DELETE databases/ID/pools/main-pool 204", *pooled]
    assert lab.cli.destroy().ok
    told = asked(cloud)
    assert sorted(told[:3]) == looks, "our engine lets a destroy look first"
    assert sorted(told[3:5]) == ["DELETE databases/ID/pools/main-pool 204", "PUT databases/ID/firewall 204"]
    assert told[5:] == ["DELETE databases/ID 204"]
    assert cloud.state.clusters.all() == []


def test_a_cluster_changes_its_size_and_its_tags_in_place(lab: Laboratory, cloud: RunningDigitalOcean) -> None:
    """Tags go before they come: a run killed between has a cluster without our mark."""
    lab.program(CLUSTER)
    assert lab.up().ok
    asked(cloud)
    lab.program(CLUSTER.replace("dev:main-1", "dev:other").replace("db-s-1vcpu-1gb", "db-s-1vcpu-2gb"))
    assert lab.up().ok
    assert asked(cloud) == [
        *("PUT databases/ID/resize 202", "GET databases/ID 200"),
        "DELETE tags/tenantry:dev:main-1/resources 204",
        *("POST tags 201", "POST tags/tenantry:dev:other/resources 204", "GET databases/ID 200"),
    ]
    [cluster] = cloud.state.clusters.all()
    assert (cluster.size, cluster.tags) == ("db-s-1vcpu-2gb", ("tenantry:dev:other",))


def test_a_lost_answer_ends_in_an_error_and_no_second_cluster_because_its_name_is_taken(
    lab: Laboratory, cloud: RunningDigitalOcean
) -> None:
    """Facts 6: the plugin sends the order again by itself."""
    lab.environ["DIGITALOCEAN_HTTP_RETRY_MAX"] = "4"
    cloud.strike("response-lost", method="POST")
    lab.program(CLUSTER)
    [failure] = lab.up().failures
    assert "is not available" in failure.message
    assert asked(cloud) == ["POST databases lost", "POST databases 422"]
    assert "main-1" not in lab.names()
    assert [cluster.tags for cluster in cloud.state.clusters.all()] == [("tenantry:dev:main-1",)]


def test_one_forbidden_look_makes_the_plugin_forget_a_cluster_that_lives(
    lab: Laboratory, cloud: RunningDigitalOcean
) -> None:
    """Facts 6, the worst case; the next `up` is refused its name, so it makes no second one."""
    cloud.strike("forbidden", method="GET")
    lab.program(CLUSTER)
    assert not lab.up().ok
    assert "main-1" not in lab.names()
    assert not lab.up().ok
    assert asked(cloud) == ["POST databases 201", "GET databases/ID 403", "POST databases 422"]
    assert len(cloud.state.clusters.all()) == 1
