"""The package `digitalocean` of the embedded engine, through Pulumi's SDK, on the simulated account.

The request sequences are the real plugin's, but for a look for our tag before a create, and a delete that is read back.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from engines.embedded.plugins.digitalocean_account import Account, CallError
from engines.engine import EngineError, Result
from sandbox.simulators.digitalocean.serve import Delays, RunningDigitalOcean, serve
from sandbox.simulators.digitalocean.servers import NoManagedServers
from tests.engines.laboratory import STACK, Laboratory, is_secret

TOKEN = "sentinel-digitalocean-token"
MARK = "tenantry:dev:main-cluster-1"
PROGRAM = """
import pulumi
import pulumi_digitalocean as do

config = pulumi.Config()
account = do.Provider(
    "account", token=config.require_secret("token"), api_endpoint=config.require("url"), http_retry_max=RETRIES
)
here = pulumi.ResourceOptions(provider=account)
cluster = do.DatabaseCluster(
    "main-cluster-1", name="dev-main", engine="pg", version="16", size="SIZE", region="nyc3",
    node_count=1, tags=["tenantry:dev:main-cluster-1"], opts=here,
)
inside = pulumi.ResourceOptions(provider=account, deleted_with=cluster)
do.DatabaseFirewall(
    "main-firewall-1", cluster_id=cluster.id, opts=inside,
    rules=[do.DatabaseFirewallRuleArgs(type="ip_addr", value="SOURCE")],
)
do.DatabaseConnectionPool(
    "main-pool-1", cluster_id=cluster.id, name="admin", mode="transaction", size=POOL, db_name="defaultdb",
    user="doadmin", opts=inside,
)
pulumi.export("server", {"host": cluster.host, "port": cluster.port, "password": cluster.password})
"""
WORDS = {"SIZE": "db-s-1vcpu-1gb", "SOURCE": "127.0.0.1", "POOL": "5", "RETRIES": "None"}
NAMES = ("main-cluster-1", "main-firewall-1", "main-pool-1")
CREATE = [
    "GET /v2/databases",
    "POST /v2/databases",
    "GET /v2/databases/ID",
    "PUT /v2/databases/ID/firewall",
    "GET /v2/databases/ID/firewall",
    "POST /v2/databases/ID/pools",
    "GET /v2/databases/ID/pools/admin",
]


class Field:
    """The project, and the account behind it."""

    def __init__(self, cloud: RunningDigitalOcean, lab: Laboratory) -> None:
        self.cloud = cloud
        self.lab = lab
        lab.configure(stack_config={"playground:url": cloud.url}, secrets={"playground:token": TOKEN})

    def program(self, **words: str) -> None:
        """Write the program with these words in it."""
        text = dedent(PROGRAM)
        for word, value in {**WORDS, **words}.items():
            text = text.replace(word, value)
        self.lab.program(text)

    def up(self, *, refresh: bool = False, **words: str) -> Result:
        """Run an update."""
        self.program(**words)
        return self.lab.up(refresh=refresh)

    def calls(self, *methods: str) -> list[str]:
        """What was asked, oldest first and repeated looks once; ids are one word."""
        entries = [entry for entry in self.cloud.log.entries() if not methods or entry.method in methods]
        told = [re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", f"{entry.method} {entry.path}") for entry in entries]
        return [call for before, call in zip([None, *told], told, strict=False) if call != before]

    def clusters(self) -> list[str]:
        """The ids of the account's clusters."""
        return [cluster.uuid for cluster in self.cloud.state.clusters.all()]


@pytest.fixture
def field(tmp_path: Path) -> Iterator[Field]:
    (tmp_path / "cloud-state").mkdir()
    cloud = serve(
        tmp_path / "cloud-state",
        token=TOKEN,
        servers=NoManagedServers(),
        certificate="no certificate",
        delays=Delays(create=0.4, resize=0.2),
    )
    yield Field(cloud, Laboratory(tmp_path, "embedded"))
    cloud.stop()


def done(result: Result) -> dict[str, str]:
    assert result.ok, result.failures
    return {change.name: change.operation for change in result.changes if change.name in NAMES}


def every(operation: str) -> dict[str, str]:
    return dict.fromkeys(NAMES, operation)


def test_a_cluster_is_made_awaited_and_closed_to_strangers(field: Field) -> None:
    """Facts 6, contract: the plugin's requests in its order."""
    assert done(field.up()) == every("create")
    assert sorted(field.calls()) == sorted(CREATE)
    assert field.calls("POST", "PUT")[0] == "POST /v2/databases"
    assert done(field.up()) == every("same")
    assert sorted(field.calls()) == sorted(CREATE)
    assert done(field.up(refresh=True)) == every("same")
    assert len(field.calls("POST", "PUT", "DELETE")) == 3


def test_a_preview_sends_nothing(field: Field) -> None:
    field.program()
    assert field.lab.preview().ok
    assert field.calls() == []


def test_the_admin_s_password_is_a_secret_in_the_state(field: Field) -> None:
    """H3: as with the plugin, whose resource says so itself."""
    done(field.up())
    password = field.lab.engine.outputs(show_secrets=True)["server"]["password"]
    for name, keys in {"main-cluster-1": ("password", "uri"), "main-pool-1": ("password", "uri")}.items():
        outputs = field.lab.resources()[name]["outputs"]
        assert all(is_secret(outputs[key]) for key in keys)
    text = str(field.lab.deployment())
    assert password not in text
    assert TOKEN not in text


@pytest.mark.parametrize("fault", ["response-lost", "error-after-work"])
def test_a_create_whose_answer_was_lost_makes_no_second_cluster(field: Field, fault: str) -> None:
    """Facts 10: it is looked for by its tag at once."""
    field.cloud.strike(fault, method="POST", path="^/v2/databases$")
    assert done(field.up()) == every("create")
    assert field.calls("POST").count("POST /v2/databases") == 1
    assert len(field.clusters()) == 1


def test_a_look_that_is_refused_while_a_cluster_is_made_costs_no_second_one(field: Field) -> None:
    """Facts 10, the worst row: the plugin drops the id; here the next run finds the cluster by its tag."""
    field.cloud.strike("token-refused", method="GET", path="^/v2/databases/[^/]+$")
    result = field.up()
    assert [failure.name for failure in result.failures][:1] == ["main-cluster-1"]
    assert TOKEN not in str(result.failures)
    assert done(field.up()) == every("create")
    assert field.calls("POST").count("POST /v2/databases") == 1


def test_a_lost_state_adopts_what_carries_our_tag(field: Field) -> None:
    done(field.up())
    before = field.clusters()
    for file in field.lab.state.glob(f"{STACK}.*"):
        file.unlink()
    assert done(field.up()) == every("create")
    assert field.clusters() == before
    assert field.calls("POST").count("POST /v2/databases") == 1


def test_what_drifted_is_seen_and_put_right(field: Field) -> None:
    done(field.up())
    account = Account({"token": TOKEN, "apiEndpoint": field.cloud.url})
    (cluster,) = field.clusters()
    account.call(account.client.databases.update_firewall_rules, cluster, body={"rules": []})
    account.call(account.client.databases.delete_connection_pool, cluster, "admin")
    changed = done(field.up(refresh=True))
    assert changed == {"main-cluster-1": "same", "main-firewall-1": "update", "main-pool-1": "create"}
    assert done(field.up(refresh=True)) == every("same")


def test_size_sources_and_pool_are_changed_in_place(field: Field) -> None:
    done(field.up())
    before, seen = field.clusters(), len(field.calls("PUT"))
    assert done(field.up(SIZE="db-s-1vcpu-2gb", SOURCE="198.51.100.0/24", POOL="7")) == every("update")
    assert field.clusters() == before
    assert sorted(field.calls("PUT")[seen:]) == [
        "PUT /v2/databases/ID/firewall",
        "PUT /v2/databases/ID/pools/admin",
        "PUT /v2/databases/ID/resize",
    ]


def test_a_destroy_deletes_the_cluster_and_reads_back_that_it_is_gone(field: Field) -> None:
    """The firewall is never taken away from a cluster that is still there: it would be open to everybody."""
    done(field.up())
    field.cloud.log.clear()
    assert field.lab.engine.destroy().ok
    assert field.calls("POST", "PUT", "DELETE") == ["DELETE /v2/databases/ID"]
    assert field.calls()[-1] == "GET /v2/databases/ID"
    assert field.clusters() == []
    assert field.lab.names() == set()


def test_a_destroy_after_everything_is_gone_succeeds(field: Field) -> None:
    done(field.up())
    account = Account({"token": TOKEN, "apiEndpoint": field.cloud.url})
    account.call(account.client.databases.destroy_cluster, *field.clusters())
    assert field.lab.engine.destroy().ok
    assert field.lab.names() == set()


def test_the_provider_s_own_number_of_repetitions_holds(field: Field) -> None:
    """Droplets and clusters have providers of their own for this argument's sake."""
    never = Account({"token": TOKEN, "apiEndpoint": field.cloud.url, "httpRetryMax": 0.0})
    field.cloud.strike("unavailable", method="GET", path="^/v2/databases$", times=1)
    with pytest.raises(CallError, match="DigitalOcean API error: 503"):
        never.call(never.client.databases.list_clusters)
    assert len(field.cloud.requests("GET")) == 1
    field.cloud.strike("unavailable", method="GET", path="^/v2/databases$", times=1)
    once = Account({"token": TOKEN, "apiEndpoint": field.cloud.url, "httpRetryMax": 1.0})
    assert once.call(once.client.databases.list_clusters)["databases"] == []
    assert len(field.cloud.requests("GET")) == 3


def test_a_bare_404_is_no_proof_that_a_cluster_is_gone(field: Field) -> None:
    """G17."""
    done(field.up())
    field.cloud.strike("bare-404", method="GET", path="^/v2/databases/[^/]+$")
    assert not field.up(refresh=True).ok
    assert done(field.up()) == every("same")


@pytest.mark.parametrize(
    ("declaration", "sentence"),
    [
        ('do.Provider("p", token="t", spaces_access_id="x")', "spacesAccessId has a problem: the embedded engine does"),
        ('do.Provider("p", token="t", api_endpoint="http://api.example")', "the token would travel in the clear"),
        ('do.Provider("p")', "property token has a problem: it must be given explicitly"),
    ],
)
def test_a_provider_it_cannot_be_is_refused(field: Field, declaration: str, sentence: str) -> None:
    field.lab.program(f"import pulumi_digitalocean as do\n{declaration}")
    assert sentence in field.lab.up().failures[0].message


def test_a_type_it_does_not_know_is_refused(field: Field) -> None:
    field.lab.program(
        f'import pulumi_digitalocean as do\np = do.Provider("p", token="{TOKEN}")\n'
        'do.Vpc("v", region="nyc3", opts=pulumi.ResourceOptions(provider=p))'
    )
    with pytest.raises(EngineError, match="does not implement the type 'digitalocean:index/vpc:Vpc'"):
        field.lab.up()
