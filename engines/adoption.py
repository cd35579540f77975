"""Taking into a state what is in a cloud: an edit of the exported state, accepted only if the program agrees with it.

`pulumi import` would not do: it reads inputs back from the cloud, and what a plugin does not read back (SSH keys, user
data) is then replaced (facts 2.7). Here the inputs are the program's and the outputs what its preview foresees; a
refresh fills in the rest.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from engines.engine import Engine
from engines.resume import cleared

# What a plan writes for a value that only the vendor knows.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
# A plugin's own note, which the refresh writes; a plan's holds secrets in plain text.
PRIVATE = "__meta"
SAID_BY_THE_PROGRAM = (
    "parent",
    "protect",
    "dependencies",
    "provider",
    "propertyDependencies",
    "additionalSecretOutputs",
    "aliases",
    "customTimeouts",
    "retainOnDelete",
)
Document = Mapping[str, Any]


class Planner(Engine, Protocol):
    """An engine that can say what its program would register."""

    def planned(self) -> Mapping[str, Any]:
        """By URN: `goal` with `inputDiff`, and the foreseen `state`."""


@dataclass(frozen=True)
class Adoption:
    """What became of each URN: adopted, or refused with the reason."""

    adopted: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def adopt(engine: Planner, ids: Mapping[str, str]) -> Adoption:
    """Take the objects with these ids into the state, by URN.

    One edit adds the resources and takes out the notes of their cut-off creates. After a refresh the preview has to
    show each as unchanged; if not, the state that was there goes back, and the others are tried without it.
    """
    before = engine.export()
    plans = engine.planned()
    refused = {urn: reason for urn in ids if (reason := objection(before, plans.get(urn)))}
    ready = {urn: id_ for urn, id_ in ids.items() if urn not in refused}
    if not ready:
        return Adoption((), refused)
    engine.import_state(with_adopted(before, plans, ready), instead_of=before)
    try:
        engine.refresh()
        found = {change.urn: change for change in engine.preview().changes}
    except BaseException:
        engine.import_state(before)
        raise
    disputed = {urn: _difference(found.get(urn)) for urn in ready if _difference(found.get(urn))}
    if not disputed:
        return Adoption(tuple(ready), refused)
    engine.import_state(before)
    others = adopt(engine, {urn: id_ for urn, id_ in ready.items() if urn not in disputed})
    return Adoption(others.adopted, {**refused, **disputed, **others.refused})


def objection(document: Document, plan: Mapping[str, Any] | None) -> str:
    """Why a resource cannot be entered in a state; "" where nothing is in the way."""
    if plan is None or "create" not in plan["steps"]:
        return "the program would not create it"
    goal = plan["goal"]
    recorded = {entry["urn"] for entry in document["deployment"].get("resources") or []}
    needed = [goal.get("parent"), str(goal.get("provider", "")).rpartition("::")[0], *(goal.get("dependencies") or ())]
    for urn in filter(None, needed):
        if urn not in recorded:
            return f"it needs '{urn.rpartition('::')[2]}', which is in no state yet: run `up` for that first"
    if _without_unknown(inputs := _inputs(goal)) != inputs:
        return "what the program asks for is not known before its other resources are made"
    return ""


def with_adopted(document: Document, plans: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """The document with a resource for each id, and without the notes of their creates."""
    settled = cleared(document, ids)
    entries = [_entry(urn, plans[urn], id_) for urn, id_ in ids.items()]
    deployment = settled["deployment"]
    return {**settled, "deployment": {**deployment, "resources": [*deployment.get("resources", []), *entries]}}


def _entry(urn: str, plan: Mapping[str, Any], id_: str) -> dict[str, Any]:
    goal = plan["goal"]
    inputs = _inputs(goal)
    foreseen = {key: value for key, value in _without_unknown(plan["state"]).items() if key != PRIVATE}
    said = {key: goal[key] for key in SAID_BY_THE_PROGRAM if goal.get(key)}
    outputs = {**inputs, **foreseen, "id": id_}
    outputs.pop("__defaults", None)
    return {"urn": urn, "custom": True, "id": id_, "type": goal["type"], "inputs": inputs, "outputs": outputs, **said}


def _inputs(goal: Mapping[str, Any]) -> dict[str, Any]:
    """A resource that is not there yet differs from nothing: what is added is all."""
    return dict((goal.get("inputDiff") or {}).get("adds") or {})


def _without_unknown(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, Mapping):
        return {key: _without_unknown(item) for key, item in value.items() if item != UNKNOWN}
    if isinstance(value, list):
        return [_without_unknown(item) for item in value if item != UNKNOWN]
    return value


def _difference(change: Any) -> str:  # noqa: ANN401 - a Change, or none
    """Why a preview does not agree with an adopted resource; "" where it does."""
    if change is None:
        return "it was not found again"
    if change.operation == "same":
        return ""
    fields = f" ({', '.join(change.fields)})" if change.fields else ""
    return f"the program would {change.operation} it{fields}: it is not what is asked for"
