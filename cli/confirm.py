"""Questions before a command changes anything."""

import sys

import typer

from cli import exit_codes
from cli.terminal import complain


def confirm(question: str, *, yes: bool) -> None:
    """Go on only with `--yes` or a yes at the terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        complain("there is nobody to ask: add --yes")
        raise typer.Exit(exit_codes.USAGE)
    if not typer.confirm(question):
        raise typer.Exit(exit_codes.USER_ERROR)


def confirm_name(question: str, name: str, *, typed: str | None) -> None:
    """Go on only where the name itself was typed, on the command line or at the terminal."""
    if typed is None and sys.stdin.isatty():
        typed = typer.prompt(f"{question} Type '{name}' to go on", default="", show_default=False)
    if typed != name:
        complain(
            f"nothing was deleted: this deletes tenants' data, so it wants the stack's name typed: --confirm {name}"
        )
        raise typer.Exit(exit_codes.USER_ERROR)
