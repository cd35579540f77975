"""A process with everything imported that forks one run after the other: `python -m tests.e2e.kill_child`.

It reads an order per line, a JSON object, forks a child that carries it out and writes `{"pid": …}`, then, when the
child has ended, `{"status": …}`: its exit code, or minus the signal that ended it.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import cli.resume  # noqa: F401 - all of this is imported once, for every child
import components.fleet  # noqa: F401 - the same
import dynamic_providers.neon.branch
import dynamic_providers.postgres.tenant_database
import dynamic_providers.postgres.tenant_schema
import dynamic_providers.postgres.tenant_setup
import dynamic_providers.timeweb.backup_schedule
import dynamic_providers.timeweb.storage_user  # noqa: F401 - the same
import engines.embedded.plugins.digitalocean  # noqa: F401 - the same
from cli.main import main as tenantry
from components.settings import PROJECT
from engines.embedded import EmbeddedEngine
from engines.embedded.journal import Journal, Record
from engines.embedded.passphrase import open_crypter

Order = Mapping[str, Any]
WRITES_FOR_EVER = sys.maxsize


class DyingJournal(Journal):
    """Ends its process after so many records; `torn` in the middle of the next one."""

    def __init__(self, path: Path, last: int, *, torn: bool) -> None:
        self._left = last
        self._torn = torn
        super().__init__(path)

    def append(self, record: Record) -> None:
        """Write a record, and end with the last one that is to be written."""
        if self._left == 0 and self._torn:
            self._file.write(b'{"sum": "')
            os.kill(os.getpid(), signal.SIGKILL)
        super().append(record)
        self._left -= 1
        if self._left == 0 and not self._torn:
            os.kill(os.getpid(), signal.SIGKILL)


def up(order: Order) -> None:
    """Run an `up` or a preview; the result is what failed, and how many of each operation there were."""
    last = order.get("writes") or WRITES_FOR_EVER
    journal = partial(DyingJournal, last=last, torn=bool(order.get("torn")))
    engine = EmbeddedEngine(PROJECT, order["stack"], Path(os.environ["TENANTRY_STATE"]), journal=journal)
    result = engine.preview() if order["do"] == "preview" else engine.up()
    document = {"failures": [failure.message for failure in result.failures], "counts": result.counts}
    Path(order["result"]).write_text(json.dumps(document), encoding="utf-8")


def resume(order: Order) -> None:
    """Run `tenantry resume`; the result is what it writes."""
    sys.argv = ["tenantry", "resume", "--stack", order["stack"], "--engine", "embedded", "--json", *order["options"]]
    with Path(order["result"]).open("w", encoding="utf-8") as out:
        os.dup2(out.fileno(), sys.stdout.fileno())
        tenantry()


ORDERS: Mapping[str, Callable[[Order], None]] = {"up": up, "preview": up, "resume": resume}


def carry_out(order: Order) -> None:
    """Be the child."""
    code = 1
    try:
        ORDERS[order["do"]](order)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def serve() -> None:
    """Fork a child for each order on standard input, one at a time."""
    # Deriving a key costs half a second: the children inherit it.
    open_crypter(os.environ["KILL_SALT"], os.environ["PULUMI_CONFIG_PASSPHRASE"])
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            carry_out(order)
        print(json.dumps({"pid": pid}), flush=True)  # noqa: T201 - the protocol
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)  # noqa: T201 - the protocol


if __name__ == "__main__":
    serve()
