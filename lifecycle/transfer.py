"""One tenant's schema carried from one database into another, and the two compared."""

from functools import partial
from tempfile import TemporaryFile

import psycopg
from psycopg import sql

from dynamic_providers.postgres.connection import transact
from lifecycle.contents import Contents, contents
from lifecycle.courier import LIMITS, TenantPlace, connect, courier
from lifecycle.dump import dump, sentence
from lifecycle.errors import DataError
from lifecycle.load import load
from lifecycle.programs import Programs


def transfer(source: TenantPlace, target: TenantPlace, programs: Programs) -> tuple[str, ...]:
    """Make the target hold what the source holds, and nothing else; answers what a human should look at.

    What the target held before is gone: a copy that was cut off, or a generation that has served once.

    Raises:
        DataError: and its kinds; the target is as it was, or holds all of the copy.
        PostgresError: a cluster's admin was refused, or cannot reach it.

    """
    # Set aside by the load in one transaction with it, and dropped after it: a kill in between leaves it to the next.
    aside = f"{target.login}_aside"
    _drop_schema(target, aside)
    with TemporaryFile(prefix="tenantry-") as archive:
        told = dump(source, archive, programs)
        if told.left_out:
            raise DataError(f"{source} has {', '.join(told.left_out)}, which a copy does not hold: they would be lost")
        archive.seek(0)
        loaded = load(target, archive, programs, keep_as=aside)
    _drop_schema(target, aside)
    return loaded.notes


def compared(source: TenantPlace, target: TenantPlace) -> list[str]:
    """In words, where the target's rows, checksums or sequences are not the source's."""
    return _figures(source).differences(_figures(target))


def _figures(place: TenantPlace) -> Contents:
    with courier(place) as address, connect(address) as connection:
        try:
            return contents(connection, place.schema)
        except psycopg.Error as error:
            raise DataError(f"{place} cannot be compared: {sentence(error)}") from None


def _drop_schema(place: TenantPlace, schema: str) -> None:
    transact(place.address, partial(_drop, schema), LIMITS)


def _drop(schema: str, connection: psycopg.Connection) -> None:
    connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
