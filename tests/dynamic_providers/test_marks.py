"""Marks are written in one form and found in any text."""

import pytest

from dynamic_providers.marks import Mark, mark_in


def test_a_mark_is_base_stack_and_logical_name() -> None:
    assert str(Mark("prod", "acme-bucket-1")) == "tenantry:prod:acme-bucket-1"


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("tenantry:prod:acme-bucket-1", Mark("prod", "acme-bucket-1")),
        ("do not touch! tenantry:prod:acme-bucket-1 (ops)", Mark("prod", "acme-bucket-1")),
        ("tenantry:prod", None),
        ("nottenantry:prod:x", None),
        ("tenantry:prod:x:y", None),
        ("", None),
        (None, None),
    ],
)
def test_a_mark_is_found_in_a_description(text: str | None, mark: Mark | None) -> None:
    """A note beside the mark does not make our object a stranger's."""
    assert Mark.parse(text) == mark
    assert mark_in(text) == str(mark or "")
