"""Whose an object is: its tags say so. What the vendor says is absent, and what only seems to be."""

from collections.abc import Iterable, Mapping
from typing import Any

from botocore.exceptions import ClientError

MARKS = ("tenantry-stack", "tenantry-name")


def is_ours(declared: Mapping[str, str], found: Mapping[str, str]) -> bool:
    """Whether an existing object carries the marks that the program declares for it."""
    return all(mark in declared and declared[mark] == found.get(mark) for mark in MARKS)


def code_of(error: ClientError) -> str:
    """Answer the vendor's code in the body of the answer; a bare status is a code of digits."""
    return str(error.response.get("Error", {}).get("Code", ""))


def as_tags(tags: Mapping[str, str]) -> list[Any]:
    """Write tags as the services want them."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def from_tags(tags: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Read tags as the services give them."""
    return {tag["Key"]: tag["Value"] for tag in tags}
