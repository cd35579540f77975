"""Request bodies as typed values: what a document does not allow is refused by the field, before any rule sees it."""

import json
from typing import ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError


class BodyError(ValueError):
    """A body that the document forbids; the text names every field that is wrong."""


class Body(BaseModel):
    """A request body: frozen, strict about types, closed to unknown keys, without nulls but where it says so."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    nullable: ClassVar[frozenset[str]] = frozenset()


B = TypeVar("B", bound=Body)


def parse(model: type[B], body: bytes) -> B:
    """The body as a typed value, or BodyError."""
    try:
        value = model.model_validate_json(body)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(str(part) for part in problem['loc']) or 'body'}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise BodyError(problems) from error
    if _has_null(json.loads(body), model.nullable):
        raise BodyError("no field may be null; leave it out")
    return value


def _has_null(value: object, nullable: frozenset[str]) -> bool:
    if isinstance(value, dict):
        return any(_has_null(item, nullable) for key, item in value.items() if item is not None or key not in nullable)
    return value is None or (isinstance(value, list) and any(_has_null(item, nullable) for item in value))
