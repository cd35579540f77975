"""A command's run over the stacks of a fleet: which engine, which cells, and which exit code the results mean."""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import typer

from catalogue.load import Fleet
from catalogue.slice import write_files
from cli import exit_codes
from cli.applied import Records
from cli.cells import Cell, cells_of, named, numbers, stacks
from cli.options import EngineName
from cli.progress import Watch, shown
from cli.terminal import complain, counts_text, emit, say
from components.settings import PROJECT
from engines.cells import run_jobs
from engines.embedded import EmbeddedEngine, revisions
from engines.embedded.engine import PARALLEL as EMBEDDED_PARALLEL
from engines.engine import Engine, EngineError, InterruptionError, Result, UserError
from engines.orders import Job, Order, Outcome
from engines.pulumi_cli import PARALLEL, PulumiCli
from engines.pulumi_revisions import revisions as written

__all__ = ["Scope", "engine_at", "finish", "open_engine", "report", "run_all", "stacks"]

CHILD = (sys.executable, "-P", "-m", "cli.cell")
FEWEST_AT_ONCE = 4


@dataclass(frozen=True)
class Scope:
    """Which cells a run is about: `cells` as the user wrote them, unchanged ones only where `all`; `jobs` at once."""

    cells: str | None = None
    all: bool = True
    jobs: int | None = None


def open_engine(name: EngineName, stack: str, fleet: Fleet) -> Engine:
    """The engine of one stack. Raises `EngineError` where it cannot run here."""
    return engine_at(name, stack, fleet.folder)


def engine_at(name: str, stack: str, folder: Path, parallel: int | None = None, project: Path = PROJECT) -> Engine:
    """The engine of one stack on the catalogue in `folder`, with at most `parallel` operations at once."""
    environ = {**os.environ, "TENANTRY_FLEET": str(folder.resolve())}
    if chosen_engine(name) is EngineName.embedded:
        # What the CLI lacks a plugin for, this engine serves: a program that leaves it out would delete it.
        environ.pop("TENANTRY_SANDBOX_WITHOUT", None)
        return EmbeddedEngine(project, stack, state_folder(), environ, parallel or EMBEDDED_PARALLEL)
    return PulumiCli(project, stack, environ, parallel or PARALLEL)


def chosen_engine(name: str) -> EngineName:
    """The engine that `auto` means here. Raises `EngineError` where the one asked for cannot run."""
    available = PulumiCli.available()
    if name == EngineName.pulumi and not available:
        raise UserError("there is no `pulumi` on PATH: install the Pulumi CLI, or use `--engine embedded`")
    return EngineName.embedded if name == EngineName.embedded or not available else EngineName.pulumi


def state_folder() -> Path:
    """Where the embedded engine keeps its states, and every engine its records of what was applied."""
    return Path(os.environ.get("TENANTRY_STATE", PROJECT / ".tenantry"))


# Of the resources that failed for one reason.
NAMES_TOLD = 5


@dataclass
class _Run:
    """One order over some cells: what is known of each, and what came of it."""

    order: Order
    engine: EngineName
    cells: Mapping[str, Cell]
    watch: Watch
    json: bool
    records: Records
    results: dict[str, Result] = field(default_factory=dict)
    refused: dict[str, EngineError] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)

    def here(self, cell: Cell, folder: Path) -> None:
        """Run one cell in this process: there is nothing to run beside it."""
        engine = engine_at(self.engine, cell.stack, folder)
        try:
            result = self.order.perform(engine, lambda event: self.watch(cell.stack, event))
        except KeyboardInterrupt as error:
            ended = "interrupted: what was begun was ended and recorded; the same command goes on"
            raise InterruptionError(ended) from error
        self.done(cell.stack, Outcome(result, engine.revision()))

    def done(self, stack: str, outcome: Outcome) -> None:
        """Take an outcome: tell it, and record what was applied."""
        if outcome.interrupted:
            self.stopped.append(stack)
        elif outcome.error is not None:
            self.refused[stack] = outcome.error
            complain(f"{stack}: {outcome.error}")
        elif outcome.result is not None:
            self.results[stack] = outcome.result
            report(stack, outcome.result, json=self.json)
            cell = self.cells[stack]
            if self.order.verb == "up" and outcome.result.ok and outcome.revision and cell.still:
                self.records.note(stack, cell.fingerprint, outcome.revision)


def run_all(
    fleet: Fleet, stack: str, engine: EngineName, order: Order, scope: Scope, *, json: bool
) -> dict[str, Result]:
    """Give one order to the cells behind a name, several at a time; one that fails does not stop the others.

    A cell that is left out, because nothing that it reads and nothing of its state has changed, has an empty result.
    """
    engine = chosen_engine(engine)
    left = revisions(state_folder()) if engine is EngineName.embedded else written(PROJECT, os.environ)
    found = numbers(fleet, stack, scope.cells, left)
    cells = {cell.stack: cell for cell in cells_of(fleet, found)}
    records = Records(state_folder() / "applied" / engine)
    done = [] if scope.all else [name for name, cell in cells.items() if _unchanged(cell, left, records)]
    todo = [cell for name, cell in cells.items() if name not in done]
    _tell_left_out(done, json=json)
    with (
        shown(order.verb, [cell.stack for cell in todo], json_lines=json) as watch,
        tempfile.TemporaryDirectory(prefix="tenantry-cells-") as folder,
    ):
        run = _Run(order, engine, cells, watch, json, records)
        for cell in todo:
            write_files(Path(folder, cell.stack), cell.files)
        if len(todo) == 1:
            run.here(todo[0], Path(folder, todo[0].stack))
            whole = True
        else:
            whole = _run_children(run, todo, Path(folder), scope.jobs)
    if not whole:
        raise InterruptionError(_interrupted(run, todo))
    _tell_failures(run, len(todo))
    return {name: run.results.get(name, Result()) for name in cells}


def _run_children(run: _Run, todo: Sequence[Cell], folder: Path, jobs: int | None) -> bool:
    at_once = min(jobs or os.cpu_count() or 1, len(todo)) or 1
    # Native plugins keep no budget with each other: what all cells together may do at once is dealt out among them.
    parallel = max(FEWEST_AT_ONCE, PARALLEL // at_once)
    orders = [Job(run.order, cell.stack, run.engine.value, str(folder / cell.stack), parallel) for cell in todo]
    path = os.pathsep.join(filter(None, (str(PROJECT), os.environ.get("PYTHONPATH"))))
    environ = {**os.environ, "PYTHONPATH": path}
    return run_jobs(orders, CHILD, environ, at_once=at_once, watch=run.watch, done=run.done)


def _unchanged(cell: Cell, left: Mapping[str, str], records: Records) -> bool:
    return records.hold(cell.stack, cell.fingerprint, left.get(cell.stack, ""))


def _tell_left_out(left_out: Sequence[str], *, json: bool) -> None:
    if json:
        for name in left_out:
            report(name, Result(), json=True, left_out=True)
    elif left_out:
        verb = "is" if len(left_out) == 1 else "are"
        say(f"{named(left_out)} {verb} unchanged since the last run (--all runs what is unchanged too)")


def _interrupted(run: _Run, todo: Sequence[Cell]) -> str:
    done = len(run.results)
    unbegun = len(todo) - done - len(run.stopped) - len(run.refused)
    which = f" ({named(sorted(run.stopped))})" if run.stopped else ""
    return (
        f"interrupted: of {len(todo)} cells {done} ended, {len(run.stopped)} were stopped{which} "
        f"and {unbegun} were not begun; the same command goes on"
    )


def _tell_failures(run: _Run, ran: int) -> None:
    """The last word of a run of several cells: which of them failed, and why."""
    failed = {name: _first(result) for name, result in run.results.items() if not result.ok}
    failed |= {name: str(error) for name, error in run.refused.items()}
    told = f"{len(failed)} of {ran} cells failed: " + "; ".join(f"{name} ({why})" for name, why in failed.items())
    if run.refused:
        mistakes = len(failed) == len(run.refused) and all(isinstance(e, UserError) for e in run.refused.values())
        raise (UserError if mistakes else EngineError)(told)
    if failed and ran > 1:
        complain(told)


def _first(result: Result) -> str:
    first, *rest = result.failures
    return f"{first.name or 'the run'}: {first.message}" + (f", and {len(rest)} more" if rest else "")


def report(stack: str, result: Result, *, json: bool, left_out: bool = False) -> None:
    """What a run did, and what it could not do."""
    if json:
        emit(
            {
                "stack": stack,
                "counts": result.counts,
                "changed": result.changed,
                "left_out": left_out,
                "failures": [asdict(failure) for failure in result.failures],
                "kept": list(result.kept),
                "seconds": round(result.seconds, 2),
            },
            indent=None,
        )
        return
    reasons: dict[str, list[str]] = {}
    for failure in result.failures:
        reasons.setdefault(failure.message, []).append(failure.name or stack)
    for message, names in reasons.items():
        more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
        complain(f"{', '.join(names[:NAMES_TOLD])}{more}: {message}")
    for urn in result.kept:
        say(f"kept     {urn.rpartition('::')[2]} (protected)")
    say(f"{stack}: {counts_text(result.counts)} ({result.seconds:.1f} s)")
    if result.kept:
        say(f"{stack}: {len(result.kept)} resources are kept, because they hold data or are needed to reach it")


def finish(results: Mapping[str, Result]) -> None:
    """Leave with exit 3 where any resource failed."""
    if not all(result.ok for result in results.values()):
        raise typer.Exit(exit_codes.ENGINE_ERROR)
