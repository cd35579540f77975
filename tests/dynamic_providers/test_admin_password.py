"""Admin passwords are derived, the same way for ever."""

import hmac

import pytest

from dynamic_providers.admin_password import derive_admin_password

MARK = "tenantry:prod:shared-free-1-cluster-1"


def test_the_derivation_never_changes() -> None:
    """A18: 32 hex characters. A change would lock tenantry out of every cluster it made."""
    extracted = hmac.digest(b"tenantry cluster admin", b"correct horse", "sha256")
    by_hand = hmac.digest(extracted, MARK.encode() + b"\x01", "sha256")[:16].hex()
    assert derive_admin_password("correct horse", MARK) == by_hand == "ffee3b1bf59579844c906d691eeb43f8"


def test_clusters_generations_and_secrets_have_passwords_of_their_own() -> None:
    pairs = [("s", MARK), ("s", MARK.replace("-1-cluster", "-2-cluster")), ("s", MARK[:-1] + "2"), ("t", MARK)]
    assert len({derive_admin_password(*pair) for pair in pairs}) == len(pairs)


def test_without_a_secret_nothing_is_derived() -> None:
    with pytest.raises(ValueError, match="tenantry:adminSecret is not set"):
        derive_admin_password("", MARK)
