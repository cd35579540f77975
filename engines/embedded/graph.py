"""Which resources need which: the order of deletions, what a kept one keeps, what a replacement takes along."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from engines.embedded.resource import Resource
from engines.embedded.urns import reference_urn

Keyed = Mapping[int, Resource]


def _keys_by_urn(resources: Keyed) -> dict[str, list[int]]:
    keys: dict[str, list[int]] = defaultdict(list)
    for key, resource in resources.items():
        keys[resource.urn].append(key)
    return keys


def with_needs(resources: Keyed, chosen: Iterable[int]) -> set[int]:
    """The chosen keys and those of everything they need, directly or not."""
    by_urn = _keys_by_urn(resources)
    kept: set[int] = set()
    open_keys = list(chosen)
    while open_keys:
        key = open_keys.pop()
        if key not in kept:
            kept.add(key)
            open_keys.extend(needed for urn in resources[key].needs() for needed in by_urn.get(urn, ()))
    return kept


def dependents_of(resources: Keyed, root: int) -> Iterator[tuple[int, Resource]]:
    """Everything that depends on the root by its dependencies or its provider, in the order of the state."""
    urns = {resources[root].urn}
    for key, resource in resources.items():
        if key <= root:
            continue
        if not urns.isdisjoint(resource.depends_on()) or reference_urn(resource.provider) in urns:
            urns.add(resource.urn)
            yield key, resource


def dependents_first(
    resources: Keyed, act: Callable[[int, Resource], bool], parallel: int, stopped: Callable[[], bool]
) -> None:
    """Act on each resource after all that need it, several at a time; after a False, not on what that one needs."""
    by_urn = _keys_by_urn(resources)
    needs = {
        key: {needed for urn in resource.needs() for needed in by_urn.get(urn, ()) if needed != key}
        for key, resource in resources.items()
    }
    waiting: dict[int, int] = dict.fromkeys(resources, 0)
    for needed_keys in needs.values():
        for needed in needed_keys:
            waiting[needed] += 1
    running: dict[Future[bool], int] = {}
    with ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="delete") as pool:
        ready = [key for key, count in waiting.items() if count == 0]
        while (ready or running) and not stopped():
            running |= {pool.submit(act, key, resources[key]): key for key in reversed(ready)}
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            ready = []
            for future in done:
                key = running.pop(future)
                if not future.result():
                    continue
                for needed in needs[key]:
                    waiting[needed] -= 1
                    if waiting[needed] == 0:
                        ready.append(needed)
