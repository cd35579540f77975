"""What a handler is given and what it gives back: typed parts of a request, and an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from sandbox.faults import Fault
from sandbox.simulators.bodies import Body, BodyError, parse
from sandbox.simulators.timeweb.clusters import Fate
from sandbox.simulators.timeweb.errors import BadRequestError
from sandbox.simulators.timeweb.presets import DATABASE_PRESETS
from sandbox.simulators.timeweb.views import Json

B = TypeVar("B", bound=Body)
T = TypeVar("T")

_DEFAULT_LIMIT = 100
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
    query: Mapping[str, str]
    raw: bytes
    fault: Fault | None

    def number(self, name: str) -> int:
        """A path parameter that is an integer."""
        return _integer(name, self.path[name])

    def body(self, model: type[B]) -> B:
        """The body as a typed value, or the vendor's refusal."""
        try:
            return parse(model, self.raw)
        except BodyError as error:
            raise BadRequestError(str(error)) from error

    def queried_number(self, name: str) -> int | None:
        """A query parameter that is an integer, if given."""
        return _integer(name, self.query[name]) if name in self.query else None

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false; false when it is not given."""
        value = self.query.get(name, "false")
        if value not in _FLAGS:
            raise BadRequestError(f"{name} must be true or false")
        return _FLAGS[value]

    def page(self, items: list[T]) -> list[T]:
        """The slice that `limit` and `offset` ask for."""
        limit = self.queried_number("limit")
        offset = self.queried_number("offset") or 0
        limit = _DEFAULT_LIMIT if limit is None else limit
        if limit < 0 or offset < 0:
            raise BadRequestError("limit and offset must not be negative")
        return items[offset : offset + limit]

    def struck_by(self, name: str) -> bool:
        """Whether the incident of that name strikes this request."""
        return self.fault is not None and self.fault.name == name

    @property
    def fate(self) -> Fate:
        """What the incident, if any, does to an order of a cluster."""
        return Fate(stuck=self.struck_by("stuck"), fails=self.struck_by("failed-state"), sold_out=self._sold_out())

    def _sold_out(self) -> frozenset[int]:
        if self.fault is None or not self.struck_by("sold-out"):
            return frozenset()
        named = self.fault.options.get("preset_id")
        return frozenset(DATABASE_PRESETS) if named is None else frozenset({int(str(named))})


def _integer(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadRequestError(f"{name} must be an integer") from error
