"""`tenantry move`: brings a tenant's data to the place its entry asks for, and back again."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Annotated

import typer

from catalogue.generations import Pair, due, pairs
from catalogue.load import Fleet, load_fleet
from cli import exit_codes, options
from cli.confirm import confirm
from cli.progress import shown
from cli.runs import open_engine, report, stacks
from cli.terminal import complain, emit, say
from components.outputs import TenantOutputs, parse_tenants
from dynamic_providers.errors import ProviderError
from engines.engine import Engine, EngineError, UserError
from lifecycle.errors import DataError
from lifecycle.move import MoveError, MoveMistakeError, Outcome, Phase, drop, undo
from lifecycle.move import move as carry_out
from lifecycle.mover import Mover
from lifecycle.places import Keys
from lifecycle.programs import Programs

PHASES: dict[Phase, str] = {
    "make": "the place it moves to is made",
    "precopy": "what can be copied while it goes on writing is copied",
    "freeze": "it is shut out: no sessions, no writes",
    "copy": "its data is copied",
    "verify": "rows, checksums and objects are compared",
    "switch": "the new place is opened, the old one stays closed",
    "thaw": "it is let in again where it was",
    "unprotect": "what it has left loses its protection",
    "delete": "what is not declared any more is deleted",
}
DONE = {
    "moved": "has moved",
    "moved before": "had moved already",
    "ended": "is where it was: the move is ended",
    "undone": "is back where it was",
    "undone before": "was back already",
    "dropped": "has left nothing behind: what was held is deleted",
    "nothing is held": "holds nothing of a move",
}
Action = Callable[[Mover], Outcome]


def move(
    stack: options.Stack,
    tenant: Annotated[str | None, typer.Argument(help="The tenant; not with --due.", show_default=False)] = None,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    back: Annotated[
        bool, typer.Option("--undo", help="Bring it back to where it was, with all it has written since.")
    ] = False,
    dropping: Annotated[bool, typer.Option("--drop", help="Delete what it has left, from its day on.")] = False,
    all_due: Annotated[bool, typer.Option("--due", help="Drop for all tenants what is held and due.")] = False,
    now: Annotated[
        datetime | None, typer.Option("--now", formats=["%Y-%m-%d"], help="The day it is; today where not given.")
    ] = None,
    hold_days: Annotated[
        int | None, typer.Option("--hold-days", help="Keep what it leaves so long; the plan says it else.", min=0)
    ] = None,
    typed: Annotated[
        str | None, typer.Option("--confirm", help="The tenant, typed: drops what is held before its day.")
    ] = None,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Move a tenant's data to where its entry asks for, verified; undone by one command until the drop."""
    if (tenant is None) != all_due or back + dropping + all_due > 1:
        raise typer.BadParameter("name a tenant, with --undo, --drop or neither; or say --due alone")
    today = now.date() if now else datetime.now(UTC).date()
    loaded = load_fleet(fleet, require_placed=False)
    work = Work(stack, engine, loaded, json=json, hold_days=hold_days)
    if tenant is None:
        _drop_due(work, today, yes=yes)
        return
    if tenant not in loaded.tenants:
        raise UserError(f"there is no tenant {tenant}")
    if dropping:
        _refuse_early(pairs(loaded.placements, tenant), tenant, today, typed)
        confirm(f"Delete what {tenant} has left?", yes=yes)
        work.run(partial(drop, tenant))
        return
    confirm(f"{'Bring' if back else 'Move'} {tenant}{' back' if back else ''}? It is shut out meanwhile.", yes=yes)
    step = undo if back else carry_out
    work.run(lambda mover: step(tenant, mover, today))


@dataclass(frozen=True)
class Work:
    """A command's way to the engines and to the terminal."""

    stack: str
    engine: options.EngineName
    fleet: Fleet
    json: bool
    hold_days: int | None

    def run(self, action: Action) -> None:
        """Carry out one tenant's move and tell what came of it; a fault is a sentence with its exit code."""
        mover = self._mover()
        try:
            outcome = action(mover)
        except MoveMistakeError as error:
            raise UserError(str(error)) from error
        except (MoveError, DataError, ProviderError) as error:
            raise EngineError(str(error)) from error
        self._show(outcome, mover.notes)

    def _mover(self) -> Mover:
        base = self._open(1)
        return Mover(
            folder=self.fleet.folder,
            apply=self._apply,
            outputs=self._outputs,
            keys=Keys(base.configuration(), os.environ),
            programs=Programs.find,
            clock=lambda: datetime.now(UTC),
            tell=self._tell,
            hold=self.hold_days,
        )

    def _open(self, cell: int) -> Engine:
        name = self.stack if cell == 1 else f"{self.stack}-{cell}"
        if name not in stacks(self.fleet, self.stack):
            raise UserError(f"stack '{self.stack}' has no cell {cell}: name the base stack")
        return open_engine(self.engine, name, self.fleet)

    def _apply(self, cell: int) -> None:
        engine, name = self._open(cell), self.stack if cell == 1 else f"{self.stack}-{cell}"
        # The run that a killed move was in is dead, or this one is refused here.
        engine.break_lock()
        with shown("up", [name], json_lines=self.json) as watch:
            result = engine.up(on_event=partial(watch, name))
        report(name, result, json=self.json)
        if not result.ok:
            raise MoveError(
                f"{len(result.failures)} resources of {name} failed, see above: then the same command again"
            )

    def _outputs(self, tenant: str, cell: int) -> TenantOutputs:
        tenants = parse_tenants(self._open(cell).outputs(show_secrets=True).get("tenants") or {})
        if tenant not in tenants:
            raise MoveError(f"the outputs do not name {tenant}: run `tenantry up`")
        return tenants[tenant]

    def _tell(self, phase: Phase, tenant: str) -> None:
        if self.json:
            emit({"event": "phase", "tenant": tenant, "phase": phase}, indent=None)
        else:
            say(f"{phase:<8} {tenant}: {PHASES[phase]}")

    def _show(self, outcome: Outcome, notes: list[str]) -> None:
        if self.json:
            drop_after = outcome.drop_after.isoformat() if outcome.drop_after else None
            emit({**asdict(outcome), "drop_after": drop_after, "notes": notes}, indent=None)
            return
        for note in notes:
            complain(f"{outcome.tenant}: look at {note}")
        what = f" ({' and '.join(outcome.sections)})" if outcome.sections else ""
        say(f"{outcome.tenant} {DONE[outcome.done]}{what}")
        if outcome.refused_seconds is not None:
            say(f"writes were refused for {outcome.refused_seconds:.1f} s")
        if outcome.drop_after is not None:
            say(f"what it has left is held; it may be dropped from {outcome.drop_after} on")


def _drop_due(work: Work, today: date, *, yes: bool) -> None:
    found = sorted({pair.tenant for pair in due(work.fleet.placements, today)})
    if not found:
        if not work.json:
            say(f"nothing that is held is due on {today}")
        return
    confirm(f"Delete what {', '.join(found)} left, due on {today}?", yes=yes)
    for tenant in found:
        work.run(partial(drop, tenant))


def _refuse_early(held: tuple[Pair, ...], tenant: str, today: date, typed: str | None) -> None:
    early = [pair.other.drop_after for pair in held if pair.other.role == "held" and pair.other.drop_after]
    if early and today < max(early) and typed != tenant:
        complain(
            f"nothing was deleted: what {tenant} has left is held until {max(early)}; to drop it before that day, "
            f"add --confirm {tenant}"
        )
        raise typer.Exit(exit_codes.REFUSED_BY_POLICY)
