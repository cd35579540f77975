"""`tenantry resume`: settles what a run that died has left, in the states and in the clouds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, cast

import typer

from catalogue.load import load_fleet
from catalogue.price import PriceBook
from cli import exit_codes, options
from cli.confirm import confirm
from cli.runs import open_engine, stacks
from cli.terminal import complain, emit, say
from dynamic_providers.errors import ProviderError
from dynamic_providers.listers import Lister, Owner, open_listers
from dynamic_providers.marks import Marked, named
from engines.engine import Engine, EngineError, UserError
from engines.resume import Cell, Finding, Verdict, declared_by, names_in, survey
from engines.settling import settle
from lifecycle.orphans import monthly

SENTENCES: Mapping[Verdict, str] = {
    "adopt": "is there as {id}: taken over by its mark",
    "clear": "the note of a cut-off {operation} operation is cleared",
    "orphan": "is {what}, in no state and not wanted: {price} a month",
    "twice": "is there as {id} and again: take its mark from all but one",
    "missing": "is recorded as {id}, and not in the cloud: run `tenantry up --refresh`",
    "unready": "was made but never reported ready",
    "unknown": "may have been made, and its kind cannot be listed here: look for it in its vendor's panel",
}


@dataclass(frozen=True)
class Inventory:
    """What the vendors hold under our mark; `failures` are those that did not answer."""

    found: Mapping[tuple[str, str, str], Marked]
    listers: Mapping[str, Lister]
    failures: tuple[str, ...]

    def of(self, finding: Finding) -> Marked | None:
        """The object of a finding."""
        return self.found.get((finding.type, finding.name, finding.id))


def resume(
    stack: options.Stack,
    fleet: options.Fleet = options.CHECKOUT,
    engine: options.Engine = options.EngineName.auto,
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit 4 where anything is to settle.")] = False,
    policy: Annotated[
        options.Adoption, typer.Option("--policy", help="What becomes of wanted objects that are in no state.")
    ] = options.Adoption.adopt,
    remove: Annotated[bool, typer.Option("--remove", help="Delete orphans; those with data only if named.")] = False,
    confirmed: Annotated[
        list[str] | None, typer.Option("--confirm", help="An orphan with data, typed: goes with --remove.")
    ] = None,
    yes: options.Yes = False,
    json: options.Json = False,
) -> None:
    """Break a dead run's lock, settle what it was doing by the vendors' own inventory, and list orphans."""
    loaded = load_fleet(fleet)
    engines = {name: open_engine(engine, name, loaded) for name in stacks(loaded, stack)}
    owner = owner_of(engines[stack], stack)
    locks = {name: whose for name, run in engines.items() if (whose := run.break_lock(only_look=check))}
    cells = [cell_of(name, run) for name, run in engines.items()]
    inventory = take_inventory(engines[stack], owner, names_in(cells))
    findings = survey(
        cells,
        list(inventory.found.values()),
        list(inventory.listers),
        finds_ours=engines[stack].finds_ours,
        policy=policy.value,
    )
    rows = [row(finding, inventory.of(finding), loaded.prices) for finding in findings]
    if not json:
        show(stack, locks, rows, only_look=check)
    removed: list[str] = []
    settled: list[str] = []
    if not check:
        for cell in cells:
            its = [finding for finding in findings if finding.stack == cell.stack]
            settled += settle(engines[cell.stack], cell, its, policy.value)
        if remove:
            removed = remove_orphans(findings, inventory, confirmed or [], yes=yes)
    if json:
        emit({"stack": stack, "locks": locks, "findings": rows, "settled": settled, "removed": removed})
    for told in () if json else settled:
        say(told)
    for name in () if json else removed:
        say(f"removed  {name}")
    if inventory.failures:
        raise EngineError("\n".join(inventory.failures))
    if check and (locks or findings):
        raise typer.Exit(exit_codes.CHANGES_PENDING)


def owner_of(engine: Engine, stack: str) -> Owner:
    """Whose marks to look for. Raises UserError for a single cell: a mark does not say in which cell its object is."""
    settings = engine.configuration()
    base = settings.get("tenantry:baseStack", stack)
    if base != stack:
        raise UserError(f"'{stack}' is a cell of '{base}', whose cells can only be settled together: --stack {base}")
    return Owner(base, settings.get("tenantry:prefix") or base)


def cell_of(stack: str, engine: Engine) -> Cell:
    """A cell's state and what its program declares."""
    preview = engine.preview()
    if not preview.ok:
        first = preview.failures[0]
        raise EngineError(f"what '{stack}' declares is not known: {first.name or stack}: {first.message}")
    return Cell(stack, engine.export(), declared_by(preview))


def take_inventory(engine: Engine, owner: Owner, names: Collection[str]) -> Inventory:
    """Ask every vendor. What one does not answer is not taken for absent: its types are left out of the comparison."""
    found: dict[tuple[str, str, str], Marked] = {}
    answered: dict[str, Lister] = {}
    failures: list[str] = []
    try:
        listers = open_listers(engine.configuration(), owner)
    except (ProviderError, ValueError) as error:
        raise EngineError(str(error)) from error
    for lister in listers:
        try:
            found |= {(item.type, item.name, item.id): item for item in named(lister.marked(), names)}
        except ProviderError as error:
            failures.append(f"{', '.join(lister.types)} cannot be listed: {error}")
        else:
            answered |= dict.fromkeys(lister.types, lister)
    return Inventory(found, answered, tuple(failures))


def row(finding: Finding, item: Marked | None, prices: PriceBook) -> dict[str, str | None]:
    """A finding as JSON has it; `monthly` is None where there is no object, or no source states its price."""
    price = monthly(item, prices) if item else None
    return asdict(finding) | {"what": item.what if item else "", "monthly": None if price is None else str(price)}


def show(stack: str, locks: Mapping[str, str], rows: Sequence[Mapping[str, str | None]], *, only_look: bool) -> None:
    """Whose locks are broken, and one line for each thing to settle."""
    for name, whose in locks.items():
        say(f"{name}: the lock of {whose}, whose run is dead, is {'to be ' if only_look else ''}broken")
    for words in rows:
        told = {**words, "price": words["monthly"] or "n/a"}
        say(f"{words['verdict']:<8} {words['name']} {SENTENCES[cast('Verdict', words['verdict'])].format_map(told)}")
    if not rows and not locks:
        say(f"{stack}: nothing to settle")


def remove_orphans(findings: Sequence[Finding], inventory: Inventory, named: Sequence[str], *, yes: bool) -> list[str]:
    """Delete what nobody wants, what lies in another object before it; what holds data only where it was named."""
    kinds = list(inventory.listers)
    items = [item for finding in findings if finding.verdict == "orphan" and (item := inventory.of(finding))]
    chosen = [item for item in items if not item.holds_data or item.name in named]
    for item in items:
        if item not in chosen:
            complain(f"kept {item.name}, {item.what}: it may hold data; to delete it, add --confirm {item.name}")
    if chosen:
        confirm(f"Delete {', '.join(item.what for item in chosen)}?", yes=yes)
    for item in sorted(chosen, key=lambda item: kinds.index(item.type)):
        try:
            inventory.listers[item.type].remove(item)
        except ProviderError as error:
            raise EngineError(f"{item.name} was not removed: {error}") from error
    return [item.name for item in chosen]
