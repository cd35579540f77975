"""What goes wrong with a tenant's data, sorted by who can do something about it.

DataError                a copy of a tenant's data could not be made or used; one sentence, nothing is half done
├── MistakeError         asked for in a way that cannot be: a missing setting, a backup that is not there
│   ├── ProgramError     pg_dump or pg_restore is missing or too old
│   └── RefusedError     a statement that may not be run, or that its database refused
├── StoreError           the offsite store refused, or was not reached
└── DamagedError         an archive, or what was restored from it, is not what it should be
"""


class DataError(Exception):
    """A copy of a tenant's data could not be made or used; the text is one sentence and holds no secret."""


class MistakeError(DataError):
    """What was asked for cannot be; nothing was begun."""


class ProgramError(MistakeError):
    """A program of PostgreSQL is missing here, or too old for the server."""


class RefusedError(MistakeError):
    """A statement was not run, or nothing of it is left; the text says why and nothing of where."""


class StoreError(DataError):
    """The offsite store refused a request, or did not answer."""


class DamagedError(DataError):
    """An archive cannot be read, or its contents are not those that were written."""
