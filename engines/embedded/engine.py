"""The embedded engine: the runs of one stack."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engines.embedded.deployment import Options
from engines.embedded.imported import import_document
from engines.embedded.journal import Journal
from engines.embedded.lock import break_lock, locked
from engines.embedded.masking import MASK
from engines.embedded.passes import Pass, run_pass
from engines.embedded.properties import Secret, Value
from engines.embedded.resource import Resource
from engines.embedded.stack import Stack, open_stack
from engines.embedded.store import Folder, Store
from engines.embedded.urns import STACK_TYPE, name_of
from engines.engine import Event, Handler, Result, ignore, refuse_other_state
from engines.interrupts import interruptible
from engines.resume import declared_by, refuse_unsettled

PARALLEL = 8


def utc_now() -> datetime:
    """Answer the time of day."""
    return datetime.now(UTC)


class EmbeddedEngine:
    """One stack of the project in `project`; its state lies in `state_folder` as `<stack>.json`.

    `parallel` bounds the provider calls that run at once, `journal` opens the file that a run notes them in. A preview
    takes no lock and leaves the state alone.
    """

    def __init__(
        self,
        project: Path,
        stack: str,
        state_folder: Path,
        environ: Mapping[str, str] = os.environ,
        parallel: int = PARALLEL,
        *,
        now: Callable[[], datetime] = utc_now,
        journal: Callable[[Path], Journal] = Journal,
    ) -> None:
        self._project = project
        self._name = stack
        self._state_folder = state_folder
        self._environ = environ
        self._parallel = parallel
        self._now = now
        self._journal = journal

    def preview(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """Say what `up` would do, changing nothing."""
        stack = self._open()
        store = Store(stack.load(), stack.crypter)
        return run_pass(stack, store, Options("update", refresh=refresh), on_event, dry_run=True).result

    def up(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """Bring the resources to what the program declares.

        A preview comes first; what it finds wrong stops the run before anything is done. Failed resources leave
        the others alone where the preview holds no delete and no replace; deletions wait until all else succeeded.
        What a run that died was updating or deleting is read first; what it was creating is looked for by its mark.
        """
        with self._exclusive(on_event) as stack:
            state = stack.load()
            pending = state.pending()
            suspects = frozenset(note["resource"]["urn"] for note in pending if note["type"] != "creating")
            options = Options("update", refresh=refresh, suspects=suspects)
            plan = run_pass(stack, Store(state, stack.crypter), options, ignore, dry_run=True)
            if not plan.result.ok:
                for failure in plan.result.failures:
                    on_event(Event(self._now(), "failed", failure.urn, failure.name, None, failure.message))
                return plan.result
            refuse_unsettled(pending, declared_by(plan.result), self.finds_ours, self._name)
            counts = plan.result.counts
            options = replace(
                options,
                continue_on_error=not counts["delete"] and not counts["replace"],
                fresh=frozenset(plan.refreshed),
            )
            return self._change(stack, options, on_event, plan.refreshed).result

    def refresh(self, *, on_event: Handler = ignore) -> Result:
        """Bring the state to what the providers find, and drop the notes of operations that were cut off."""
        with self._exclusive(on_event) as stack:
            return self._change(stack, Options("refresh", refresh=True, continue_on_error=True), on_event).result

    def destroy(self, *, including_data: bool = False, on_event: Handler = ignore) -> Result:
        """Delete every resource; protected ones, and all they depend on, only if `including_data`."""
        with self._exclusive(on_event) as stack:
            options = Options("destroy", refresh=True, ignore_protect=including_data)
            return self._change(stack, options, on_event).result

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Answer the stack's outputs; a secret is the text "[secret]" unless asked for."""
        for kept in self._open().load().resources():
            if kept.resource.type == STACK_TYPE:
                return {key: _shown(value, show_secrets=show_secrets) for key, value in kept.resource.outputs.items()}
        return {}

    def export(self) -> dict[str, Any]:
        """Answer Pulumi's deployment document {version: 3, deployment: {…}}, secrets encrypted."""
        stack = self._open()
        return stack.folder.document(stack.load(), stack.salt)

    def import_state(self, document: Mapping[str, Any], *, instead_of: Mapping[str, Any] | None = None) -> None:
        """Replace the state by a document such as `export` gives, whole or not at all."""
        with locked(self._lock, self._now, lambda _text: None):
            stack = self._open()
            if instead_of is not None:
                refuse_other_state(stack.folder.document(stack.load(), stack.salt), instead_of)
            state = import_document(document, stack)
            # A journal that a dead run left belongs to the state that goes.
            stack.folder.save(state, stack.salt)

    def break_lock(self, *, only_look: bool = False) -> str:
        """Break the lock of a run that is proven dead, and say whose it was; "" where there is none."""
        return break_lock(self._lock, self._now, only_look=only_look)

    def configuration(self) -> Mapping[str, str]:
        """Answer the stack's configuration by namespaced key, secrets in plain text: never to be shown."""
        return self._open().config.values

    def finds_ours(self, type_: str) -> bool:  # noqa: ARG002 - it holds for dynamic providers and plugins alike
        """Whether a create of this type takes over an object that carries our mark: here every one does."""
        return True

    @property
    def _lock(self) -> Path:
        return self._state_folder / f"{self._name}.lock"

    def revision(self) -> str:
        """Answer which state the last run left; empty where none, or one that another run has to look after."""
        return Folder(self._state_folder, self._name, self._now).revision()

    def _open(self) -> Stack:
        return open_stack(
            self._project,
            self._name,
            self._state_folder,
            environ=self._environ,
            parallel=self._parallel,
            now=self._now,
            journal=self._journal,
        )

    @contextmanager
    def _exclusive(self, on_event: Handler) -> Iterator[Stack]:
        """Hold the stack's lock, with the state as the last run left it."""

        def warn(text: str) -> None:
            on_event(Event(self._now(), "message", message=f"warning: {text}"))

        with interruptible(), locked(self._lock, self._now, warn):
            stack = self._open()
            state = stack.load()
            # What a run that died has journalled becomes the state that this one starts from.
            stack.folder.save(state, stack.salt)
            if pending := state.pending():
                stack.report(on_event).message(
                    f"warning: {len(pending)} operations of an earlier run were cut off "
                    f"({', '.join(map(_described, pending))}): an `up` settles them, and what it no longer wants is "
                    "found by `tenantry resume`"
                )
            yield stack

    def _change(
        self, stack: Stack, options: Options, on_event: Handler, refreshed: Mapping[int, Resource | None] | None = None
    ) -> Pass:
        """Make a pass that is journalled; whatever ends it, the state says what it has done."""
        store = Store(stack.load(), stack.crypter, stack.folder.journal())
        try:
            for key, resource in (refreshed or {}).items():
                if resource is None:
                    store.forget(key)
                else:
                    store.alter(key, resource)
            return run_pass(stack, store, options, on_event, dry_run=False)
        finally:
            store.close()
            stack.folder.save(store.state, stack.salt)


def _described(operation: Mapping[str, Any]) -> str:
    return f"{operation['type']} {name_of(operation['resource']['urn'])}"


def _shown(value: Value, *, show_secrets: bool) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Secret):
        return _shown(value.value, show_secrets=True) if show_secrets else MASK
    if isinstance(value, dict):
        return {key: _shown(item, show_secrets=show_secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_shown(item, show_secrets=show_secrets) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
