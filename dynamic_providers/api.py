"""The one way our clients speak HTTP: base URL, token, time-outs, pace, retries by error class, errors with no secret.

What is repeated, up to a deadline, with exponential backoff and jitter:

| answer | GET, PUT, PATCH, DELETE | POST |
| --- | --- | --- |
| 429, or no connection at all: proven not executed | yes | yes |
| 5xx, silence, a bare 404: executed or not, nobody knows | yes | never: `UncertainError`, look for the mark first |
| anything else | never | never |

Some vendors promise more (`Promise`): that nothing was executed when they answer 423 or 503, so that even a POST may be
repeated, the former for as long as what stands in its way may take.

What has used up its deadline without an answer, and a token that is refused, end the calls of others too: `circuit`.
"""

import hashlib
import ssl
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import stamina

from dynamic_providers.circuit import Circuit
from dynamic_providers.errors import (
    AbsentError,
    ApiError,
    BusyError,
    DeadlineError,
    DoubtfulAbsenceError,
    LockedError,
    NoAnswerError,
    NotSentError,
    ProviderError,
    RateLimitedError,
    RefusedError,
    TokenRefusedError,
    TransportError,
    UnavailableError,
    UncertainError,
)
from dynamic_providers.limiter import Limiter
from dynamic_providers.masking import mask, secrets_in

IDEMPOTENT = frozenset({"GET", "PUT", "PATCH", "DELETE"})
NOT_EXECUTED = (RateLimitedError, NotSentError, BusyError)
UNKNOWN = (UnavailableError, NoAnswerError, DoubtfulAbsenceError)
PROMISED: Mapping[int, type[ApiError]] = {HTTPStatus.LOCKED: LockedError, HTTPStatus.SERVICE_UNAVAILABLE: BusyError}
NEVER_CONNECTED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
BODY_LIMIT = 2000


@dataclass(frozen=True)
class Patience:
    """How one call is repeated, in seconds: pauses double from `first_pause` to `longest_pause`, jitter on top."""

    deadline: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 10.0
    jitter: float = 0.5


@dataclass(frozen=True)
class Promise:
    """A vendor's word that 423 and 503 mean: not executed. `locked_seconds` is how long a 423 is waited out."""

    locked_seconds: float


@dataclass(frozen=True)
class Call:
    """One request. `template` names the endpoint, for the pace; `ids` fill it. `secrets` are starred in errors."""

    method: str
    template: str
    ids: Mapping[str, str | int] = field(default_factory=dict)
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    form: Mapping[str, str] | None = None
    auth: httpx.Auth | None = None
    secrets: tuple[str, ...] = ()
    idempotent: bool = False

    @property
    def path(self) -> str:
        """The template with its ids."""
        return self.template.format_map({name: quote(str(value), safe="") for name, value in self.ids.items()})

    @property
    def repeatable(self) -> bool:
        """Whether executing it twice is the same as once."""
        return self.idempotent or self.method in IDEMPOTENT


class Bearer(httpx.Auth):
    """`Authorization: Bearer <token>`."""

    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds the header."""
        request.headers["Authorization"] = self._header
        yield request


class Api:
    """One vendor endpoint. Read-only once constructed, so any number of threads share it.

    `absent` tells the vendor's canonical not-found answer from a bare 404. The token identifies the account to the
    limiter (hashed) and is sent unless a call brings its own `auth`; `setting` is where an operator sets it.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        limiter: Limiter,
        absent: Callable[[httpx.Response], bool],
        vendor: str = "Timeweb",
        setting: str = "the token",
        patience: Patience = Patience(),
        promise: Promise | None = None,
        circuit: Circuit | None = None,
        transport: httpx.BaseTransport | None = None,
        timeout: float = 30.0,
    ) -> None:
        address = urlsplit(base_url)
        if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
            raise ProviderError(f"{vendor}: {base_url!r} is no https address, the token would travel in the clear")
        self._base_url = base_url.rstrip("/")
        self._vendor = vendor
        self._account = hashlib.sha256(token.encode()).hexdigest()[:16]
        self._token = token
        self._limiter = limiter
        self._absent = absent
        self._patience = patience
        self._promise = promise
        self._circuit = circuit or Circuit()
        self._setting = setting
        self._client = httpx.Client(
            base_url=self._base_url,
            auth=Bearer(token),
            headers={"Accept": "application/json", "User-Agent": "tenantry"},
            timeout=httpx.Timeout(timeout, connect=10.0),
            transport=transport,
            verify=_tls() if address.scheme == "https" else False,
        )
        weakref.finalize(self, self._client.close)

    def request(self, call: Call) -> httpx.Response:
        """The 2xx answer to a call, after as many repetitions as its error classes allow.

        Raises ApiError or TransportError; UncertainError for a create that may have been executed; DeadlineError for
        one that was put off by 423 until its deadline.
        """
        if self._promise is None:
            return self._request(call)
        patience = replace(self._patience, deadline=self._promise.locked_seconds)
        try:
            for attempt in repeated(patience, lambda error: isinstance(error, LockedError)):
                with attempt:
                    return self._request(call)
        except LockedError as error:
            raise DeadlineError(
                f"{self._vendor}: {call.method} {call.path} was put off for {patience.deadline:g} s, run again later: "
                f"{error}"
            ) from error
        raise AssertionError("stamina ends with a result or an error")

    def _request(self, call: Call) -> httpx.Response:
        began = self._circuit.clock()
        passes = partial(may_repeat, repeatable=call.repeatable)
        try:
            for attempt in repeated(self._patience, passes):
                with attempt:
                    return self._once(call)
        except ProviderError as error:
            if passes(error):
                self._lost(call, error, began)
            if isinstance(error, UNKNOWN) and not isinstance(error, NOT_EXECUTED) and not call.repeatable:
                raise UncertainError(f"{call.method} {call.path} may have been executed: {error}") from error
            raise
        raise AssertionError("stamina ends with a result or an error")

    def _once(self, call: Call) -> httpx.Response:
        endpoint = f"{call.method} {self._base_url}{call.template}"
        token = f"token of {self._base_url}"
        keys = (self._base_url, endpoint) if call.auth else (self._base_url, endpoint, token)
        self._circuit.check(*keys)
        self._limiter.acquire(f"{endpoint} {self._account}")
        try:
            response = self._client.request(
                call.method,
                call.path,
                params=dict(call.query) or None,
                json=call.body,
                data=call.form,
                auth=call.auth or httpx.USE_CLIENT_DEFAULT,
            )
        except httpx.RequestError as error:
            kind: type[TransportError] = NotSentError if isinstance(error, NEVER_CONNECTED) else NoAnswerError
            raise kind(f"{self._vendor}: no answer to {call.method} {call.path} ({type(error).__name__})") from error
        self._circuit.answered(*((self._base_url,) if response.is_server_error else keys))
        if response.is_success:
            return response
        failure = self._error(call, response)
        if isinstance(failure, TokenRefusedError):
            self._circuit.refused(token, str(failure))
        raise failure

    def _lost(self, call: Call, error: ProviderError, began: float) -> None:
        """Notes what the whole deadline was waited for in vain: the host, or one endpoint of it that only fails."""
        if isinstance(error, TransportError):
            key, what = self._base_url, f"{self._base_url} has not answered"
        elif isinstance(error, UnavailableError):
            key = f"{call.method} {self._base_url}{call.template}"
            what = f"{key} has answered nothing but errors"
        else:
            return
        sentence = (
            f"{self._vendor}: {what} for {self._patience.deadline:g} s: run again when it works; not asked again now"
        )
        self._circuit.lost(key, began, sentence)

    def _error(self, call: Call, response: httpx.Response) -> ApiError:
        secrets = {self._token, *call.secrets, *secrets_in(call.body)}
        body = mask(response.text, secrets)[:BODY_LIMIT]
        if response.status_code == HTTPStatus.UNAUTHORIZED and call.auth is None:
            return TokenRefusedError(self._vendor, response.status_code, body, self._setting)
        kind = error_class(response, absent=self._absent, promised=self._promise is not None)
        error = kind(self._vendor, response.status_code, body)
        error.add_note(f"{call.method} {call.path}")
        return error


def repeated(patience: Patience, on: Callable[[Exception], bool]) -> Iterable[stamina.Attempt]:
    """Attempts until one succeeds, fails in a way that `on` does not accept, or the deadline is over."""
    return stamina.retry_context(
        on=on,
        attempts=None,
        timeout=patience.deadline,
        wait_initial=patience.first_pause,
        wait_max=patience.longest_pause,
        wait_jitter=patience.jitter,
    )


def may_repeat(error: Exception, *, repeatable: bool) -> bool:
    """The retry policy: see the table at the top."""
    return isinstance(error, NOT_EXECUTED) or (repeatable and isinstance(error, UNKNOWN))


def error_class(
    response: httpx.Response, *, absent: Callable[[httpx.Response], bool], promised: bool = False
) -> type[ApiError]:
    """What an answer outside 2xx means to the caller."""
    if promised and (kind := PROMISED.get(response.status_code)):
        return kind
    if response.status_code == HTTPStatus.NOT_FOUND:
        return AbsentError if absent(response) else DoubtfulAbsenceError
    if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimitedError
    return UnavailableError if response.is_server_error else RefusedError


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()
