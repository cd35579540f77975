"""Where the platform database is: the setting's text, read once and never shown."""

from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from dynamic_providers.errors import ProviderError
from dynamic_providers.postgres.connection import Address

SETTING = "platform:databaseUrl"
DEFAULT_PORT = 5432
# What libpq takes without a word, `prefer`, also takes a server that offers no TLS.
DEFAULT_SSLMODE = "require"


def platform_address(text: str) -> Address:
    """The database that `postgresql://login:password@host:port/database?sslmode=…&sslrootcert=FILE` names.

    Raises ProviderError, without a word of the text, where something of it is missing.
    """
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(text).items() if value is not None}
        return Address(
            host=parts["host"],
            port=int(parts.get("port", DEFAULT_PORT)),
            database=parts["dbname"],
            login=parts["user"],
            password=parts["password"],
            sslmode=parts.get("sslmode", DEFAULT_SSLMODE),
            ca=Path(file).read_text(encoding="utf-8") if (file := parts.get("sslrootcert")) else None,
        )
    except OSError as error:
        raise ProviderError(f"setting {SETTING}: sslrootcert cannot be read: {error.strerror}") from None
    except (psycopg.Error, KeyError, ValueError):
        # Not chained: the driver quotes what it cannot read, and the password is a part of it.
        raise ProviderError(
            f"setting {SETTING} is no address of a database: write postgresql://login:password@host:port/database"
        ) from None
