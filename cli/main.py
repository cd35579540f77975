"""The `tenantry` command: its verbs, and the one place that turns errors into sentences and exit codes."""

import logging
import sys

import typer

from catalogue.errors import CatalogueError
from cli import exit_codes
from cli.destroy import destroy
from cli.outputs import outputs
from cli.place import place
from cli.preview import preview
from cli.refresh import refresh
from cli.sandbox import sandbox
from cli.terminal import complain
from cli.up import up
from cli.validate import validate
from cli.verify import verify
from engines.engine import EngineError, UserError
from sandbox.start import SandboxError

app = typer.Typer(
    name="tenantry",
    help="A fleet of tenants as code: databases, buckets and credentials from one YAML catalogue.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for command in (validate, place, preview, up, refresh, destroy, outputs):
    app.command()(command)
app.add_typer(verify, name="verify")
app.add_typer(sandbox, name="sandbox")


def main() -> None:
    """Run the command; a user's mistake is one sentence and exit 1, a provider's or engine's is exit 3."""
    # What providers warn of, on the embedded engine, is for the user: the sentence and nothing else.
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except (CatalogueError, SandboxError, UserError) as error:
        complain(str(error))
        sys.exit(exit_codes.USER_ERROR)
    except EngineError as error:
        complain(str(error))
        sys.exit(exit_codes.ENGINE_ERROR)
    except OSError as error:
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        sys.exit(exit_codes.USER_ERROR)
    except KeyboardInterrupt:
        complain("interrupted")
        sys.exit(130)


if __name__ == "__main__":
    main()
