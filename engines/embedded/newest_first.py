"""The threads that serve a program's calls: what was asked for last is begun first.

A program declares a whole fleet at once, and what depends on a resource is asked for once that is made. In order of
arrival all buckets would come before the first of their users: one endpoint of a vendor would be asked at its pace
while the others rest, and then the next. Newest first, each tenant is completed before the next is begun, and all
endpoints are asked side by side.
"""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class NewestFirst(ThreadPoolExecutor):
    """A thread pool whose threads take the newest call that waits."""

    def __init__(self, workers: int, name: str) -> None:
        super().__init__(max_workers=workers, thread_name_prefix=name)
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Put the call before all others that wait."""
        future: Future[T] = Future()
        self._waiting.append((future, partial(fn, *args, **kwargs)))
        super().submit(self._take)
        return future

    def _take(self) -> None:
        # One is there for each `_take` that was submitted.
        future, call = self._waiting.pop()
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - whoever waits for the call gets whatever it raised
            future.set_exception(error)
