"""The contract of the stack outputs: what the program exports is what its readers may rely on, and no more."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from components.outputs import parse_tenants
from tests.components.program import Program
from tests.components.recorder import Declaration, Secret

FREE = "database: {plan: timeweb-free}"
TENANTS = {
    "acme": f"name: Acme GmbH, {FREE}, storage: {{plan: timeweb-s3}}",
    "beta": "state: suspended, database: {plan: timeweb-business}, storage: {plan: s3-standard}",
}
CREDENTIALS = {"password", "databaseUrl", "directUrl", "accessKey", "secretKey"}


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Declaration:
    """A tenant of each shape, declared once."""
    return Program(tmp_path_factory.mktemp("fleet")).declare(TENANTS)


def shown(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The outputs as `--show-secrets` prints them."""
    if isinstance(value, Secret):
        return shown(value.value)
    return {key: shown(item) for key, item in value.items()} if isinstance(value, dict) else value


def masked(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """The outputs as they are printed without being asked for secrets."""
    if isinstance(value, Secret):
        return "[secret]"
    return {key: masked(item) for key, item in value.items()} if isinstance(value, dict) else value


def secrets(value: Any, at: str = "") -> set[str]:  # noqa: ANN401 - whatever JSON holds
    """The last keys of everything that is secret."""
    if isinstance(value, Secret):
        return {at}
    return set().union(*(secrets(item, key) for key, item in value.items())) if isinstance(value, dict) else set()


def test_the_outputs_are_what_their_readers_expect(declared: Declaration) -> None:
    """Design 3.3: both with and without secrets."""
    assert set(parse_tenants(masked(declared.tenants))) == {"acme", "beta"}
    tenants = parse_tenants(shown(declared.tenants))
    acme, beta = tenants["acme"], tenants["beta"]
    assert (acme.name, acme.state, acme.cell) == ("Acme GmbH", "active", 1)
    assert (beta.name, beta.state) == ("beta", "suspended")
    assert acme.database is not None
    assert acme.storage is not None
    assert (acme.database.mode, acme.database.cluster) == ("shared", "shared-free-1")
    assert (acme.database.host, acme.database.port, acme.database.database) == ("db.example", 5432, "main")
    assert acme.database.database_url == (
        "postgresql://c_acme:sentinel-password@db.example:5432/main?sslmode=require"
        "&options=-c%20search_path%3Dc_acme%2Cextensions"
    )
    assert acme.storage.bucket == "4f2a-customer"
    assert acme.storage.s3_endpoint == "https://4f2a-customer.s3.example"
    assert beta.database is not None
    assert beta.storage is not None
    assert (beta.database.mode, beta.database.schema_name) == ("dedicated", "public")
    assert beta.storage.s3_endpoint == "https://store.example/customer-beta"


def test_credentials_are_secrets_and_nothing_else_is(declared: Declaration) -> None:
    """Design 3.3: a secret masks itself, not what stands beside it."""
    for tenant in declared.tenants.values():
        assert secrets(tenant) == CREDENTIALS
        assert "sentinel" not in repr(masked(tenant))


def test_the_region_of_a_bucket_is_the_one_its_store_signs_for(program: Program) -> None:
    """`s3:region` of the reference: a tenant that signs for another region is refused."""
    program.config["s3:region"] = "eu-west-9"
    declared = program.declare({"acme": "storage: {plan: s3-standard}"})
    assert declared["s3"].inputs["region"] == "eu-west-9"
    assert declared.tenants["acme"]["storage"]["region"] == "eu-west-9"


def test_a_rename_changes_nothing_but_the_name(program: Program) -> None:
    """F22: a name may change freely."""
    before = program.declare({"acme": FREE})
    after = program.declare({"acme": f"name: Acme & Sons, {FREE}"})
    assert after.resources == before.resources
    assert after.tenants["acme"] == {**before.tenants["acme"], "name": "Acme & Sons"}


def without(outputs: dict[str, Any], section: str, key: str) -> dict[str, Any]:
    return {**outputs, section: {name: value for name, value in outputs[section].items() if name != key}}


@pytest.mark.parametrize("section", ["database", "storage"])
def test_an_output_without_one_of_its_keys_is_refused(declared: Declaration, section: str) -> None:
    outputs = shown(declared.tenants["acme"])
    for key in outputs[section]:
        with pytest.raises(ValidationError, match="Field required"):
            parse_tenants({"acme": without(outputs, section, key)})


@pytest.mark.parametrize("section", ["database", "storage", "backups", ""])
def test_an_output_with_a_key_that_nobody_knows_is_refused(declared: Declaration, section: str) -> None:
    outputs = shown(declared.tenants["acme"])
    place = {"": outputs, "backups": outputs["database"]["backups"]}.get(section) or outputs[section]
    place["surprise"] = 1
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        parse_tenants({"acme": outputs})


@pytest.mark.parametrize(("key", "value"), [("state", "deleted"), ("cell", "one"), ("name", None)])
def test_an_output_of_another_type_is_refused(declared: Declaration, key: str, value: object) -> None:
    with pytest.raises(ValidationError):
        parse_tenants({"acme": {**shown(declared.tenants["acme"]), key: value}})


def costs(declared: Declaration, section: str) -> list[Decimal]:
    found = [tenant[section]["monthlyCost"] for _, tenant in sorted(declared.tenants.items())]
    assert {cost["currency"] for cost in found} == {"RUB"}
    return [Decimal(cost["amount"]) for cost in found]


def test_the_shares_of_a_shared_cluster_sum_to_its_price(program: Program) -> None:
    """A26, design 4.10: 600 by seven leaves two kopecks, and they are somebody's."""
    shares = costs(program.declare({f"tenant-{number}": FREE for number in range(7)}), "database")
    assert sum(shares) == 600
    assert sorted(set(shares)) == [Decimal("85.71"), Decimal("85.72")]


def test_a_dedicated_cluster_costs_its_tenant_all_of_its_price(program: Program) -> None:
    """A29, A30: a preset costs what its size does."""
    preset = "database: {plan: timeweb-enterprise, preset: 125}"
    sized = "database: {plan: timeweb-enterprise, size: {cpu: 2, ram_gb: 2, disk_gb: 30}}"
    declared = program.declare({"a": "database: {plan: timeweb-business}", "b": preset, "c": sized})
    assert costs(declared, "database") == [6000, 2775, 1050]


def test_a_price_that_nobody_states_is_not_guessed(program: Program) -> None:
    odd = "database: {plan: timeweb-enterprise, size: {cpu: 3, ram_gb: 7, disk_gb: 50}}"
    unknown = "database: {plan: timeweb-enterprise, preset: 4711}"
    declared = program.declare({"a": odd, "b": unknown, "c": "storage: {plan: s3-standard}"})
    assert declared.tenants["a"]["database"]["monthlyCost"] is None
    assert declared.tenants["b"]["database"]["monthlyCost"] is None
    assert declared.tenants["c"]["storage"]["monthlyCost"] is None
    assert set(parse_tenants(shown(declared.tenants))) == {"a", "b", "c"}


def test_a_bucket_costs_its_quota(declared: Declaration) -> None:
    """A21: 100 GB at 2 a month."""
    assert declared.tenants["acme"]["storage"]["monthlyCost"] == {"amount": "200.00", "currency": "RUB"}
