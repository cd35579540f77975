"""The `tenantry` command: its verbs, and the one place that turns errors into sentences and exit codes."""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from catalogue.errors import CatalogueError
from cli import exit_codes
from cli.terminal import complain
from dynamic_providers.errors import ProviderError
from engines.engine import EngineError, InterruptionError, UserError
from lifecycle.errors import DataError, MistakeError
from sandbox.errors import SandboxError

# Each is a module of `cli` that holds the command, or the group of commands, of its own name.
VERBS = (
    "validate",
    "place",
    "bootstrap",
    "preview",
    "up",
    "refresh",
    "resume",
    "move",
    "destroy",
    "outputs",
    "verify",
    "query",
    "state",
    "backup",
    "restore",
    "pooler",
    "sandbox",
)


def application(verbs: Sequence[str] = VERBS) -> typer.Typer:
    """The command with these verbs. Only their modules are imported: those of all take seconds."""
    app = typer.Typer(
        name="tenantry",
        help="A fleet of tenants as code: databases, buckets and credentials from one YAML catalogue.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    # With a callback a single verb stays a word of its own.
    app.callback()(lambda: None)
    for verb in verbs:
        command = getattr(import_module(f"cli.{verb}"), verb)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=verb)
        else:
            app.command()(command)
    return app


def main() -> None:
    """Run the command; a user's mistake is one sentence and exit 1, a provider's or engine's is exit 3."""
    # What providers warn of, on the embedded engine, is for the user: the sentence and nothing else.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        application([verb for verb in VERBS if verb in sys.argv[1:2]] or VERBS)()
    except (CatalogueError, SandboxError, UserError, MistakeError) as error:
        complain(str(error))
        sys.exit(exit_codes.USER_ERROR)
    except (EngineError, DataError, ProviderError) as error:
        complain(str(error))
        sys.exit(exit_codes.ENGINE_ERROR)
    except OSError as error:
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        sys.exit(exit_codes.USER_ERROR)
    except InterruptionError as interruption:
        complain(str(interruption))
        sys.exit(exit_codes.INTERRUPTED)
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(exit_codes.INTERRUPTED)


if __name__ == "__main__":
    main()
