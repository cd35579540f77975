"""Everything a provider can raise, sorted by what the caller can do about it.

ProviderError                 one sentence for the operator; holds no secret
├── ApiError                  an answer outside 2xx: `Timeweb API error: <status> <body>`
│   ├── AbsentError           proven absent by the vendor's own signal: a 404 with error_code, NoSuchEntity
│   ├── DoubtfulAbsenceError  a bare 404: the edge, not the API, answered; ask again, never take it for absence
│   ├── RateLimitedError      429: proven not executed, repeat it after a pause
│   ├── LockedError           423 where its vendor says so: put off until what is running has ended, not executed
│   ├── UnavailableError      5xx: executed or not, nobody knows
│   │   └── BusyError         503 where its vendor says so: not executed, repeat it after a pause
│   └── RefusedError          any other answer: repeating it changes nothing
│       └── TokenRefusedError 401: the same for every call until the setting is mended
├── TransportError            no answer at all
│   ├── NotSentError          no connection: the request never left, repeat it
│   └── NoAnswerError         sent, then silence: executed or not, nobody knows
├── AwayError                 not sent, since another call of this process has found out that nothing answers there
├── UncertainError            a create that may have been executed: look for the mark before anything else
├── DeadlineError             an object did not become what was asked for in time
├── FailedStateError          an object is in a state it does not leave by itself
│   └── FailedOperationError  a step that the vendor had begun has failed
├── ShapeError                an answer that is not of the documented shape
├── ConfirmationNeededError   the vendor wants a human to confirm a delete
├── AmbiguousMarkError        two objects carry one mark, or one object carries somebody else's
├── TenantProjectError        a tenant's Neon project could not be made or deleted; says why
├── StatefulChangeError       an edit that would need another object; `tenantry validate` refuses it beforehand
└── PresetError               no size, or several, match what was asked for
"""

from collections.abc import Iterable


class ProviderError(Exception):
    """A provider operation failed; the text is one sentence for the operator and holds no secret."""


class ApiError(ProviderError):
    """An answer outside 2xx. `body` is already masked."""

    def __init__(self, vendor: str, status: int, body: str) -> None:
        super().__init__(f"{vendor} API error: {status} {body}")
        self.status = status
        self.body = body


class AbsentError(ApiError):
    """The vendor says in its own form that the object does not exist."""


class DoubtfulAbsenceError(ApiError):
    """A 404 without the vendor's error envelope: it proves nothing."""


class RateLimitedError(ApiError):
    """429: the request was not executed."""


class LockedError(ApiError):
    """423 of a vendor that promises: the request was not executed, and may be repeated."""


class UnavailableError(ApiError):
    """5xx: the request may have been executed."""


class BusyError(UnavailableError):
    """503 of a vendor that promises: the request was not executed, and may be repeated."""


class RefusedError(ApiError):
    """Any other answer outside 2xx; the same request gets the same answer."""


class TokenRefusedError(RefusedError):
    """401. The text names the setting in place of the body, so that it is the same for every object of a run."""

    def __init__(self, vendor: str, status: int, body: str, setting: str) -> None:
        text = f"{vendor} API error: {status} the token is not accepted: set {setting} to a valid one, then run again"
        ProviderError.__init__(self, text)
        self.status = status
        self.body = body


class TransportError(ProviderError):
    """No answer came back."""


class NotSentError(TransportError):
    """No connection was made, so the request was not executed."""


class NoAnswerError(TransportError):
    """The request left and no answer came; it may have been executed."""


class AwayError(ProviderError):
    """Nothing was sent: see `circuit`. The next run asks again."""


class UncertainError(ProviderError):
    """A create whose outcome is unknown; whoever sent it looks for the mark before sending it again."""


class DeadlineError(ProviderError):
    """An object did not reach its wanted state in time; the next run goes on waiting for it."""


class FailedStateError(ProviderError):
    """An object is in a state that waiting does not end."""


class FailedOperationError(FailedStateError):
    """A step of the vendor's failed; the text names it by its id."""


class ShapeError(ProviderError):
    """An answer cannot be read; values are left out of the text."""


class ConfirmationNeededError(ProviderError):
    """The vendor keeps the object until a human confirms the delete in its panel."""


class AmbiguousMarkError(ProviderError):
    """Ownership is not clear, so nothing is taken over and nothing is made."""


class PresetError(ProviderError):
    """A size is offered by no preset, or by several."""


class TenantProjectError(ProviderError):
    """`Failed to create tenant project: <reason>` and the like (B22); its cause is the reason's own error."""


class StatefulChangeError(ProviderError):
    """A change of what holds data reached a provider; `validate` would have refused it."""

    def __init__(self, kind: str, id_: str, fields: Iterable[str]) -> None:
        names = ", ".join(sorted(fields))
        super().__init__(
            f"{kind} {id_}: {names} cannot be changed in place, it holds data: run `tenantry validate` and plan a move"
        )
