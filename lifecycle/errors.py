"""What goes wrong with a tenant's data, sorted by who can do something about it.

DataError                a copy of a tenant's data could not be made or used; one sentence, nothing is half done
├── ProgramError         pg_dump or pg_restore is missing or too old
└── DamagedError         an archive, or what was restored from it, is not what it should be
"""


class DataError(Exception):
    """A copy of a tenant's data could not be made or used; the text is one sentence and holds no secret."""


class ProgramError(DataError):
    """A program of PostgreSQL is missing here, or too old for the server."""


class DamagedError(DataError):
    """An archive cannot be read, or its contents are not those that were written."""
