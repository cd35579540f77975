"""`ignore_changes`: property paths `a`, `a.b`, `a[0]`, `a["b"]` whose recorded value stands."""

import copy
import re
from collections.abc import Iterable

from engines.embedded.errors import RefusedError
from engines.embedded.properties import Properties, Value

STEP = re.compile(r'\.?([^.\["*\]]+)|\[(\d+)\]|\["([^"]*)"\]')
Step = str | int


def parse_path(path: str) -> tuple[Step, ...]:
    """Split a property path. Raises RefusedError for a wildcard or another form."""
    steps: list[Step] = []
    position = 0
    while position < len(path):
        match = STEP.match(path, position)
        if match is None:
            raise RefusedError(f"the property path '{path}' in ignore_changes")
        name, index, quoted = match.groups()
        steps.append(int(index) if index is not None else name if name is not None else quoted)
        position = match.end()
    return tuple(steps)


def restore_ignored(inputs: Properties, old: Properties, paths: Iterable[str]) -> Properties:
    """Answer the inputs with the recorded value, or its absence, at every ignored path."""
    restored = copy.copy(inputs)
    for path in paths:
        _restore(restored, old, parse_path(path))
    return restored


def _restore(new: Value, old: Value, steps: tuple[Step, ...]) -> None:
    """Change `new` in place; a path that leads nowhere in both, or to another shape, changes nothing."""
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        if isinstance(new, list) and isinstance(old, list) and step < min(len(new), len(old)):
            _restore_item(new, old[step], step, rest)
    elif isinstance(new, dict) and isinstance(old, dict):
        if step in old and (not rest or step in new):
            _restore_item(new, old[step], step, rest)
        elif step in new and not rest:
            del new[step]


def _restore_item(new: dict[str, Value] | list[Value], old: Value, step: Step, rest: tuple[Step, ...]) -> None:
    container: dict[Step, Value] = new  # type: ignore[assignment]  # the caller matched the step to the container
    if rest:
        container[step] = copy.copy(container[step])
        _restore(container[step], old, rest)
    else:
        container[step] = old
