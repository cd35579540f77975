"""The admin password of a database cluster: derived where it is needed, kept nowhere (design rule 6)."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SALT = b"tenantry cluster admin"
BYTES = 16


def derive_admin_password(secret: str, cluster_mark: str) -> str:
    """HKDF-SHA256 of the fleet's admin secret and the cluster's mark: 32 hex characters.

    The mark holds base stack, cluster name and generation, so no two clusters share a password and a rebuilt cluster
    gets a new one. Changing the salt, the length or the mark's text locks tenantry out of every cluster it made.

    Raises ValueError when the secret is empty.
    """
    if not secret:
        raise ValueError("tenantry:adminSecret is not set: admin passwords are derived from it")
    derived = HKDF(algorithm=SHA256(), length=BYTES, salt=SALT, info=cluster_mark.encode())
    return derived.derive(secret.encode()).hex()
