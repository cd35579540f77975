"""Schemas that are called the same in every database."""

DEDICATED_SCHEMA = "public"
"""Where a tenant lives that has a database to itself."""
EXTENSIONS_SCHEMA = "extensions"
"""The admin's; holds the plan's trusted extensions, for tenants to use and not to change."""
