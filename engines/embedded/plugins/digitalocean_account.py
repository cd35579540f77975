"""An account at DigitalOcean: its client, made when it is first needed, and what its answers mean.

pydo hands out a 404 as if it were an answer, and azure-core below it repeats a POST after a 5xx. So every call goes
through here: absent is only what the vendor says is, and a create is sent once.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pydo
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import HeadersPolicy

DEFAULT_ENDPOINT = "https://api.digitalocean.com"
# As the plugin: four repetitions where nothing else is said.
DEFAULT_RETRIES = 4
ENDPOINT_VARIABLE, RETRIES_VARIABLE = "DIGITALOCEAN_API_URL", "DIGITALOCEAN_HTTP_RETRY_MAX"
# A lost answer, or one that says nothing about whether the work was done.
FIRST_UNCERTAIN = 500
NOT_FOUND = "not_found"

Answer = dict[str, Any]


class CallError(Exception):
    """A call failed; one sentence without the token. `uncertain` says that it may have been executed."""

    def __init__(self, text: str, *, uncertain: bool = False) -> None:
        super().__init__(text)
        self.uncertain = uncertain


class AbsentError(CallError):
    """The vendor says in its own words that there is no such object."""


@dataclass(frozen=True)
class Pace:
    """Seconds between two looks, doubling from the first to the longest, and until giving up."""

    first: float = 0.25
    longest: float = 15.0
    deadline: float = 1800.0
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True)
class Account:
    """What a provider instance works on. Safe to use from several threads."""

    arguments: Mapping[str, Any] = field(repr=False)
    pace: Pace = Pace()

    @cached_property
    def client(self) -> Any:  # noqa: ANN401 - pydo has no types
        """The official client; the environment's address stands where the provider gives none, as with the plugin."""
        token = self.arguments["token"]
        retries = self.arguments.get("httpRetryMax", os.environ.get(RETRIES_VARIABLE) or DEFAULT_RETRIES)
        return pydo.Client(
            token=token,
            endpoint=self.arguments.get("apiEndpoint") or os.environ.get(ENDPOINT_VARIABLE) or DEFAULT_ENDPOINT,
            # The policy of its own refuses every http address, the sandbox's included.
            authentication_policy=HeadersPolicy({"Authorization": f"Bearer {token}"}),
            retry_total=int(retries),
        )

    def call(self, method: Callable[..., Any], *ids: str, body: Answer | None = None, **options: object) -> Answer:
        """What a method of the client answers.

        Raises:
            AbsentError: there is no such object.
            CallError: anything else; `uncertain` where it may have been executed.

        """
        words = {**options, **({} if body is None else {"body": body})}
        try:
            answer: Answer | None = method(*ids, **words)
        except HttpResponseError as error:
            status = error.status_code or FIRST_UNCERTAIN
            raise CallError(_sentence(error), uncertain=status >= FIRST_UNCERTAIN) from None
        except AzureError as error:
            raise CallError(f"no answer from DigitalOcean ({type(error).__name__})", uncertain=True) from None
        answer = answer or {}
        if isinstance(answer.get("id"), str) and "message" in answer:
            kind = AbsentError if answer["id"] == NOT_FOUND else CallError
            raise kind(f"DigitalOcean API error: 404 {answer['message']}")
        return answer

    def find(self, method: Callable[..., Any], *ids: str, body: Answer | None = None) -> Answer | None:
        """The same; None where there is no such object."""
        try:
            return self.call(method, *ids, body=body)
        except AbsentError:
            return None

    def make(self, method: Callable[..., Any], *ids: str, body: Answer) -> Answer:
        """A create, sent once: repeated blindly it may make a second object."""
        return self.call(method, *ids, body=body, retry_total=0)

    def wait(self, look: Callable[[], str], what: str) -> None:
        """Look until nothing is said to be pending. Raises TimeoutError with the last that was said."""
        end, pause = self.pace.clock() + self.pace.deadline, self.pace.first
        while reason := look():
            if self.pace.clock() >= end:
                raise TimeoutError(f"{what} is not finished after {self.pace.deadline:g} s: {reason}")
            self.pace.sleep(pause)
            pause = min(self.pace.longest, pause * 2)


def _sentence(error: HttpResponseError) -> str:
    """Status and the vendor's own words; the client's text may quote all of a body."""
    response: Any = error.response
    try:
        message = response.json()["message"]
    except (AttributeError, ValueError, KeyError, TypeError):
        message = ""
    return f"DigitalOcean API error: {error.status_code} {message or error.reason}"
