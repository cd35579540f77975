"""Where tenants of pooled plans are sent: the URL they are given, and the settings that decide it."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from components.pooler import FIRST_PORT, PoolerAddress, PoolerSettings, read_pooler
from components.settings import SettingsError
from tests.components.program import Program
from tests.components.recorder import Declaration

FREE, PRO = "database: {plan: timeweb-free}", "database: {plan: timeweb-pro}"
HOST = {"tenantry:poolerHost": "pooler.example"}


@pytest.fixture
def pooled(program: Program) -> Program:
    """The program with the free plan pooled, and the pro plan not."""
    program.folder.edit("plans.yaml", "pooled: false", "pooled: true")
    return program


def url(declared: Declaration, tenant: str, key: str = "databaseUrl") -> dict[str, str]:
    parts = conninfo_to_dict(declared.tenants[tenant]["database"][key].value)
    return {name: str(parts[name]) for name in ("host", "port", "dbname", "sslmode", "options", "user")}


def test_a_tenant_of_a_pooled_plan_is_sent_to_the_pooler_and_its_operator_past_it(pooled: Program) -> None:
    """A40, G10: the database and the search path are the same either way."""
    pooled.config |= HOST
    declared = pooled.declare({"acme": FREE, "beta": PRO})
    at_pooler = {"host": "pooler.example", "port": str(FIRST_PORT)}
    direct = url(declared, "acme", "directUrl")
    assert (direct["host"], direct["port"], direct["dbname"]) == ("db.example", "5432", "main")
    assert url(declared, "acme") == {**direct, **at_pooler}
    assert direct["options"] == "-c search_path=c_acme,extensions"
    assert url(declared, "beta") == url(declared, "beta", "directUrl")


def test_setting_and_unsetting_the_pooler_changes_outputs_and_no_resource(pooled: Program) -> None:
    """A40."""
    without = pooled.declare({"acme": FREE})
    pooled.config |= {**HOST, "tenantry:poolerPort": "7000", "tenantry:poolerSslmode": "verify-full"}
    with_one = pooled.run()
    assert with_one.resources == without.resources
    assert url(without, "acme") == url(without, "acme", "directUrl") == url(with_one, "acme", "directUrl")
    assert {**url(without, "acme"), "host": "pooler.example", "port": "7000", "sslmode": "verify-full"} == url(
        with_one, "acme"
    )


def test_each_cluster_s_pooler_has_a_port_of_its_own_and_keeps_it(pooled: Program) -> None:
    """A38, A40: a new cluster moves nobody."""
    pooled.config |= HOST
    pooled.folder.edit("plans.yaml", "pooled: false", "pooled: true")
    first = pooled.declare({"m-acme": PRO})
    tenants = {f"a-{number}": PRO for number in range(20)}
    more = pooled.declare({"a": FREE, "m-acme": PRO, **tenants})
    assert url(more, "m-acme") == url(first, "m-acme")
    named = {more.tenants[name]["database"]["cluster"]: int(url(more, name)["port"]) for name in more.tenants}
    # In the order in which they were opened.
    assert named == {f"shared-{cluster}-1": FIRST_PORT + number for number, cluster in enumerate(["pro", "free"])} | {
        f"shared-pro-{number}": FIRST_PORT + number for number in (2, 3)
    }


def test_a_plan_that_is_pooled_no_more_sends_its_tenants_to_the_cluster(pooled: Program) -> None:
    pooled.config |= HOST
    pooled.declare({"acme": FREE})
    pooled.folder.edit("plans.yaml", "pooled: true", "pooled: false")
    declared = pooled.run()
    assert url(declared, "acme") == url(declared, "acme", "directUrl")


def test_the_environment_wins_over_the_stack_s_configuration(pooled: Program) -> None:
    pooled.config |= HOST
    pooled.declare({"acme": FREE})
    declared = pooled.run(environ={"TENANTRY_POOLER_HOST": "2001:db8::7", "TENANTRY_POOLER_PORT": "6500"})
    assert (url(declared, "acme")["host"], url(declared, "acme")["port"]) == ("2001:db8::7", "6500")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("tenantry:poolerHost", "pooler.example:6432", "must be a host's name or address, without a port"),
        ("tenantry:poolerHost", "user@pooler.example", "must be a host's name or address"),
        ("tenantry:poolerHost", "pooler.example/x", "must be a host's name or address"),
        ("tenantry:poolerHost", "-pooler", "must be a host's name or address"),
        ("tenantry:poolerPort", "0", "must be a port from 1 to 65535, not '0'"),
        ("tenantry:poolerPort", "65536", "must be a port from 1 to 65535, not '65536'"),
        ("tenantry:poolerPort", "six", "must be a port from 1 to 65535, not 'six'"),
        ("tenantry:poolerSslmode", "on", "must be one of disable, allow, prefer, require, verify-ca, verify-full"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_key(key: str, value: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"setting {key} {sentence}"):
        read_pooler({key: value}.get)


def test_a_wrong_setting_ends_the_program_in_a_sentence(program: Program) -> None:
    program.config["tenantry:poolerPort"] = "70000"
    with pytest.raises(SettingsError, match="tenantry:poolerPort must be a port"):
        program.declare({"acme": FREE})


def test_a_pooler_beyond_the_last_port_is_refused() -> None:
    settings = PoolerSettings("pooler.example", 65535)
    assert settings.address(1) == PoolerAddress("pooler.example", 65535, "require")
    with pytest.raises(ValueError, match="pooler 2 would be at port 65536: lower tenantry:poolerPort"):
        settings.address(2)
    assert settings.address(None) is PoolerSettings().address(1) is None
