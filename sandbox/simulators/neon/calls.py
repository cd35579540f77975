"""What a handler is given and what it gives back: typed parts of a request, and an answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from sandbox.faults import Fault
from sandbox.simulators.bodies import Body, BodyError, parse
from sandbox.simulators.neon.errors import BadRequestError
from sandbox.simulators.neon.operations import Fate
from sandbox.simulators.neon.views import Json

B = TypeVar("B", bound=Body)

# The vendor's own client in Python writes them with a capital.
_FLAGS: Mapping[str, bool] = {"true": True, "false": False}


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body; None is an empty one."""

    status: int
    body: Json | None = None


@dataclass(frozen=True)
class Call:
    """One request after routing: path and query parameters as text, the raw body, and the incident that strikes it."""

    path: Mapping[str, str]
    query: Sequence[tuple[str, str]]
    raw: bytes
    fault: Fault | None

    def body(self, model: type[B]) -> B:
        """The body as a typed value, or the vendor's refusal; no body is an empty one."""
        try:
            return parse(model, self.raw or b"{}")
        except BodyError as error:
            raise BadRequestError(str(error)) from error

    def text(self, name: str) -> str | None:
        """A query parameter, if given."""
        return next((value for key, value in self.query if key == name), None)

    def required(self, name: str) -> str:
        """A query parameter that must be given."""
        value = self.text(name)
        if not value:
            raise BadRequestError(f"query parameter {name} is required")
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """A query parameter that may be repeated, or hold several values with commas between."""
        given = [value for key, value in self.query if key == name]
        return tuple(word for value in given for word in value.split(",") if word)

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false; false when it is not given."""
        value = (self.text(name) or "false").lower()
        if value not in _FLAGS:
            raise BadRequestError(f"{name} must be true or false")
        return _FLAGS[value]

    def limit(self, default: int, highest: int) -> int:
        """How many at most a list shows."""
        text = self.text("limit")
        if text is None:
            return default
        if not text.isdigit() or not 1 <= int(text) <= highest:
            raise BadRequestError(f"limit must be a number from 1 to {highest}")
        return int(text)

    def moment(self, name: str) -> float:
        """A query parameter that is a date with time and zone, in seconds since 1970."""
        try:
            moment = datetime.fromisoformat(self.required(name))
        except ValueError as error:
            raise BadRequestError(f"{name} must be a date-time") from error
        if moment.tzinfo is None:
            raise BadRequestError(f"{name} must have a time zone")
        return moment.timestamp()

    def struck_by(self, name: str) -> bool:
        """Whether the incident of that name strikes this request."""
        return self.fault is not None and self.fault.name == name

    @property
    def fate(self) -> Fate:
        """What the incident, if any, does to the operations of a change."""
        return Fate(stuck=self.struck_by("operation-stuck"), fails=self.struck_by("operation-failed"))
