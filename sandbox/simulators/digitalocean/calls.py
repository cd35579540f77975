"""What a handler is given and what it gives back: typed parts of a request, and an answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

from sandbox.faults import Fault
from sandbox.simulators.bodies import Body
from sandbox.simulators.digitalocean.errors import UnprocessableError
from sandbox.simulators.digitalocean.schemas import parse
from sandbox.simulators.digitalocean.views import Json

B = TypeVar("B", bound=Body)

_USUAL_PAGE, _LONGEST_PAGE = 20, 200


@dataclass(frozen=True)
class Answer:
    """A status and a JSON body; None is an empty one."""

    status: int
    body: Json | None = None


@dataclass(frozen=True)
class Call:
    """One request after routing: path and query parameters as text, the raw body, and the incident that strikes it.

    `url` is the request's address without its query.
    """

    path: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes
    url: str
    fault: Fault | None

    @property
    def cluster(self) -> str:
        """The id of the cluster in the path."""
        return self.path["database_cluster_uuid"]

    def body(self, model: type[B]) -> B:
        """The body as a typed value, or the vendor's refusal."""
        return parse(model, self.raw)

    def struck_by(self, name: str) -> bool:
        """Whether the incident of that name strikes this request."""
        return self.fault is not None and self.fault.name == name

    def page(self, key: str, items: list[Json]) -> Answer:
        """The part of a list that `page` and `per_page` ask for, with links to those of the others that there are."""
        page, size = self._number("page", 1), self._number("per_page", _USUAL_PAGE)
        if size > _LONGEST_PAGE:
            raise UnprocessableError(f"per_page must be at most {_LONGEST_PAGE}")
        last = max((len(items) + size - 1) // size, 1)
        others = {"first": 1, "prev": page - 1} if page > 1 else {}
        others |= {"next": page + 1, "last": last} if page < last else {}
        query = {name: value for name, value in self.query.items() if name not in ("page", "per_page")}
        pages = {
            name: f"{self.url}?{urlencode({**query, 'page': str(number), 'per_page': str(size)})}"
            for name, number in others.items()
        }
        shown = items[(page - 1) * size : page * size]
        return Answer(200, {key: shown, "links": {"pages": pages} if pages else {}, "meta": {"total": len(items)}})

    def _number(self, name: str, usual: int) -> int:
        text = self.query.get(name) or str(usual)
        if not text.isdecimal() or int(text) < 1:
            raise UnprocessableError(f"{name} must be a number from 1 up")
        return int(text)
