"""The last step of every `up`: what native plugins made and nobody knows of, compared with the states.

A green run of theirs proves nothing (facts 10): one that repeats a create whose answer was lost is green with two
objects. Our own providers find before they create, so only native kinds are listed, and only at vendors that the stack
has a token of.
"""

from collections.abc import Sequence

from catalogue.load import Fleet
from cli.cells import stack_settings, stacks
from cli.options import EngineName
from cli.resume import SENTENCES
from cli.runs import open_engine
from dynamic_providers.errors import ProviderError
from dynamic_providers.listers import NATIVES, Lister, Owner
from dynamic_providers.marks import Marked, named
from engines.engine import Engine
from engines.resume import Cell, names_in, survey


def leftover_objects(fleet: Fleet, stack: str, engine: EngineName) -> list[str]:
    """One sentence for each object that is not as the states have it; a vendor that does not answer is one too.

    A single cell is not looked at: a mark does not say in which cell its object is.
    """
    if stack_settings(stack).get("tenantry:baseStack", stack) != stack:
        return []
    first = open_engine(engine, stack, fleet)
    listers = native_listers(first, stack)
    if not listers:
        return []
    opened = {
        stack: first,
        **{name: open_engine(engine, name, fleet) for name in stacks(fleet, stack) if name != stack},
    }
    # What a state records is wanted; what it does not record after a run, nobody wants.
    cells = [Cell(name, run.export(), frozenset()) for name, run in opened.items()]
    return compared(cells, native_listers(first, stack), first)


def native_listers(engine: Engine, stack: str) -> list[Lister]:
    """The listers of native vendors that this stack has a token of."""
    settings = engine.configuration()
    owner = Owner(settings.get("tenantry:baseStack", stack), settings.get("tenantry:prefix") or stack)
    return [lister for native in NATIVES for lister in native(settings, owner)]


def compared(cells: Sequence[Cell], listers: Sequence[Lister], engine: Engine) -> list[str]:
    """What the vendors list beside what the states hold."""
    found: list[Marked] = []
    answered: list[str] = []
    told: list[str] = []
    for lister in listers:
        try:
            found += named(lister.marked(), names_in(cells))
        except ProviderError as error:
            told.append(f"{', '.join(lister.types)} cannot be listed: {error}")
        else:
            answered += lister.types
    objects = {(item.type, item.name, item.id): item for item in found}
    # What is noted or never got ready, the run itself has told.
    for finding in survey(cells, found, answered, finds_ours=engine.finds_ours):
        item = objects.get((finding.type, finding.name, finding.id))
        if finding.verdict in {"orphan", "missing"}:
            words = {"id": finding.id, "what": item.what if item else "", "price": "n/a"}
            told.append(f"{finding.name} {SENTENCES[finding.verdict].format_map(words)}")
    return told
