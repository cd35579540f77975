"""Acts on what `resume` found in one stack: notes are cleared, plugins' objects adopted, half-made ones judged."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeGuard

from engines.adoption import Document, Planner, adopt
from engines.engine import Engine, EngineError
from engines.resume import Cell, Finding, Policy, cleared


def settle(engine: Engine, cell: Cell, findings: Sequence[Finding], policy: Policy = "adopt") -> list[str]:
    """Settle the findings of one stack, and say what the finding alone could not: one sentence each.

    What the engine's own creates find by its mark needs no more than its note cleared.
    """
    edits = [each for each in findings if each.verdict == "adopt" and not engine.finds_ours(each.type)]
    _clear(engine, cell, [each for each in findings if each not in edits])
    told = list(_adopted(engine, edits))
    ill = [each for each in findings if each.verdict == "unready" and not engine.finds_ours(each.type)]
    if ill:
        document = engine.export()
        judge = rebuilt if policy == "remove" else kept
        engine.import_state(judge(document, {each.urn for each in ill}), instead_of=document)
        becomes = "is built anew by the next `up`" if policy == "remove" else "is kept as it is: see that it works"
        told += [f"{each.name} {becomes}" for each in ill]
    return told


def kept(document: Document, urns: Collection[str]) -> dict[str, Any]:
    """The document in which half-made resources count as made."""
    return _edited(document, urns, lambda entry: {key: value for key, value in entry.items() if key != "initErrors"})


def rebuilt(document: Document, urns: Collection[str]) -> dict[str, Any]:
    """The document in which half-made resources are to be replaced by the next run."""
    return _edited(kept(document, urns), urns, lambda entry: {**entry, "taint": True})


def _edited(
    document: Document, urns: Collection[str], edit: Callable[[dict[str, Any]], dict[str, Any]]
) -> dict[str, Any]:
    deployment = document["deployment"]
    entries = [edit(entry) if entry["urn"] in urns else entry for entry in deployment.get("resources") or []]
    return {**document, "deployment": {**deployment, "resources": entries}}


def _clear(engine: Engine, cell: Cell, findings: Sequence[Finding]) -> None:
    """Take the notes of settled operations out of a state; what an update or delete left is read anew first."""
    notes = {finding.urn for finding in findings if finding.operation and finding.verdict != "unknown"}
    if not notes:
        return
    document = cell.document
    if any(finding.operation not in {"", "creating"} for finding in findings):
        read = engine.refresh()
        if not read.ok:
            first = read.failures[0]
            raise EngineError(f"'{cell.stack}' cannot be read: {first.name or cell.stack}: {first.message}")
        document = engine.export()
    engine.import_state(cleared(document, notes), instead_of=document)


def _adopted(engine: Engine, findings: Sequence[Finding]) -> Iterator[str]:
    if not findings:
        return
    if not _plans(engine):
        raise EngineError(f"{findings[0].name} is there as {findings[0].id}, and this engine cannot adopt it")
    outcome = adopt(engine, {each.urn: each.id for each in findings})
    for each in findings:
        reason = outcome.refused.get(each.urn)
        yield f"{each.name} is {f'there as {each.id} and not adopted: {reason}' if reason else f'adopted as {each.id}'}"


def _plans(engine: Engine) -> TypeGuard[Planner]:
    return hasattr(engine, "planned")
