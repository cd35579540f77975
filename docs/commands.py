"""The `tenantry` command as reference, read from the Typer app itself."""

import inspect
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, get_args, get_origin

import typer
from typer._click.core import Command, Parameter
from typer.core import TyperGroup

from cli import exit_codes
from cli.main import application
from components.settings import PROJECT
from docs.markdown import code, table

ROOT = typer.main.get_command(application())
VALUES = {str: "TEXT", int: "NUMBER", float: "NUMBER", Path: "PATH", datetime: "DATE"}
# What any command may end with; the others are told per command.
COMMON = frozenset({exit_codes.DONE, exit_codes.USER_ERROR, exit_codes.USAGE, exit_codes.ENGINE_ERROR})


def leaves(command: Command = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Command]]:
    """All commands that do something, with their words."""
    if not isinstance(command, TyperGroup):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from leaves(child, (*path, name))


def commands_page() -> Iterator[str]:
    """The sections of the page."""
    yield "Results go to standard output, diagnostics to standard error. A file or option that is at fault is named."
    yield "## Exit codes"
    yield table(("code", "means"), ((str(number), text) for number, text in sorted(exit_codes.MEANINGS.items())))
    for words, command in leaves():
        yield f"## tenantry {' '.join(words)}"
        yield (command.help or "").strip()
        yield f"```text\n{_usage(words, command)}\n```"
        if command.params:
            yield table(
                ("argument or option", "environment", "default", "meaning"),
                (_row(command, parameter) for parameter in command.params),
            )
        if special := sorted(ends(inspect.unwrap(_callback(command))) - COMMON):
            yield "Also ends with " + ", or with ".join(f"{n}: {exit_codes.MEANINGS[n]}" for n in special) + "."


def _callback(command: Command) -> Callable[..., Any]:
    if command.callback is None:
        raise ValueError(f"command {command.name} does nothing")
    return command.callback


def _usage(words: tuple[str, ...], command: Command) -> str:
    parts = [_name(parameter) for parameter in command.params if parameter.required or _is_argument(parameter)]
    optional = ["[OPTIONS]"] if any(not parameter.required for parameter in command.params) else []
    return " ".join(("tenantry", *words, *parts, *optional))


def _is_argument(parameter: Parameter) -> bool:
    return parameter.param_type_name == "argument"


def _row(command: Command, parameter: Parameter) -> tuple[str, ...]:
    text = getattr(parameter, "help", None)
    if not text:
        raise ValueError(f"{command.name}: {parameter.name} says nothing: give it a `help=`")
    return code(_name(parameter)), _variable(parameter), _default(parameter), " ".join(text.split())


def _name(parameter: Parameter) -> str:
    if _is_argument(parameter):
        word = str(parameter.name).upper() + ("…" if parameter.nargs == -1 else "")
        return word if parameter.required else f"[{word}]"
    names = ", ".join(parameter.opts)
    return names if getattr(parameter, "is_flag", False) else f"{names} {_value(parameter)}"


def _value(parameter: Parameter) -> str:
    """What stands behind an option: the words of a choice, or the kind of value."""
    kind = parameter.type_descriptor.annotation  # type: ignore[attr-defined] # of options and arguments only
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    # An option that may be given several times is a list.
    return f"{VALUES[get_args(kind)[0]]}…" if get_origin(kind) is list else VALUES[kind]


def _variable(parameter: Parameter) -> str:
    return code(str(parameter.envvar)) if parameter.envvar else "-"


def _default(parameter: Parameter) -> str:
    value = parameter.default
    if parameter.required:
        return "required"
    if isinstance(value, Path):
        # The checkout is somewhere else for everybody.
        inside = value.relative_to(PROJECT).as_posix() if value.is_relative_to(PROJECT) else str(value)
        return "the checkout" if inside == "." else f"{code(inside)} in the checkout"
    if value is None or isinstance(value, bool):
        return "-"
    return code(str(value.value if isinstance(value, Enum) else value))


def ends(function: Callable[..., Any], seen: set[object] | None = None) -> set[int]:
    """The exit codes that a command's function names, itself or in what it calls of `cli/`."""
    seen = set() if seen is None else seen
    if not isinstance(function, FunctionType) or function in seen:
        return set()
    seen.add(function)
    found: set[int] = set()
    for name in _names(function.__code__):
        if "exit_codes" in function.__globals__ and isinstance(number := getattr(exit_codes, name, None), int):
            found.add(number)
        called: Any = function.__globals__.get(name)
        if getattr(called, "__module__", "").startswith("cli."):
            found |= ends(called, seen)
    return found


def _names(block: CodeType) -> Iterator[str]:
    yield from block.co_names
    for constant in block.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def variables() -> dict[str, tuple[str, str]]:
    """Environment variables of options: what they stand for, and the default."""
    found: dict[str, tuple[str, str]] = {}
    for _, command in leaves():
        for parameter in command.params:
            if isinstance(parameter.envvar, str):
                text = f"option `{parameter.opts[0]}`: {getattr(parameter, 'help', '')}".rstrip(".")
                found.setdefault(parameter.envvar, (text, _default(parameter)))
    return found
