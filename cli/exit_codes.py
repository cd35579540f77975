"""The exit codes of every command, in one place."""

from collections.abc import Mapping

DONE = 0
USER_ERROR = 1
USAGE = 2
ENGINE_ERROR = 3
CHANGES_PENDING = 4
REFUSED_BY_POLICY = 5
INTERRUPTED = 130

MEANINGS: Mapping[int, str] = {
    DONE: "done",
    USER_ERROR: "your mistake, told in a sentence; nothing was changed",
    USAGE: "wrong usage: an unknown command or option, or nobody to ask and no `--yes`",
    ENGINE_ERROR: "the provider or the engine failed, or a proof does not hold",
    CHANGES_PENDING: "changes are pending where a check was asked for",
    REFUSED_BY_POLICY: "refused because data would go",
    INTERRUPTED: "interrupted by ctrl-C or SIGTERM; what was under way has ended and is recorded",
}
