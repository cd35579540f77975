"""check and diff follow from the Inputs model; provider classes are public API by module path."""

import base64
import importlib
import pkgutil
from typing import Any, ClassVar

import dill  # type: ignore[import-untyped]  # it publishes no types
import pytest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import UNKNOWN
from pydantic import Field

import dynamic_providers
from dynamic_providers.base import Inputs, TypedProvider, declared
from dynamic_providers.errors import StatefulChangeError
from dynamic_providers.timeweb.database import DatabaseArgs

# Recorded in users' states: a row may be added, never changed or dropped.
PUBLIC_CLASSES = {
    "dynamic_providers.neon.branch.BranchProvider",
    "dynamic_providers.neon.project.ProjectProvider",
    "dynamic_providers.postgres.platform_tenant.PlatformTenantProvider",
    "dynamic_providers.postgres.tenant_database.TenantDatabaseProvider",
    "dynamic_providers.postgres.tenant_schema.TenantSchemaProvider",
    "dynamic_providers.postgres.tenant_setup.TenantSetupProvider",
    "dynamic_providers.timeweb.admin.AdminProvider",
    "dynamic_providers.timeweb.backup_schedule.BackupScheduleProvider",
    "dynamic_providers.timeweb.bucket.BucketProvider",
    "dynamic_providers.timeweb.cluster.ClusterProvider",
    "dynamic_providers.timeweb.database.DatabaseProvider",
    "dynamic_providers.timeweb.storage_user.StorageUserProvider",
}


class ShelfInputs(Inputs):
    """An object made up for these tests."""

    name: str
    width: int = Field(gt=0)
    labels: list[str] = Field(default_factory=list)
    note: str | None = None
    host: str = ""
    wood: str = "oak"
    plan: str = "a"


class ShelfProvider(TypedProvider):
    """Has one field of each sort."""

    inputs: ClassVar[type[Inputs]] = ShelfInputs
    connection_fields = frozenset({"host"})
    stateful_fields = frozenset({"wood"})
    replace_on = frozenset({"plan", "wood"})


@pytest.fixture
def provider() -> ShelfProvider:
    return ShelfProvider()


def test_check_normalises_what_an_engine_hands_over(provider: ShelfProvider) -> None:
    """Numbers arrive as floats, None is dropped, `__provider` is no input."""
    result = provider.check({}, {"name": "s", "width": 8.0, "__provider": "x"})
    assert result.failures == []
    assert result.inputs == {
        "name": "s",
        "width": 8,
        "labels": [],
        "host": "",
        "wood": "oak",
        "plan": "a",
    }


def test_check_names_every_field_that_is_wrong(provider: ShelfProvider) -> None:
    result = provider.check({}, {"width": -1.0})
    assert {failure.property for failure in result.failures} == {"name", "width"}


@pytest.mark.parametrize("news", [{"width": UNKNOWN}, {"width": -1.0, "labels": ["a", UNKNOWN]}])
def test_check_waits_until_everything_is_known(provider: ShelfProvider, news: dict[str, Any]) -> None:
    assert provider.check({}, news).failures == []


KNOWN = {"name": "s", "width": 8.0, "labels": ["a", "b"], "host": "one"}


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        ({}, False),
        ({"width": 8}, False),
        ({"width": 9}, True),
        ({"labels": ["b", "a"]}, False),
        ({"labels": ["a"]}, True),
        ({"note": "new"}, True),
        ({"host": "two"}, False),
        ({"host": UNKNOWN}, False),
        ({"width": UNKNOWN}, True),
        ({"labels": [UNKNOWN]}, True),
        ({"wood": "oak"}, False),
        ({"computed": "ignored"}, False),
    ],
)
def test_diff_compares_inputs_field_by_field(provider: ShelfProvider, edit: dict[str, Any], *, changed: bool) -> None:
    assert provider.diff("1", KNOWN, KNOWN | edit).changes is changed


def test_diff_never_replaces_what_holds_data(provider: ShelfProvider) -> None:
    """H1, design rule 2: `replaces` stays empty even when a field is listed in both sets."""
    stateful = provider.diff("1", KNOWN, KNOWN | {"wood": "ash"})
    assert (stateful.changes, stateful.replaces) == (True, [])
    immutable = provider.diff("1", KNOWN, KNOWN | {"plan": "b"})
    assert (immutable.replaces, immutable.delete_before_replace) == (["plan"], True)


def test_a_stateful_change_that_reaches_update_is_one_sentence(provider: ShelfProvider) -> None:
    with pytest.raises(StatefulChangeError, match=r"^shelf 7: wood cannot be changed in place.*`tenantry validate`"):
        provider.changes_in_place("7", KNOWN, KNOWN | {"wood": "ash", "width": 9})
    assert provider.changes_in_place("7", KNOWN, KNOWN | {"width": 9}) == {"width"}


def test_a_recorded_value_is_read_even_if_no_program_may_ask_for_it() -> None:
    """A refresh records drift: a description without a mark must not make the next read fail."""
    assert ShelfInputs.recorded({"name": "s", "width": -1.0, "__provider": "x"}).props()["width"] == -1.0


def test_declared_properties_are_the_arguments_and_the_outputs() -> None:
    args = DatabaseArgs(cluster_id="7", name="main", mark="m")
    assert declared(args, "host") == {"cluster_id": "7", "name": "main", "mark": "m", "host": None}


def test_the_public_classes_are_all_there_are() -> None:
    """A class that moves leaves a re-export behind, else users' states cannot be read any more."""
    for module in pkgutil.walk_packages(dynamic_providers.__path__, "dynamic_providers."):
        importlib.import_module(module.name)
    families, found = [TypedProvider], set()
    while families:
        for kind in families.pop().__subclasses__():
            families.append(kind)
            if kind.__module__.startswith("dynamic_providers.") and hasattr(kind, "inputs"):
                found.add(f"{kind.__module__}.{kind.__name__}")
    assert found == PUBLIC_CLASSES


@pytest.mark.parametrize("path", sorted(PUBLIC_CLASSES))
def test_a_provider_is_pickled_as_a_reference_to_its_public_path(path: str) -> None:
    """H3: nothing but the module path is in the state; what a token or an address would be in is not."""
    module, name = path.rsplit(".", 1)
    provider = getattr(importlib.import_module(module), name)()
    pickled = base64.b64decode(serialize_provider(provider))
    assert len(pickled) < 120
    assert module.encode() in pickled
    assert type(dill.loads(pickled)) is type(provider)  # noqa: S301  pickled one line above
    assert provider.__dict__ == {}
    assert provider.serialize_as_secret_always is False
