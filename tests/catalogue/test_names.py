"""Names at the providers and in the state: each follows from id and generation, and keeps to its provider's rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.names import (
    bucket_name,
    cluster_vendor_name,
    dedicated_cluster_name,
    logical_name,
    login_name,
    owner_name,
    schema_name,
    shared_cluster_name,
    storage_user_name,
)

IDS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True)


def test_the_names_of_a_tenant_are_those_in_everybodys_state() -> None:
    """A16, A22, A33, G11."""
    assert logical_name("acme", "storage-user", 1) == "acme-storage-user-1"
    assert logical_name("shared-free-1", "cluster", 2) == "shared-free-1-cluster-2"
    assert shared_cluster_name("pro-plus", 3) == "shared-pro-plus-3"
    assert dedicated_cluster_name("acme") == "customer-acme"
    assert bucket_name("acme", 1) == "customer-acme"
    assert storage_user_name("prod", "acme", 1) == "prod-acme"
    assert (schema_name("acme"), owner_name("acme"), login_name("acme")) == ("c_acme", "c_acme_owner", "c_acme")


def test_providers_see_the_generation_from_the_second_on() -> None:
    """F22."""
    assert cluster_vendor_name("shared-free-1", 1) == "shared-free-1"
    assert cluster_vendor_name("customer-acme", 2) == "customer-acme-2"
    assert bucket_name("acme", 2) == "customer-acme-2"
    assert storage_user_name("prod", "acme", 2) == "prod-acme-2"


@given(IDS)
def test_every_id_gives_names_that_fit_everywhere(tenant: str) -> None:
    """F9: buckets, 63-byte identifiers, DNS labels."""
    assert len(bucket_name(tenant, 99)) <= 63
    assert len(cluster_vendor_name(dedicated_cluster_name(tenant), 99)) <= 63
    assert len(owner_name(tenant).encode()) <= 63
    assert len(storage_user_name("prod", tenant, 99)) <= 64


@pytest.mark.parametrize("ending", ["-s3alias", "--ol-s3", "--x-s3", "--table-s3"])
def test_endings_that_s3_keeps_for_itself_are_refused(ending: str) -> None:
    with pytest.raises(ValueError, match="S3 keeps names that end in"):
        bucket_name(f"acme{ending}", 1)


@pytest.mark.parametrize("bad", ["", "Acme", "a_b", "-a", "a-", "a" * 41])
def test_what_is_no_tenant_id_gives_no_names(bad: str) -> None:
    for name in (dedicated_cluster_name, schema_name, owner_name, login_name):
        with pytest.raises(ValueError, match="no DNS label of at most 40 characters"):
            name(bad)


def test_a_generation_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="generations count from 1"):
        bucket_name("acme", 0)
    with pytest.raises(ValueError, match="generations count from 1"):
        logical_name("acme", "bucket", 0)


def test_a_prefix_that_makes_the_storage_user_too_long_is_refused_with_both_ways_out() -> None:
    """G5."""
    with pytest.raises(ValueError, match=r"has 66 characters, at most 64: shorten the prefix 'p{25}' or the id"):
        storage_user_name("p" * 25, "a" * 40, 1)
    assert len(storage_user_name("p" * 23, "a" * 40, 1)) == 64
