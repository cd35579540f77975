"""One call finds out that nobody answers; the others do not."""

import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pulumi.runtime import Settings

from dynamic_providers.api import Api, Call, Patience
from dynamic_providers.circuit import Circuit, shared
from dynamic_providers.errors import AwayError, NotSentError, ProviderError, TokenRefusedError, UnavailableError
from dynamic_providers.timeweb.client import not_found
from tests.dynamic_providers.test_api import NoLimit, Wire

BRIEF = Patience(deadline=0.05, first_pause=0.001, longest_pause=0.002, jitter=0.001)
REFUSED = httpx.ConnectError("")
OK = httpx.Response(200, json={})


class Clock:
    """Seconds, moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def client(wire: Wire, circuit: Circuit) -> Api:
    return Api(
        "https://api.example",
        "t0ken",
        limiter=NoLimit(),
        absent=not_found,
        setting="timeweb:token",
        patience=BRIEF,
        circuit=circuit,
        transport=wire,
    )


def asks(api: Api, path: str = "/things", method: str = "GET") -> Callable[[], object]:
    return lambda: api.request(Call(method, path))


def test_after_one_call_in_vain_the_others_fail_at_once_and_send_nothing() -> None:
    """F23, H14."""
    wire = Wire(REFUSED)
    api = client(wire, Circuit())
    with pytest.raises(NotSentError):
        asks(api)()
    sent = len(wire.requests)
    for ask in (asks(api), asks(api, "/others"), asks(api, method="POST")):
        with pytest.raises(AwayError, match=r"^Timeweb: https://api\.example has not answered for 0\.05 s: run again"):
            ask()
    assert len(wire.requests) == sent > 1


def test_calls_that_wait_side_by_side_end_with_the_first() -> None:
    wire = Wire(REFUSED)
    api = client(wire, Circuit())

    def outcome(_number: int) -> type[Exception]:
        with pytest.raises(ProviderError) as caught:
            asks(api)()
        return caught.type

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(outcome, range(40))) <= {NotSentError, AwayError}
    assert len({str(request.url) for request in wire.requests}) == 1


def test_after_the_pause_one_call_tries_once_and_an_answer_closes_it() -> None:
    clock = Clock()
    circuit = Circuit(pause=30, clock=clock)
    wire = Wire(REFUSED, REFUSED, OK)
    api = client(wire, circuit)
    circuit.lost("https://api.example", 0, "away")
    clock.now = 29
    with pytest.raises(AwayError):
        asks(api)()
    assert wire.requests == []
    clock.now = 31
    with pytest.raises(AwayError):
        asks(api)()
    assert len(wire.requests) == 1
    clock.now = 62
    with pytest.raises(AwayError):
        asks(api)()
    clock.now = 93
    assert asks(api)()
    assert asks(api)()
    assert len(wire.requests) == 4


def test_errors_of_one_endpoint_do_not_keep_the_others_from_being_asked() -> None:
    class OneBroken(Wire):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            super().handle_request(request)
            return httpx.Response(503 if request.url.path == "/things" else 200, json={})

    wire = OneBroken(OK)
    api = client(wire, Circuit())
    with pytest.raises(UnavailableError):
        asks(api)()
    with pytest.raises(AwayError, match=r"GET https://api\.example/things has answered nothing but errors"):
        asks(api)()
    assert asks(api, "/others")()


def test_a_call_in_vain_says_nothing_while_others_are_answered() -> None:
    clock = Clock()
    circuit = Circuit(clock=clock)
    clock.now = 5
    circuit.answered("host")
    circuit.lost("host", 1, "away")
    circuit.check("host")


def test_a_refused_token_is_told_with_its_setting_and_sent_once() -> None:
    """A7, F23: the sentence is the same for every object."""
    wire = Wire(httpx.Response(401, json={"message": "t0ken"}))
    api = client(wire, Circuit())
    with pytest.raises(TokenRefusedError, match="401 the token is not accepted: set timeweb:token") as first:
        asks(api)()
    with pytest.raises(AwayError) as second:
        asks(api, "/others", "POST")()
    assert str(second.value) == str(first.value)
    assert len(wire.requests) == 1


def test_the_providers_of_one_run_share_it_and_the_next_run_asks_anew() -> None:
    """Each run of an engine in this process has a context with settings of its own."""
    run, next_run = contextvars.Context(), contextvars.Context()
    for context in (run, next_run):
        context.run(Settings, project="tenantry", stack="prod")
    first = run.run(shared, "an account")
    assert run.copy().run(shared, "an account") is first
    assert run.run(shared, "another account") is not first
    assert next_run.run(shared, "an account") is not first
