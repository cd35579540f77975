"""One call: what is repeated, what never is, and what an error says."""

import gc
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import httpx
import pytest

from dynamic_providers.api import Api, Call, Patience, Promise
from dynamic_providers.errors import (
    AbsentError,
    ApiError,
    DeadlineError,
    DoubtfulAbsenceError,
    NoAnswerError,
    NotSentError,
    ProviderError,
    RateLimitedError,
    RefusedError,
    UnavailableError,
    UncertainError,
)
from dynamic_providers.limiter import HostLimiter
from dynamic_providers.timeweb.client import not_found

BRIEF = Patience(deadline=0.2, first_pause=0.001, longest_pause=0.002, jitter=0.001)
AMPLE = Patience(deadline=30, first_pause=0.001, longest_pause=0.002, jitter=0.001)
GONE = httpx.Response(404, json={"status_code": 404, "error_code": "not_found", "response_id": "1"})
Event = httpx.Response | Exception


class Wire(httpx.BaseTransport):
    """Answers with a script; the last entry repeats."""

    def __init__(self, *script: Event) -> None:
        self._script: Iterator[Event] = chain(script, repeat(script[-1]))
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The next entry."""
        request.read()
        self.requests.append(request)
        event = next(self._script)
        if isinstance(event, Exception):
            raise event
        return httpx.Response(event.status_code, content=event.content, headers=event.headers)


class NoLimit:
    """Counts instead of pacing."""

    def __init__(self) -> None:
        self.endpoints: list[str] = []

    def acquire(self, endpoint: str) -> None:
        """Lets it pass."""
        self.endpoints.append(endpoint)


def api(wire: Wire, patience: Patience = AMPLE, limiter: NoLimit | None = None, promise: Promise | None = None) -> Api:
    return Api(
        "https://api.example/",
        "t0p-s3cret-token",
        limiter=limiter or NoLimit(),
        absent=not_found,
        patience=patience,
        promise=promise,
        transport=wire,
    )


def call(method: str) -> Call:
    return Call(method, "/things/{thing}", {"thing": 7})


OK = httpx.Response(200, json={"thing": {}})
BARE = httpx.Response(404, text="<html>404</html>")
SILENCE = httpx.ReadTimeout("")
CLOSED = httpx.RemoteProtocolError("")
REFUSED = httpx.ConnectError("")

FAILURES: dict[str, tuple[Event, type[ProviderError]]] = {
    "429": (httpx.Response(429), RateLimitedError),
    "no connection": (REFUSED, NotSentError),
    "500": (httpx.Response(500), UnavailableError),
    "503": (httpx.Response(503), UnavailableError),
    "silence": (SILENCE, NoAnswerError),
    "closed": (CLOSED, NoAnswerError),
    "bare 404": (BARE, DoubtfulAbsenceError),
    "gone": (GONE, AbsentError),
    "400": (httpx.Response(400), RefusedError),
    "401": (httpx.Response(401), RefusedError),
    "409": (httpx.Response(409), RefusedError),
    "422": (httpx.Response(422), RefusedError),
    "423": (httpx.Response(423), RefusedError),
    "302": (httpx.Response(302, headers={"Location": "https://evil.example"}), RefusedError),
}
ALWAYS = {"429", "no connection"}
IF_IDEMPOTENT = {"500", "503", "silence", "closed", "bare 404"}


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize("name", FAILURES)
def test_the_retry_policy_is_this_table(method: str, name: str) -> None:
    """A6, G17, G43: what is repeated depends on the error class and on the method, and nothing else."""
    failure, _ = FAILURES[name]
    wire = Wire(failure, failure, OK)
    repeated = name in ALWAYS or (name in IF_IDEMPOTENT and method != "POST")
    if repeated:
        assert api(wire).request(call(method)).status_code == 200
        assert len(wire.requests) == 3
    else:
        with pytest.raises(ProviderError):
            api(wire).request(call(method))
        assert len(wire.requests) == 1


@pytest.mark.parametrize("name", FAILURES)
def test_an_error_that_lasts_is_raised_as_its_class_at_the_deadline(name: str) -> None:
    failure, kind = FAILURES[name]
    wire = Wire(failure)
    with pytest.raises(kind):
        api(wire, BRIEF).request(call("GET"))
    assert (len(wire.requests) > 1) == (name in ALWAYS | IF_IDEMPOTENT)


@pytest.mark.parametrize("name", sorted(IF_IDEMPOTENT))
def test_a_create_that_may_have_been_executed_is_uncertain(name: str) -> None:
    with pytest.raises(UncertainError, match=r"^POST /things/7 may have been executed: ") as caught:
        api(Wire(FAILURES[name][0]), BRIEF).request(call("POST"))
    assert isinstance(caught.value.__cause__, FAILURES[name][1])


def test_a_post_that_is_idempotent_is_repeated_like_a_put() -> None:
    wire = Wire(SILENCE, OK)
    api(wire).request(replace(call("POST"), idempotent=True))
    assert len(wire.requests) == 2


def test_only_the_envelope_with_error_code_proves_absence() -> None:
    """G17."""
    bodies: list[object] = [{"status_code": 404}, [], "not found", {"error_code": ""}]
    for body in bodies:
        with pytest.raises(UncertainError) as caught:
            api(Wire(httpx.Response(404, json=body))).request(call("POST"))
        assert isinstance(caught.value.__cause__, DoubtfulAbsenceError)


def test_the_text_is_vendor_status_and_body() -> None:
    """A7."""
    answer = httpx.Response(400, json={"error_code": "bad_request", "message": "no such preset"})
    with pytest.raises(ApiError) as caught:
        api(Wire(answer)).request(call("PATCH"))
    assert str(caught.value) == f"Timeweb API error: 400 {answer.text}"
    assert caught.value.__notes__ == ["PATCH /things/7"]


def test_no_secret_is_in_an_error() -> None:
    """A7: neither the token, nor what was sent, nor what came back."""
    echo = httpx.Response(
        400,
        json={
            "message": "bad password p4ssw0rd-sent, key k3y-given, token t0p-s3cret-token",
            "password": "p4ssw0rd-answered",
        },
    )
    with pytest.raises(ApiError) as caught:
        api(Wire(echo)).request(
            replace(call("POST"), body={"admin": {"password": "p4ssw0rd-sent"}}, secrets=("k3y-given",))
        )
    text = repr(caught.value) + str(caught.value.__notes__)
    assert not [s for s in ("p4ssw0rd-sent", "p4ssw0rd-answered", "k3y-given", "t0p-s3cret-token") if s in text]


def test_a_long_body_is_cut() -> None:
    with pytest.raises(ApiError) as caught:
        api(Wire(httpx.Response(400, text="x" * 10**6))).request(call("GET"))
    assert len(str(caught.value)) < 3000


def test_what_is_sent() -> None:
    """A3: bearer token and JSON."""
    wire = Wire(OK)
    api(wire).request(Call("POST", "/a/{b}", {"b": "x/y"}, query={"limit": 5}, body={"name": "n"}))
    request = wire.requests[0]
    assert str(request.url) == "https://api.example/a/x%2Fy?limit=5"
    assert request.headers["authorization"] == "Bearer t0p-s3cret-token"
    assert request.headers["content-type"] == "application/json"
    assert request.content == b'{"name":"n"}'


def test_a_redirect_is_not_followed_with_the_token() -> None:
    wire = Wire(httpx.Response(307, headers={"Location": "https://evil.example/"}))
    with pytest.raises(RefusedError):
        api(wire).request(call("GET"))
    assert len(wire.requests) == 1


def test_every_try_is_paced_by_endpoint_and_account_and_names_no_token() -> None:
    """A5."""
    limiter = NoLimit()
    api(Wire(httpx.Response(429), OK), limiter=limiter).request(call("GET"))
    assert len(limiter.endpoints) == 2
    assert limiter.endpoints[0].startswith("GET https://api.example/things/{thing} ")
    assert "t0p" not in limiter.endpoints[0]


def test_threads_share_one_client(tmp_path: Path) -> None:
    wire = Wire(OK)
    shared = Api(
        "http://127.0.0.1:1", "t", limiter=HostLimiter(tmp_path / "r", 10_000), absent=not_found, transport=wire
    )
    threads = [threading.Thread(target=shared.request, args=(call("GET"),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wire.requests) == 8


def test_the_connections_close_with_the_client() -> None:
    closed: list[bool] = []

    class Closing(Wire):
        def close(self) -> None:
            closed.append(True)

    client = api(Closing(OK))
    client.request(call("GET"))
    del client
    gc.collect()
    assert closed == [True]


@pytest.mark.parametrize("url", ["http://api.example", "ftp://api.example", "api.example", ""])
def test_the_token_goes_to_https_or_loopback_only(url: str) -> None:
    with pytest.raises(ProviderError, match="in the clear"):
        Api(url, "t", limiter=NoLimit(), absent=not_found)


PROMISE = Promise(locked_seconds=30)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize("status", [423, 503])
def test_where_a_vendor_promises_it_423_and_503_are_repeated_whatever_the_method(method: str, status: int) -> None:
    """G21: Neon's `423 and 503 are always safe to retry`; everything else is as in the table."""
    wire = Wire(httpx.Response(status), httpx.Response(status), OK)
    assert api(wire, promise=PROMISE).request(call(method)).status_code == 200
    assert len(wire.requests) == 3
    wire = Wire(httpx.Response(500), OK)
    if method == "POST":
        with pytest.raises(UncertainError):
            api(wire, promise=PROMISE).request(call(method))
        assert len(wire.requests) == 1


def test_a_423_is_waited_out_longer_than_other_failures_and_ends_in_a_sentence() -> None:
    wire = Wire(httpx.Response(423, json={"code": "", "message": "conflicting operations"}))
    with pytest.raises(DeadlineError, match=r"Timeweb: POST /things/7 was put off for 0\.3 s, run again later: .* 423"):
        api(wire, BRIEF, promise=Promise(locked_seconds=0.3)).request(call("POST"))
    assert len(wire.requests) > 20


def test_a_promised_503_that_stays_is_told_as_what_it_is_and_not_as_uncertain() -> None:
    with pytest.raises(UnavailableError):
        api(Wire(httpx.Response(503)), BRIEF, promise=PROMISE).request(call("POST"))
