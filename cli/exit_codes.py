"""The exit codes of every command, in one place."""

DONE = 0
USER_ERROR = 1
USAGE = 2
ENGINE_ERROR = 3
CHANGES_PENDING = 4
REFUSED_BY_POLICY = 5
