"""Every `tenantry …` in the documentation is a command with these options, and every command is documented."""

import re
import shlex
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
import typer
from typer._click.core import Command
from typer._click.exceptions import MissingParameter, UsageError
from typer.core import TyperGroup

from cli.main import application

PROJECT = Path(__file__).resolve().parent.parent.parent
DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
# In an inline code span, or on a line that a reader types; both may name the virtual environment's own.
SPANS = re.compile(r"`(?:\.venv/bin/)?tenantry ((?:[^`\\]|\\.)+)`")
TYPED = re.compile(r"^\$ .*?(?:\.venv/bin/)?\btenantry ([^)>|;&\n]+)", re.MULTILINE)
OPTIONS = re.compile(r"`(--[a-z][^`]*)`")
ROW = re.compile(r"^\| `tenantry ([a-z ]+)[^`]*` \|.*$", re.MULTILINE)
ROOT = typer.main.get_command(application())


def commands() -> Iterator[tuple[str, ...]]:
    """Every spelled-out command line of the documentation, as words."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        for written in (*SPANS.findall(text), *TYPED.findall(text)):
            # `[--check]` may be left out, `start\|stop` is one of several.
            words = shlex.split(re.sub(r"[\[\]\"]", "", written.replace(r"\|", "|")))
            yield from product(*([word] if word.startswith("--") else word.split("|") for word in words))


def reason_against(words: tuple[str, ...]) -> str | None:
    """What is wrong with a command line; None where nothing is."""
    command: Command = ROOT
    rest = list(words)
    while isinstance(command, TyperGroup) and rest:
        name = rest.pop(0)
        if name not in command.commands:
            return f"there is no command '{name}'"
        command = command.commands[name]
    try:
        command.make_context(words[0], rest)
    except UsageError as error:
        return error.format_message() if not isinstance(error, MissingParameter) else None
    return None


def leaves(command: Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all commands that do something."""
    if not isinstance(command, TyperGroup):
        yield path
        return
    for name, child in command.commands.items():
        yield from leaves(child, (*path, name))


WRITTEN = sorted(set(commands()))


@pytest.mark.parametrize("words", WRITTEN, ids=" ".join)
def test_a_command_in_the_documentation_exists_with_these_options(words: tuple[str, ...]) -> None:
    """Style 5: commands in the README exist."""
    assert reason_against(words) is None


def test_every_command_is_in_the_documentation() -> None:
    written = {words[: len(path)] for words in WRITTEN for path in leaves(ROOT)}
    assert [path for path in leaves(ROOT) if path not in written] == []


def test_the_options_named_in_a_row_of_the_readme_are_the_command_s() -> None:
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    rows = list(ROW.finditer(text))
    assert len(rows) >= 8
    for row in rows:
        for options in OPTIONS.findall(row[0]):
            assert reason_against((*row[1].split(), *options.split())) is None, row[0]


@pytest.mark.parametrize(
    "words",
    [
        ("conjure",),
        ("place", "--chek"),
        ("sandbox", "dance"),
        ("validate", "extra"),
        ("up", "--engine", "x"),
        ("verify", "--stack", "x"),
    ],
)
def test_this_test_would_find_a_command_that_does_not_exist(words: tuple[str, ...]) -> None:
    assert reason_against(words) is not None
