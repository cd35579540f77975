"""Stack names, and what a stack's settings refuse."""

import pytest

from components.settings import PROJECT, SOURCES, SettingsError, cell_number


@pytest.mark.parametrize(("stack", "cell"), [("prod", 1), ("prod-2", 2), ("prod-10", 10), ("prod-123", 123)])
def test_a_stack_name_says_its_cell(stack: str, cell: int) -> None:
    assert cell_number(stack, "prod") == cell


@pytest.mark.parametrize("stack", ["staging", "prod-1", "prod-0", "prod-02", "prod-x", "prod2", "my-prod-2", "prod-"])
def test_a_stack_that_is_no_cell_of_the_base_stack_is_refused(stack: str) -> None:
    with pytest.raises(SettingsError, match="does not belong to base stack 'prod'"):
        cell_number(stack, "prod")


def test_a_base_stack_may_end_in_a_number_of_its_own() -> None:
    assert cell_number("eu-2", "eu-2") == 1
    assert cell_number("eu-2-3", "eu-2") == 3


def test_every_setting_is_in_the_reference() -> None:
    reference = (PROJECT / "docs" / "reference" / "configuration.md").read_text()
    assert [name for pair in SOURCES.items() for name in pair if f"`{name}`" not in reference] == []
