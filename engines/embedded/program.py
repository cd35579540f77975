"""Runs the project's program as the CLI's language host does, and leaves this process as it was.

The program gets a thread of its own: a fresh context (where the SDK keeps its settings) and a fresh event loop.
Working directory, environment, import path and `__main__` belong to the whole process, so that programs of several
stacks in one process wait for each other.
"""

import asyncio
import contextvars
import importlib
import os
import pickle
import runpy
import sys
import threading
import traceback
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pulumi
from pulumi._utils import ContextProperty
from pulumi.runtime import Settings, run_in_stack
from pulumi.runtime.config import set_all_config

from engines.embedded.newest_first import NewestFirst
from engines.embedded.project import Config, Project

_PROCESS = threading.Lock()


class ProgramError(Exception):
    """The program ended with an exception; the text says which and where."""


def run_program(
    project: Project,
    config: Config,
    *,
    settings: Callable[[], Settings],
    environ: Mapping[str, str],
    parallel: int,
    then: Callable[[], None],
    interrupted: Callable[[], None],
) -> None:
    """Run the program to its end, then `then` in the same surroundings. Raises ProgramError.

    A KeyboardInterrupt calls `interrupted` and goes on waiting, so that running operations end and are recorded.
    """
    failures: list[BaseException] = []
    # Not the thread's own join: one that is interrupted takes the thread for ended.
    ended = threading.Event()

    def work() -> None:
        try:
            with _PROCESS, _surroundings(project, environ):
                set_all_config(dict(config.values), sorted(config.secret_keys))
                settings()
                _run_in_loop(project, parallel)
                then()
        except BaseException as error:  # noqa: BLE001 - handed to the calling thread
            failures.append(error)
        finally:
            ended.set()

    thread = threading.Thread(target=contextvars.Context().run, args=(work,), name=f"program of {project.stack}")
    try:
        thread.start()
        ended.wait()
    except KeyboardInterrupt:
        interrupted()
        if thread.ident is not None:
            ended.wait()
        raise
    if failures:
        raise failures[0]


def _run_in_loop(project: Project, parallel: int) -> None:
    loop = asyncio.new_event_loop()
    # A resource that failed leaves results nobody asks for; the language host silences asyncio's remarks on them too.
    loop.set_exception_handler(lambda _loop, _context: None)
    executor = NewestFirst(parallel, "engine")
    loop.set_default_executor(executor)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(run_in_stack(lambda: _main(project.program)))
    except SystemExit as error:
        if error.code not in {None, 0}:
            raise ProgramError(f"the program called exit({error.code!r})") from None
    except pulumi.RunError as error:
        raise ProgramError(str(error)) from None
    except Exception as error:  # noqa: BLE001 - whatever the program raises is its own failure, told in one line
        raise ProgramError(_described(error, project.folder)) from None
    finally:
        _close(loop, executor)


def _main(program: Path) -> None:
    runpy.run_path(str(program), run_name="__main__")


def _close(loop: asyncio.AbstractEventLoop, executor: NewestFirst) -> None:
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    executor.shutdown(wait=True)
    asyncio.set_event_loop(None)
    loop.close()


def _described(error: Exception, folder: Path) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_own(frame.filename, folder)]
    where = ""
    if frames:
        where = f" ({Path(frames[-1].filename).relative_to(folder)}, line {frames[-1].lineno})"
    return f"{type(error).__name__}: {error}{where}"


def _is_own(file: str | None, folder: Path) -> bool:
    """Say whether a file is the project's; a virtual environment in its folder is not."""
    return file is not None and Path(file).is_relative_to(folder) and "site-packages" not in Path(file).parts


@contextmanager
def _surroundings(project: Project, environ: Mapping[str, str]) -> Iterator[None]:
    program = project.program if project.program.is_dir() else project.program.parent
    with (
        _sdk_defaults(),
        _environment(environ),
        _import_path(program),
        _put_back(lambda: os.chdir(program), Path.cwd(), os.chdir),
        _put_back(lambda: _set_argv([str(project.program)]), sys.argv, _set_argv),
    ):
        yield


@contextmanager
def _put_back(change: Callable[[], None], before: Any, restore: Callable[[Any], None]) -> Iterator[None]:  # noqa: ANN401 - any value goes back to where it was
    change()
    try:
        yield
    finally:
        restore(before)


def _set_argv(argv: Sequence[str]) -> None:
    sys.argv = list(argv)


@contextmanager
def _environment(environ: Mapping[str, str]) -> Iterator[None]:
    before, wanted = dict(os.environ), dict(environ)
    _replace_environment(before, wanted)
    try:
        yield
    finally:
        _replace_environment(dict(os.environ), before)


def _replace_environment(now: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    for name in now.keys() - wanted.keys():
        del os.environ[name]
    for name, value in wanted.items():
        if now.get(name) != value:
            os.environ[name] = value


@contextmanager
def _import_path(program: Path) -> Iterator[None]:
    """Put the program's folder first; modules that only it made importable leave with it."""
    before = list(sys.path)
    known = set(sys.modules)
    own = str(program) not in {str(Path(entry).resolve()) for entry in before}
    sys.path.insert(0, str(program))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = before
        if own:
            _forget_modules(known, program)


def _forget_modules(known: Container[str], program: Path) -> None:
    new = {name: module for name, module in sys.modules.items() if name not in known}
    for name, module in new.items():
        if _is_own(getattr(module, "__file__", None), program):
            del sys.modules[name]


@contextmanager
def _sdk_defaults() -> Iterator[None]:
    """Undo what the SDK leaves in the process: it is written for one program per process.

    The first value ever set of a setting becomes the default of every context, and each dynamic resource wraps the
    pickler once more, until a pickle with a dictionary in it exceeds the depth of the stack.
    """
    pickler = pickle._Pickler  # noqa: SLF001 - the private class that the SDK changes
    settings = [value for value in vars(Settings).values() if isinstance(value, ContextProperty)]
    touched: list[tuple[object, str]] = [(each, "_ContextProperty__default") for each in settings]
    touched += [(pickler, "_batch_setitems"), (pickler, "save_dict")]
    before = [(owner, name, getattr(owner, name)) for owner, name in touched]
    try:
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
