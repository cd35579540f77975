"""Connection strings for tenants."""

import re
from urllib.parse import quote

from dynamic_providers.postgres.names import EXTENSIONS_SCHEMA

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def database_url(
    *, login: str, password: str, host: str, port: int, database: str, schema: str | None, sslmode: str
) -> str:
    """`postgresql://login:password@host:port/database?sslmode=…&options=-c%20search_path%3D…`, every part quoted.

    The path names the database and the options the schema (G10), then that of the extensions; None for a pooler that
    refuses options, where the login's own search path has to do. The text is a secret.
    """
    place = f"[{host}]" if ":" in host else host
    query = f"sslmode={_quoted(sslmode)}"
    if schema is not None:
        option = f"-c search_path={_escaped(search_path(schema))}"
        query += f"&options={_quoted(option)}"
    return f"postgresql://{_quoted(login)}:{_quoted(password)}@{place}:{port}/{_quoted(database)}?{query}"


def search_path(schema: str) -> str:
    """Where a tenant's names are looked for: in its schema, then in that of the extensions; without blanks."""
    names = (schema, EXTENSIONS_SCHEMA)
    return ",".join(name if _PLAIN_NAME.fullmatch(name) else '"' + name.replace('"', '""') + '"' for name in names)


def _escaped(value: str) -> str:
    """Blanks end an option and backslashes quote, so both are quoted."""
    return re.sub(r"([\\\s])", r"\\\1", value)


def _quoted(text: str) -> str:
    return quote(text, safe="")
