"""Passwords that are derived where they are needed and kept nowhere: a cluster's admin's, a tenant's access roles'.

Design rule 6.
"""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SALT = b"tenantry cluster admin"
ACCESS_SALT = b"tenantry access role"
BYTES = 16


def derive_admin_password(secret: str, cluster_mark: str) -> str:
    """HKDF-SHA256 of the fleet's admin secret and the cluster's mark: 32 hex characters.

    The mark holds base stack, cluster name and generation, so no two clusters share a password and a rebuilt cluster
    gets a new one. Changing the salt, the length or the mark's text locks tenantry out of every cluster it made.

    Raises ValueError when the secret is empty.
    """
    return _derived(secret, SALT, cluster_mark)


def derive_access_password(secret: str, mark: str, role: str) -> str:
    """HKDF-SHA256 of the fleet's admin secret, the mark of the tenant's setup and the role's name: 32 hex characters.

    The mark holds the generation, so a tenant that has moved has other ones. Raises ValueError for an empty secret.
    """
    return _derived(secret, ACCESS_SALT, f"{mark} {role}")


def _derived(secret: str, salt: bytes, what: str) -> str:
    if not secret:
        raise ValueError("tenantry:adminSecret is not set: passwords are derived from it")
    return HKDF(algorithm=SHA256(), length=BYTES, salt=salt, info=what.encode()).derive(secret.encode()).hex()
