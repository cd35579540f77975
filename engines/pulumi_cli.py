"""The production engine: the Pulumi CLI on PATH, driven by the Automation API on the checkout's own program."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pulumi import automation

from engines.cli_events import Recorder, blamed, is_stack, merged, name_of, sentence, utc_now
from engines.engine import (
    EngineError,
    Failure,
    Handler,
    Result,
    ignore,
    refuse_other_state,
)
from engines.file_lock import folder_of, locks, met_lock, read_owner, require_dead
from engines.leftovers import end_all, leftovers, named
from engines.pulumi_process import PulumiProcess
from engines.pulumi_revisions import moment_of
from engines.resume import cleared, declared_by, notes, refuse_unready, refuse_unsettled

PARALLEL = 16
# Plugins that a program of ours may need; the CLI does not list those that it would find on PATH.
NATIVE = ("aws", "digitalocean", "docker", "hcloud", "linode")


def plugins(environ: Mapping[str, str]) -> frozenset[str]:
    """The names of the native plugins that the CLI on PATH finds here."""
    command = ["pulumi", "plugin", "ls", "--json"]
    listed = subprocess.run(command, env=dict(environ), check=False, capture_output=True, text=True)
    if listed.returncode:
        raise EngineError(f"`{' '.join(command)}` failed: {sentence([listed.stderr])}")
    path = environ.get("PATH")
    ambient = [name for name in NATIVE if shutil.which(f"pulumi-resource-{name}", path=path)]
    return frozenset(plugin["name"] for plugin in json.loads(listed.stdout)).union(ambient)


def make_stack(project: Path, stack: str, environ: Mapping[str, str]) -> None:
    """Make a stack that is not there yet, without selecting it. Raises `EngineError` where the CLI refuses."""
    command = ["pulumi", "stack", "init", stack, "--no-select", "--non-interactive"]
    made = subprocess.run(command, env=dict(environ), cwd=project, check=False, capture_output=True, text=True)
    if made.returncode and "already exists" not in made.stderr:
        raise EngineError(f"`{' '.join(command)}` failed: {sentence([made.stderr])}")


class PulumiCli:
    """One stack of the project in `project`, run by the `pulumi` on PATH."""

    def __init__(
        self, project: Path, stack: str, environ: Mapping[str, str] = os.environ, parallel: int = PARALLEL
    ) -> None:
        self._project = project
        self._name = stack
        self._environ = dict(environ)
        self._parallel = parallel
        self._revision = ""
        self._stack, self._command = self._open()

    @staticmethod
    def available(environ: Mapping[str, str] = os.environ) -> bool:
        """Whether a `pulumi` is on PATH."""
        return shutil.which("pulumi", path=environ.get("PATH")) is not None

    def _open(self) -> tuple[automation.Stack, PulumiProcess]:
        try:
            command = PulumiProcess()
            options = automation.LocalWorkspaceOptions(env_vars=self._environ, pulumi_command=command)
            return automation.create_or_select_stack(self._name, work_dir=str(self._project), opts=options), command
        except automation.InvalidVersionError as error:
            raise EngineError("the pulumi on PATH does not say its version: install a released Pulumi CLI") from error
        except automation.CommandError as error:
            raise EngineError(self._refusal(error)) from error

    def preview(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """Say what `up` would do, changing nothing."""
        return self._run(
            on_event, lambda record: self._stack.preview(refresh=refresh, on_event=record, color="never"), changes=False
        )

    def up(self, *, refresh: bool = False, on_event: Handler = ignore) -> Result:
        """Bring the resources to what the program declares.

        Where the preview holds deletes, they are a run of their own after the rest succeeded: with
        `continue_on_error` an old object would be deleted even when its successor failed.
        """
        plan = self.preview(refresh=refresh)
        if not plan.ok:
            return Result((), plan.failures, (), plan.seconds)
        self._settle(plan)
        deletes = [change.urn for change in plan.changes if change.operation == "delete"]
        replaces = plan.counts["replace"] > 0
        first = self._run(
            on_event,
            lambda record: self._stack.up(
                refresh=refresh,
                on_event=record,
                color="never",
                parallel=self._parallel,
                continue_on_error=not replaces,
                exclude=deletes or None,
            ),
        )
        if not deletes or not first.ok:
            return first
        second = self._run(on_event, lambda ear: self._stack.up(on_event=ear, color="never", parallel=self._parallel))
        return merged(first, second)

    def refresh(self, *, on_event: Handler = ignore) -> Result:
        """Bring the state to what the providers find, with the credentials of today."""
        return self._run(on_event, lambda record: self._stack.refresh(on_event=record, color="never", run_program=True))

    def destroy(self, *, including_data: bool = False, on_event: Handler = ignore) -> Result:
        """Delete every resource; protected ones, and all they depend on, only if `including_data`."""
        seen = self.refresh()
        if not seen.ok:
            return Result((), seen.failures, (), seen.seconds)
        before = self._urns()
        if including_data:
            # The Automation API has no argument for it; the CLI reads every flag from the environment too.
            self._stack.workspace.env_vars = {**self._environ, "PULUMI_OPTION_IGNORE_PROTECT": "true"}
        try:
            result = self._run(
                on_event,
                lambda record: self._stack.destroy(
                    on_event=record,
                    color="never",
                    parallel=self._parallel,
                    run_program=True,
                    exclude_protected=not including_data,
                ),
            )
        finally:
            self._stack.workspace.env_vars = self._environ
        kept = tuple(sorted(urn for urn in self._urns() & before if not is_stack(urn)))
        return Result(result.changes, result.failures, kept if result.ok else (), result.seconds)

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Answer the stack's outputs; a secret is the text "[secret]" unless asked for."""
        return self._ask(["stack", "output", "--json", *(["--show-secrets"] if show_secrets else [])])

    def revision(self) -> str:
        """Answer which state this engine's last run left: the moment at which it was written."""
        return self._revision

    def export(self) -> dict[str, Any]:
        """Answer Pulumi's deployment document, secrets encrypted."""
        return self._ask(["stack", "export"])

    def import_state(self, document: Mapping[str, Any], *, instead_of: Mapping[str, Any] | None = None) -> None:
        """Replace the state by a document such as `export` gives; the CLI checks whose it is."""
        refuse_other_state(self.export(), instead_of)
        # Not through the Automation API, which writes the document to a file and leaves it there when it fails.
        command = ["pulumi", "stack", "import", "--stack", self._name, "--non-interactive"]
        imported = subprocess.run(
            command,
            input=json.dumps(document),
            env=self._environ,
            cwd=self._project,
            check=False,
            capture_output=True,
            text=True,
        )
        if imported.returncode:
            raise EngineError(self._refusal(imported.stderr))

    def turns_green(self, type_: str) -> bool:
        """Whether the next `up` takes a half-made one of this type for ready: docker's is replaced, ours waited for."""
        return not type_.startswith(("pulumi-python:", "docker:"))

    def planned(self) -> Mapping[str, Any]:
        """What the program would register, by URN, as the CLI's plan has it: `goal` and `state`, secrets encrypted."""
        with tempfile.TemporaryDirectory(prefix="tenantry-plan-") as folder:
            file = Path(folder) / "plan.json"
            preview = partial(self._stack.preview, plan=str(file), color="never")
            told = self._run(ignore, lambda record: preview(on_event=record), changes=False)
            if not told.ok:
                first = told.failures[0]
                raise EngineError(f"what '{self._name}' declares is not known: {first.name}: {first.message}")
            plans: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))["resourcePlans"]
            return plans

    def break_lock(self, *, only_look: bool = False) -> str:
        """Break the lock of a run that is proven dead, end what it left running, and say whose it was; "" for none."""
        project = self._stack.workspace.project_settings().name
        folder = folder_of(str(self._stack.workspace.who_am_i().url or ""), self._project)
        held = locks(folder, project, self._name) if folder else []
        owners = [require_dead(read_owner(file), file, utc_now) for file in held]
        left = leftovers(self._project)
        if not only_look:
            # What lives on may still write to a cloud: before anything is looked at, it ends.
            end_all(left)
            if owners:
                self._stack.cancel()
        return "; ".join([*owners, *([f"left running: {named(left)}"] if left else [])])

    def configuration(self) -> Mapping[str, str]:
        """Answer the stack's configuration by namespaced key, secrets in plain text: never to be shown."""
        return {key: setting.value for key, setting in self._stack.get_all_config().items() if setting.value}

    def finds_ours(self, type_: str) -> bool:
        """Whether a create of this type takes over an object that carries our mark: plugins just make another."""
        return type_.startswith("pulumi-python:")

    def _ask(self, arguments: list[str]) -> dict[str, Any]:
        """What a command of the CLI answers in JSON."""
        command = [*arguments, "--stack", self._name]
        try:
            answer = self._stack.workspace.pulumi_command.run(command, str(self._project), self._environ)
        except automation.CommandError as error:
            raise EngineError(self._refusal(error)) from error
        document: dict[str, Any] = json.loads(answer.stdout)
        return document

    def _urns(self) -> set[str]:
        resources = self.export()["deployment"].get("resources") or []
        return {resource["urn"] for resource in resources}

    def _settle(self, plan: Result) -> None:
        """Take notes of cut-off operations out of the state, which keeps them for ever, where this run settles them."""
        document = self.export()
        refuse_unready(document, self.turns_green, self._name)
        if pending := notes(document):
            refuse_unsettled(pending, declared_by(plan), self.finds_ours, self._name)
            self.import_state(cleared(document, {note["resource"]["urn"] for note in pending}), instead_of=document)

    def _run(self, on_event: Handler, operation: Callable[[Recorder], object], *, changes: bool = True) -> Result:
        record = Recorder(on_event)
        started = time.monotonic()
        refusal: automation.CommandError | None = None
        self._command.interrupted = False
        try:
            operation(record)
        except automation.ConcurrentUpdateError as error:
            raise EngineError(
                f"stack '{self._name}' is locked by {met_lock(str(error), utc_now())}: wait for it; if that run is "
                f"dead, run `tenantry resume --stack {self._name}` on its host"
            ) from error
        except automation.CommandError as error:
            if self._command.interrupted:
                # Only now: the CLI has ended in order, and with it every plugin.
                raise KeyboardInterrupt from error
            refusal = error
        deployment = self.export()["deployment"]
        self._revision = moment_of(deployment)
        failures = blamed(record.failures(), deployment)
        if changes:
            failures = (*failures, *self._unfinished(deployment))
        if refusal is not None and not failures:
            raise EngineError(self._refusal(refusal)) from refusal
        return Result(tuple(record.changes.values()), failures, (), time.monotonic() - started)

    def _unfinished(self, deployment: Mapping[str, Any]) -> tuple[Failure, ...]:
        """Resources that the cloud made but never reported ready, and creates whose end nobody saw: never green."""
        ill = [
            Failure(
                resource["urn"], name_of(resource["urn"]), f"was made but is not ready: {resource['initErrors'][0]}"
            )
            for resource in deployment.get("resources") or []
            if resource.get("initErrors")
        ]
        pending = [
            Failure(
                operation["resource"]["urn"],
                name_of(operation["resource"]["urn"]),
                f"its {operation['type']} was cut off: run `tenantry resume --stack {self._name}`, then `up` again",
            )
            for operation in deployment.get("pending_operations") or []
        ]
        return (*ill, *pending)

    def _refusal(self, error: object) -> str:
        """One sentence of the CLI's error lines; its other text may quote outputs and is not shown."""
        lines = [line.partition("error: ")[2].strip() for line in str(error).splitlines() if "error: " in line]
        reason = lines[-1] if lines else "it gave no reason"
        return f"the Pulumi CLI refused to run stack '{self._name}': {reason}"
