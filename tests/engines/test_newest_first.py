"""The thread pool that begins with the newest call."""

import threading

import pytest

from engines.embedded.newest_first import NewestFirst


def test_what_was_asked_for_last_is_begun_first() -> None:
    begun: list[int] = []
    open_gate = threading.Event()
    with NewestFirst(1, "test") as pool:
        pool.submit(open_gate.wait)
        calls = [pool.submit(begun.append, number) for number in range(4)]
        open_gate.set()
        for call in calls:
            call.result(timeout=10)
    assert begun == [3, 2, 1, 0]


def test_an_error_goes_to_whoever_asked() -> None:
    def fail() -> None:
        raise ValueError("no place")

    with NewestFirst(1, "test") as pool:
        failed = pool.submit(fail)
        after = pool.submit(lambda: 7)
        with pytest.raises(ValueError, match="no place"):
            failed.result(timeout=10)
        assert after.result(timeout=10) == 7


def test_a_call_that_was_given_up_is_not_begun() -> None:
    begun: list[str] = []
    open_gate = threading.Event()
    with NewestFirst(1, "test") as pool:
        pool.submit(open_gate.wait)
        given_up = pool.submit(begun.append, "given up")
        wanted = pool.submit(begun.append, "wanted")
        assert given_up.cancel()
        open_gate.set()
        wanted.result(timeout=10)
    assert begun == ["wanted"]
