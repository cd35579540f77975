"""Schemas that are called the same in every database, and which role of a tenant goes with which."""

DEDICATED_SCHEMA = "public"
"""Where a tenant lives that has a database to itself."""
EXTENSIONS_SCHEMA = "extensions"
"""The admin's; holds the plan's trusted extensions, for tenants to use and not to change."""
AUTH_SCHEMA = "auth"
"""The admin's; holds `auth.uid()`, for the policies of tenants to call and not to change."""
STORAGE_SCHEMA = "storage"
"""A second schema of a tenant that has a database to itself."""

OWNER_ENDING = "_owner"
# Logins that have an ending too, by what they begin with: `tenant_acme_user` and `tenant_acme_owner`.
_LOGIN_ENDINGS = {"tenant_": "_user"}


def roles_of(role: str) -> tuple[str, str]:
    """The tenant's owner and login, from the name of either."""
    ending = next((found for start, found in _LOGIN_ENDINGS.items() if role.startswith(start)), "")
    base = role.removesuffix(OWNER_ENDING) if role.endswith(OWNER_ENDING) else role.removesuffix(ending)
    return f"{base}{OWNER_ENDING}", f"{base}{ending}"
